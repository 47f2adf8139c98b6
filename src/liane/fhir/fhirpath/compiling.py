"""How does an expression become functions that only have to be called?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liane.fhir.fhirpath import operators, typing_rules
from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.functions import FUNCTIONS
from liane.fhir.fhirpath.model import Member, known, simple, within
from liane.fhir.fhirpath.nodes import Items, Node, named, quick
from liane.fhir.fhirpath.scope import Run, Scope, Unordered, single
from liane.fhir.fhirpath.sorting import sorted_by
from liane.fhir.fhirpath.syntax import (
    Binary,
    Call,
    Chain,
    Expression,
    External,
    Index,
    Literal,
    Name,
    Signed,
    Special,
    TypeTest,
)
from liane.fhir.fhirpath.variables import external

KEPT_TYPES = 1_000
"""For how many types a step remembers where its member is; a stranger may name any type."""


def compiled(expression: Expression) -> Run:
    """The function that evaluates `expression` over a scope and a focus."""
    match expression:
        case Literal(values):
            return _literal(list(values))
        case Name(name):
            return _first(name)
        case Call():
            return _call(expression)
        case Special(name):
            return _special(name)
        case External(name):
            return external(name)
        case Chain(head, steps):
            return _chain(compiled(head), [_step(step) for step in steps])
        case Signed(sign, operand):
            return operators.signed(sign, compiled(operand))
        case Binary("=" | "!=" as operator, left, Literal((str() as text,))):
            return operators.equals_text(compiled(left), text, answer=operator == "=")
        case Binary(operator, left, right):
            return operators.binary(operator, compiled(left), compiled(right))
        case TypeTest(operator, operand, type_):
            return typing_rules.operator(operator, compiled(operand), type_)
        case Index(index):
            return _index(compiled(index))


def _literal(values: Items) -> Run:
    def literal(_scope: Scope, _focus: Items) -> Items:
        return values

    return literal


def _chain(head: Run, steps: list[Run]) -> Run:
    if len(steps) == 1:
        only = steps[0]

        def pair(scope: Scope, focus: Items) -> Items:
            return only(scope, head(scope, focus))

        return pair

    def chain(scope: Scope, focus: Items) -> Items:
        items = head(scope, focus)
        for step in steps:
            items = step(scope, items)
        return items

    return chain


def _step(step: Name | Call | Special | Index) -> Run:
    if isinstance(step, Name):
        return _member(step.name)
    return compiled(step)


def _member(name: str) -> Run:
    # By type: the member, when it is no choice.
    plain: dict[str | None, Member | None] = {}

    def member(scope: Scope, focus: Items) -> Items:
        out: Items = []
        env = scope.env
        for item in focus:
            if type(item) is Node:
                type_ = item.type
                found = plain.get(type_)
                if found is None and type_ not in plain and len(plain) < KEPT_TYPES:
                    found = plain[type_] = simple(type_, name)
                if found is not None and not env.locating and quick(item, found, out):
                    continue
                if not named(item, name, out, locating=env.locating) and env.strict:
                    raise _no_member(item.type, name)
            elif env.strict:
                raise _no_member(None, name)
        env.spend(len(out))
        return out

    return member


def _no_member(type_: str | None, name: str) -> Wrong:
    shown = type_ or "?"
    return Wrong(f"{shown} n’a pas d’élément « {name} »", f"{shown} has no element '{name}'")


def _first(name: str) -> Run:
    """A name where an expression begins: a member, or the type of what it is asked of."""
    member = _member(name)
    if not name[0].isupper() or not known(name):
        return member

    def first(scope: Scope, focus: Items) -> Items:
        typed = [
            item
            for item in focus
            if type(item) is Node and item.type is not None and within(item.type, name)
        ]
        return typed or member(scope, focus)

    return first


def _special(name: str) -> Run:
    def this(scope: Scope, _focus: Items) -> Items:
        return scope.this

    def index(scope: Scope, _focus: Items) -> Items:
        return [] if scope.index is None else [scope.index]

    def total(scope: Scope, _focus: Items) -> Items:
        return scope.total or []

    runs: dict[str, Run] = {"this": this, "index": index, "total": total}
    return runs[name]


def _index(index: Run) -> Run:
    def at(scope: Scope, focus: Items) -> Items:
        position = single(index(scope, scope.this))
        if position is None:
            return []
        if type(position) is not int:
            raise Wrong("un rang est un entier", "an index is an integer")
        if scope.env.strict and isinstance(focus, Unordered):
            raise Wrong("cette collection n’a pas d’ordre", "this collection has no order")
        return focus[position : position + 1] if position >= 0 else []

    return at


def _call(call: Call) -> Run:
    if call.name == "sort":
        return sorted_by([_sort_key(argument) for argument in call.arguments])
    function = FUNCTIONS.get(call.name)
    if function is None:
        raise Wrong(f"fonction « {call.name} » inconnue", f"unknown function '{call.name}'")
    count = len(call.arguments)
    if not function.least <= count <= function.most:
        raise Wrong(
            f"{call.name}() prend de {function.least} à {function.most} arguments, pas {count}",
            f"{call.name}() takes {function.least} to {function.most} arguments, not {count}",
        )
    if function.kind == "type":
        typed: Run = function.build(typing_rules.type_named(call.arguments[0]))
        return typed
    arguments = [compiled(argument) for argument in call.arguments]
    if function.kind == "lazy":
        lazy: Run = function.build(*arguments)
        return lazy
    return _eager(function.build, arguments)


def _sort_key(argument: Expression) -> tuple[Run, bool]:
    """A minus sign before a sort key turns the order round, for texts and dates too."""
    if isinstance(argument, Signed) and argument.sign == "-":
        return compiled(argument.operand), True
    return compiled(argument), False


def _eager(run: Callable[..., Items], arguments: list[Run]) -> Run:
    """A function whose arguments are values: they are evaluated before it is called."""
    if not arguments:

        def bare(scope: Scope, focus: Items) -> Items:
            return run(scope, focus)

        return bare

    def eager(scope: Scope, focus: Items) -> Items:
        values: list[Any] = [argument(scope, scope.this) for argument in arguments]
        return run(scope, focus, *values)

    return eager
