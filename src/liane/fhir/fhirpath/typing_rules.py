"""When is an item of a type, and what do `is`, `as` and `ofType` keep?"""

from __future__ import annotations

from typing import Any

from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.model import PRIMITIVES, SYSTEM, known, within
from liane.fhir.fhirpath.nodes import Items, Node, type_name
from liane.fhir.fhirpath.scope import Run, Scope
from liane.fhir.fhirpath.syntax import Chain, Expression, Name


def type_named(expression: Expression) -> str:
    """The type that an argument names: `Quantity`, `FHIR.Quantity`, `System.Boolean`."""
    match expression:
        case Name(name):
            return name
        case Chain(Name(space), (Name(name),)):
            return f"{space}.{name}"
    raise Wrong("un nom de type est attendu", "the name of a type is expected")


def checked(type_: str) -> tuple[str | None, str]:
    """Namespace (None when not said) and name. Raises `Wrong` for a type that nobody knows."""
    space, _, name = type_.rpartition(".")
    if space not in ("", "FHIR", "System"):
        raise Wrong(f"espace de noms « {space} » inconnu", f"unknown namespace '{space}'")
    if space != "System" and not known(name) and name not in SYSTEM:
        raise Wrong(f"type « {type_} » inconnu", f"unknown type '{type_}'")
    return space or None, name


def of_type(item: Any, space: str | None, name: str, *, exact: bool = False) -> bool:
    """Whether an item is of a type. `exact`: a primitive is not of the type it specialises."""
    if type(item) is not Node:
        return space != "FHIR" and type_name(item)[1] == name
    if space == "System" or item.type is None:
        return False
    if exact and item.type in PRIMITIVES:
        return bool(item.type == name)
    return within(item.type, name)


def operator(sign: str, operand: Run, type_: str) -> Run:
    """`x is T` and `x as T`. The search expressions of R4 use `as` on several items at once."""
    return _is(type_, operand) if sign == "is" else of_type_only(type_, operand)


def is_function(type_: str) -> Run:
    """`is(T)`"""
    return _is(type_, None)


def _is(type_: str, operand: Run | None) -> Run:
    space, name = checked(type_)

    def is_(scope: Scope, focus: Items) -> Items:
        items = focus if operand is None else operand(scope, focus)
        if len(items) > 1:
            raise Wrong("« is » demande une valeur seule", "'is' asks for a single value")
        return [of_type(items[0], space, name)] if items else []

    return is_


def of_type_only(type_: str, operand: Run | None = None) -> Run:
    """`ofType(T)`: the items of that type."""
    space, name = checked(type_)

    def kept(scope: Scope, focus: Items) -> Items:
        items = focus if operand is None else operand(scope, focus)
        found = [item for item in items if of_type(item, space, name, exact=True)]
        if scope.env.strict and items and not found and operand is not None:
            raise Wrong(f"rien n’est de type {type_} ici", f"nothing is of type {type_} here")
        return found

    return kept


def as_function(type_: str) -> Run:
    """`as(T)`: one item at most, unless the environment says otherwise."""
    kept = of_type_only(type_)

    def as_(scope: Scope, focus: Items) -> Items:
        if len(focus) > 1 and not scope.env.as_many:
            raise Wrong("as() demande une valeur seule", "as() asks for a single value")
        return kept(scope, focus)

    return as_
