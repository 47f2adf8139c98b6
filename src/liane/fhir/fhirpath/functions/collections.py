"""What do the functions over whole collections answer? (FHIRPath N1, sections 5.1, 5.3, 5.4)"""

from __future__ import annotations

from typing import Any

from liane.fhir.fhirpath import comparing
from liane.fhir.fhirpath.comparing import Members
from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.functions.registry import Table, eager
from liane.fhir.fhirpath.nodes import Items, Node, children, type_name
from liane.fhir.fhirpath.scope import Scope, Unordered, single, truth

TABLE: Table = {}


@eager(TABLE, "empty")
def empty(_scope: Scope, focus: Items) -> Items:
    """Whether there is nothing."""
    return [not focus]


@eager(TABLE, "count")
def count(_scope: Scope, focus: Items) -> Items:
    """How many items there are."""
    return [len(focus)]


@eager(TABLE, "not")
def not_(_scope: Scope, focus: Items) -> Items:
    """The other truth."""
    value = truth(focus)
    if value is None:
        return []
    return [not value]


def _booleans(focus: Items) -> list[bool]:
    values = [item.value if type(item) is Node else item for item in focus]
    if any(type(value) is not bool for value in values):
        raise Wrong("des booléens sont attendus", "booleans are expected")
    return values


@eager(TABLE, "allTrue")
def all_true(_scope: Scope, focus: Items) -> Items:
    """Whether every item is true."""
    return [all(_booleans(focus))]


@eager(TABLE, "anyTrue")
def any_true(_scope: Scope, focus: Items) -> Items:
    """Whether an item is true."""
    return [any(_booleans(focus))]


@eager(TABLE, "allFalse")
def all_false(_scope: Scope, focus: Items) -> Items:
    """Whether every item is false."""
    return [not any(_booleans(focus))]


@eager(TABLE, "anyFalse")
def any_false(_scope: Scope, focus: Items) -> Items:
    """Whether an item is false."""
    return [not all(_booleans(focus))]


@eager(TABLE, "subsetOf", 1)
def subset_of(_scope: Scope, focus: Items, other: Items) -> Items:
    """Whether every item is in `other`."""
    known = Members(other)
    return [all(item in known for item in focus)]


@eager(TABLE, "supersetOf", 1)
def superset_of(_scope: Scope, focus: Items, other: Items) -> Items:
    """Whether every item of `other` is here."""
    known = Members(focus)
    return [all(item in known for item in other)]


@eager(TABLE, "distinct")
def distinct(_scope: Scope, focus: Items) -> Items:
    """The items without repetition."""
    return comparing.distinct(focus)


@eager(TABLE, "isDistinct")
def is_distinct(_scope: Scope, focus: Items) -> Items:
    """Whether no item is there twice."""
    return [len(comparing.distinct(focus)) == len(focus)]


def _ordered(scope: Scope, focus: Items) -> None:
    if scope.env.strict and isinstance(focus, Unordered):
        raise Wrong("cette collection n’a pas d’ordre", "this collection has no order")


@eager(TABLE, "single")
def single_(_scope: Scope, focus: Items) -> Items:
    """The only item."""
    if len(focus) > 1:
        raise Wrong("single() : plusieurs valeurs", "single(): several values")
    return focus


@eager(TABLE, "first")
def first(scope: Scope, focus: Items) -> Items:
    """The first item."""
    _ordered(scope, focus)
    return focus[:1]


@eager(TABLE, "last")
def last(scope: Scope, focus: Items) -> Items:
    """The last item."""
    _ordered(scope, focus)
    return focus[-1:]


@eager(TABLE, "tail")
def tail(scope: Scope, focus: Items) -> Items:
    """All items but the first."""
    _ordered(scope, focus)
    return focus[1:]


def _number(items: Items) -> int:
    value = single(items)
    if type(value) is not int:
        raise Wrong("un entier est attendu", "an integer is expected")
    return value


@eager(TABLE, "skip", 1)
def skip(scope: Scope, focus: Items, number: Items) -> Items:
    """The items after the first `number`."""
    _ordered(scope, focus)
    return focus[max(0, _number(number)) :]


@eager(TABLE, "take", 1)
def take(scope: Scope, focus: Items, number: Items) -> Items:
    """The first `number` items."""
    _ordered(scope, focus)
    return focus[: max(0, _number(number))]


@eager(TABLE, "intersect", 1)
def intersect(_scope: Scope, focus: Items, other: Items) -> Items:
    """The items that are on both sides, once each."""
    known = Members(other)
    return comparing.distinct([item for item in focus if item in known])


@eager(TABLE, "exclude", 1)
def exclude(_scope: Scope, focus: Items, other: Items) -> Items:
    """The items that are not in `other`, repetitions kept."""
    known = Members(other)
    return [item for item in focus if item not in known]


@eager(TABLE, "union", 1)
def union(scope: Scope, focus: Items, other: Items) -> Items:
    """Both sides, once each."""
    scope.env.spend(len(focus) + len(other))
    return comparing.distinct(focus + other)


@eager(TABLE, "combine", 1)
def combine(scope: Scope, focus: Items, other: Items) -> Items:
    """Both sides, repetitions kept."""
    scope.env.spend(len(focus) + len(other))
    return focus + other


@eager(TABLE, "children")
def children_(scope: Scope, focus: Items) -> Items:
    """The elements directly below."""
    out = Unordered()
    for item in focus:
        if type(item) is Node:
            out += [child for _, child in children(item, locating=scope.env.locating)]
    scope.env.spend(len(out))
    return out


@eager(TABLE, "descendants")
def descendants(scope: Scope, focus: Items) -> Items:
    """Every element below, at any depth."""
    out = Unordered()
    level: Items = focus
    while level:
        level = children_(scope, level)
        out += level
    return out


@eager(TABLE, "type")
def type_(_scope: Scope, focus: Items) -> Items:
    """Namespace and name of the type of each item."""
    out: Items = []
    for item in focus:
        space, name = type_name(item)
        out.append(Node({"namespace": space, "name": name}, None))
    return out


@eager(TABLE, "comparable", 1)
def comparable(_scope: Scope, focus: Items, other: Items) -> Items:
    """Whether two quantities measure the same thing."""
    from liane.fhir.fhirpath.quantities import Quantity, aligned

    one: Any = single(focus)
    there: Any = single(other)
    if type(one) is not Quantity or type(there) is not Quantity:
        return []
    return [aligned(one, there) is not None]
