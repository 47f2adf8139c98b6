"""What do the operators of FHIRPath answer? (FHIRPath N1, sections 6.1 to 6.6)"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from liane.fhir.fhirpath import comparing
from liane.fhir.fhirpath.arithmetic import CALCULATIONS, negative
from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.nodes import Items, Node
from liane.fhir.fhirpath.quantities import Quantity
from liane.fhir.fhirpath.scope import Run, Scope, single, truth

_DATES = frozenset({"date", "dateTime", "instant", "time"})
Test = Callable[[Items, Items], "bool | None"]


def binary(sign: str, left: Run, right: Run) -> Run:
    """The function of `left sign right`."""
    if sign in _LOGIC:
        return _LOGIC[sign](left, right)
    if sign in _TESTS:
        return _tested(_TESTS[sign], left, right)
    if sign in _ORDERS:
        return _ordered(_ORDERS[sign], left, right)
    if sign == "|":
        return _union(left, right)
    if sign == "&":
        return _concatenated(left, right)
    return _calculated(sign, left, right)


def _tested(test: Test, left: Run, right: Run) -> Run:
    def tested(scope: Scope, focus: Items) -> Items:
        one, other = left(scope, focus), right(scope, focus)
        if len(one) > 1 or len(other) > 1:
            scope.env.spend(len(one) * len(other))
        answer = test(one, other)
        return [] if answer is None else [answer]

    return tested


def equals_text(left: Run, text: str, *, answer: bool) -> Run:
    """`left = 'text'` (or `!=` with `answer` False), the most usual of all comparisons."""
    same, other = [answer], [not answer]
    general = _tested(_TESTS["=" if answer else "!="], left, lambda _scope, _focus: [text])

    def equals(scope: Scope, focus: Items) -> Items:
        items = left(scope, focus)
        if len(items) == 1 and type(items[0]) is Node:
            item = items[0]
            if type(item.value) is str and item.type not in _DATES:
                return same if item.value == text else other
        return general(scope, focus)

    return equals


def _not(test: Test) -> Test:
    def negated(left: Items, right: Items) -> bool | None:
        answer = test(left, right)
        return None if answer is None else not answer

    return negated


def _in(left: Items, right: Items) -> bool | None:
    if not left:
        return None
    if len(left) > 1:
        raise Wrong("« in » demande une valeur seule", "'in' asks for a single value")
    return any(comparing.same_value(left[0], item) for item in right)


def _contains(left: Items, right: Items) -> bool | None:
    return _in(right, left)


_TESTS: MappingProxyType[str, Test] = MappingProxyType(
    {
        "=": comparing.equal,
        "!=": _not(comparing.equal),
        "~": comparing.equivalent,
        "!~": _not(comparing.equivalent),
        "in": _in,
        "contains": _contains,
    }
)
_ORDERS: MappingProxyType[str, frozenset[int]] = MappingProxyType(
    {
        "<": frozenset({-1}),
        "<=": frozenset({-1, 0}),
        ">": frozenset({1}),
        ">=": frozenset({0, 1}),
    }
)


def _ordered(wanted: frozenset[int], left: Run, right: Run) -> Run:
    def ordered(scope: Scope, focus: Items) -> Items:
        one, other = left(scope, focus), right(scope, focus)
        if not one or not other:
            return []
        if len(one) > 1 or len(other) > 1:
            raise Wrong("on compare des valeurs seules", "only single values have an order")
        order = comparing.order(one[0], other[0])
        return [] if order is None else [order in wanted]

    return ordered


def _and(left: Run, right: Run) -> Run:
    def and_(scope: Scope, focus: Items) -> Items:
        one = truth(left(scope, focus))
        if one is False:
            return [False]
        other = truth(right(scope, focus))
        if other is False:
            return [False]
        return [True] if one and other else []

    return and_


def _or(left: Run, right: Run) -> Run:
    def or_(scope: Scope, focus: Items) -> Items:
        one = truth(left(scope, focus))
        if one:
            return [True]
        other = truth(right(scope, focus))
        if other:
            return [True]
        return [False] if one is False and other is False else []

    return or_


def _xor(left: Run, right: Run) -> Run:
    def xor(scope: Scope, focus: Items) -> Items:
        one, other = truth(left(scope, focus)), truth(right(scope, focus))
        return [] if one is None or other is None else [one != other]

    return xor


def _implies(left: Run, right: Run) -> Run:
    def implies(scope: Scope, focus: Items) -> Items:
        one = truth(left(scope, focus))
        if one is False:
            return [True]
        other = truth(right(scope, focus))
        if other:
            return [True]
        return [] if one is None or other is None else [False]

    return implies


_LOGIC: MappingProxyType[str, Callable[[Run, Run], Run]] = MappingProxyType(
    {"and": _and, "or": _or, "xor": _xor, "implies": _implies}
)


def _union(left: Run, right: Run) -> Run:
    def union(scope: Scope, focus: Items) -> Items:
        items = left(scope, focus) + right(scope, focus)
        scope.env.spend(len(items))
        return comparing.distinct(items) if len(items) > 1 else items

    return union


def _concatenated(left: Run, right: Run) -> Run:
    def concatenated(scope: Scope, focus: Items) -> Items:
        texts = [single(side(scope, focus)) for side in (left, right)]
        if any(text is not None and type(text) is not str for text in texts):
            raise Wrong("« & » joint des textes", "'&' joins texts")
        scope.env.read(sum(len(text or "") for text in texts))
        return ["".join(text or "" for text in texts)]

    return concatenated


def _calculated(sign: str, left: Run, right: Run) -> Run:
    calculate = CALCULATIONS[sign]

    def calculated(scope: Scope, focus: Items) -> Items:
        one, other = single(left(scope, focus)), single(right(scope, focus))
        if one is None or other is None:
            return []
        if type(one) is str and type(other) is str:
            scope.env.read(len(one) + len(other))
        answer = calculate(one, other)
        return [] if answer is None else [answer]

    return calculated


def signed(sign: str, operand: Run) -> Run:
    """`-x` and `+x`."""

    def signed_(scope: Scope, focus: Items) -> Items:
        value: Any = single(operand(scope, focus))
        if value is None:
            return []
        if type(value) not in (int, Decimal, Quantity):
            raise Wrong("un signe précède un nombre", "a sign stands before a number")
        return [negative(value) if sign == "-" else value]

    return signed_
