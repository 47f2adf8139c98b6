"""When are two values equal, equivalent, or one before the other? (FHIRPath N1, section 6)"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Context, Decimal
from typing import Any

from liane.fhir.fhirpath import temporal
from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.nodes import Items, Node, system, type_name
from liane.fhir.fhirpath.quantities import Quantity, aligned
from liane.fhir.fhirpath.temporal import Moment

_NUMBERS = (int, Decimal)
WIDE = Context(prec=1_000)
"""Room for any number within reach to be rounded to any digit."""
LIMIT_ANY_ORDER = 200
"""Longer lists inside elements are compared in their order only."""


def equal(left: Items, right: Items) -> bool | None:
    """`=` between collections; None when it is not known."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    unknown = False
    for one, other in zip(left, right, strict=True):
        same = same_value(one, other)
        if same is False:
            return False
        unknown = unknown or same is None
    return None if unknown else True


def same_value(left: Any, right: Any) -> bool | None:
    """`=` between two items."""
    one, other = system(left), system(right)
    kind, kind_there = type(one), type(other)
    if kind is str or kind is bool:
        return (kind is kind_there and bool(one == other)) or _as_moment(one, other)
    if kind in _NUMBERS:
        if kind_there is Quantity:
            return same_value(Quantity(Decimal(one)), other)
        return kind_there in _NUMBERS and bool(one == other)
    if kind is Moment:
        if kind_there is str:
            return _as_moment(other, one)
        return kind_there is Moment and _same_moment(one, other)
    if kind is Quantity:
        return _same_quantity(one, other)
    if kind is Node and kind_there is Node:
        return one is other or bool(_json(one.value) == _json(other.value))
    return one is None and other is None and left is right


def _as_moment(text: Any, other: Any) -> bool | None:
    """A text beside a date is read as a date (implicit conversion)."""
    if type(text) is not str or type(other) is not Moment:
        return False
    read = {"Date": temporal.date_of, "DateTime": temporal.datetime_of, "Time": temporal.time_of}
    try:
        return _same_moment(read[other.kind](text), other)
    except Wrong:
        return False


def _same_moment(left: Moment, right: Moment) -> bool | None:
    if (left.kind == "Time") != (right.kind == "Time"):
        return False
    order = temporal.compare(left, right)
    return None if order is None else order == 0


def _same_quantity(left: Quantity, other: Any) -> bool | None:
    if type(other) in _NUMBERS:
        other = Quantity(Decimal(other))
    if type(other) is not Quantity:
        return False
    pair = aligned(left, other)
    return None if pair is None else pair[0] == pair[1]


def _json(value: Any) -> Any:
    """JSON for comparison: element ids stay out, as does the spelling of decimals."""
    if type(value) is dict:
        return {key: _json(child) for key, child in value.items() if key != "id"}
    if type(value) is list:
        return [_json(child) for child in value]
    return value


def equivalent(left: Items, right: Items) -> bool:
    """`~` between collections: the order does not count."""
    if len(left) != len(right):
        return False
    rest = list(right)
    for one in left:
        for i, other in enumerate(rest):
            if alike(one, other):
                del rest[i]
                break
        else:
            return False
    return True


def alike(left: Any, right: Any) -> bool:
    """`~` between two items."""
    one, other = system(left), system(right)
    if type(one) is str and type(other) is str:
        return " ".join(one.lower().split()) == " ".join(other.lower().split())
    if type(one) in _NUMBERS and type(other) in _NUMBERS:
        return _rounded_alike(Decimal(one), Decimal(other))
    if type(one) is Moment and type(other) is Moment:
        return temporal.equivalent(one, other)
    if type(one) is Quantity and type(other) is Quantity:
        return _close(one, other)
    if type(one) is Node and type(other) is Node:
        return _alike_json(one.value, other.value)
    return bool(same_value(one, other))


def _rounded_alike(one: Decimal, other: Decimal) -> bool:
    """Equal once rounded to the digits of the less precise one; trailing zeros do not count."""
    digits = min(_digits(one), _digits(other))
    step = Decimal(1).scaleb(-digits)
    return one.quantize(step, context=WIDE) == other.quantize(step, context=WIDE)


def _digits(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _close(one: Quantity, other: Quantity) -> bool:
    """Alike once one is written in the unit of the other, at the precision of the lesser one."""
    for left, right in ((one, other), (other, one)):
        unit = aligned(Quantity(Decimal(1), left.unit, left.calendar), right)
        if unit is not None and unit[0] and _rounded_alike(left.value, unit[1] / unit[0]):
            return True
    return False


def _alike_json(one: Any, other: Any) -> bool:
    if type(one) is dict and type(other) is dict:
        keys = (one.keys() | other.keys()) - {"id"}
        return all(
            key in one and key in other and _alike_json(one[key], other[key]) for key in keys
        )
    if type(one) is list and type(other) is list:
        return equivalent_json(one, other)
    return alike(one, other)


def equivalent_json(left: list[Any], right: list[Any]) -> bool:
    """Lists of JSON that hold alike values in any order."""
    if len(left) != len(right):
        return False
    if len(left) > LIMIT_ANY_ORDER:
        return all(map(_alike_json, left, right))
    rest = list(right)
    for one in left:
        found = next((i for i, other in enumerate(rest) if _alike_json(one, other)), None)
        if found is None:
            return False
        del rest[found]
    return not rest


def order(left: Any, right: Any) -> int | None:
    """-1, 0 or 1 by `<`; None when not known. Raises `Wrong` for values without an order."""
    one, other = system(left), system(right)
    if one is None or other is None:
        return None
    kind, kind_there = type(one), type(other)
    if (kind in _NUMBERS and kind_there in _NUMBERS) or (kind is str and kind_there is str):
        return int(one > other) - int(one < other)
    if kind is Moment or kind_there is Moment:
        one, other = _moment_like(one, other), _moment_like(other, one)
        if (one.kind == "Time") == (other.kind == "Time"):
            return temporal.compare(one, other)
    elif kind is Quantity or kind_there is Quantity:
        pair = _quantities(one, other)
        if pair is not None:
            values = aligned(*pair)
            return None if values is None else (values[0] > values[1]) - (values[0] < values[1])
    here, there = type_name(left)[1], type_name(right)[1]
    raise Wrong(f"{here} et {there} ne se comparent pas", f"{here} and {there} have no order")


def _moment_like(value: Any, other: Any) -> Moment:
    if type(value) is Moment:
        return value
    if type(value) is str and type(other) is Moment:
        read = {"Date": temporal.date_of, "DateTime": temporal.datetime_of}
        return read.get(other.kind, temporal.time_of)(value)
    raise Wrong("une date est attendue", "a date is expected")


def _quantities(one: Any, other: Any) -> tuple[Quantity, Quantity] | None:
    pair = [Quantity(Decimal(v)) if type(v) in _NUMBERS else v for v in (one, other)]
    if type(pair[0]) is Quantity and type(pair[1]) is Quantity:
        return pair[0], pair[1]
    return None


def key(item: Any) -> Hashable | None:
    """A key that equal items share, or None when items of this kind must be compared in pairs."""
    value = system(item)
    kind = type(value)
    if kind is str or kind is bool:
        return kind, value
    if kind in _NUMBERS:
        return int, value
    if kind is Moment:
        return Moment, value.kind == "Time", value.offset_minutes is None, value.utc
    return _frozen(value.value) if kind is Node else None


def _frozen(value: Any) -> Hashable:
    if type(value) is dict:
        return frozenset((key, _frozen(child)) for key, child in value.items() if key != "id")
    if type(value) is list:
        return tuple(map(_frozen, value))
    return (bool, value) if type(value) is bool else value


def distinct(items: Items) -> Items:
    """The items without repetition, the first of each kept."""
    seen = Members([])
    return [item for item in items if seen.add(item)]


class Members:
    """A collection asked many times whether it holds an item."""

    def __init__(self, items: Items) -> None:
        self._keys: set[Hashable] = set()
        self._odd: Items = []
        for item in items:
            self.add(item)

    def __contains__(self, item: Any) -> bool:
        mark = key(item)
        if mark is None:
            return any(same_value(item, other) for other in self._odd)
        return mark in self._keys

    def add(self, item: Any) -> bool:
        """Take `item` in; False when an equal one was there."""
        if item in self:
            return False
        mark = key(item)
        if mark is None:
            self._odd.append(item)
        else:
            self._keys.add(mark)
        return True
