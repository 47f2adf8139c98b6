"""How does a value become one of another type? (FHIRPath N1, section 5.5)"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.functions.registry import Table, eager
from liane.fhir.fhirpath.functions.strings import text_of
from liane.fhir.fhirpath.nodes import Items, Node
from liane.fhir.fhirpath.quantities import CALENDAR, Quantity, aligned, quantity_of
from liane.fhir.fhirpath.scope import Scope, single
from liane.fhir.fhirpath.temporal import Moment, date_of, datetime_of, time_of

TABLE: Table = {}
Convert = Callable[[Any], Any]

_INTEGER = re.compile(r"[+-]?\d{1,38}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d{1,38}(?:\.\d{1,38})?", re.ASCII)
_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})


def to_boolean(value: Any) -> bool | None:
    """`toBoolean()`"""
    if type(value) is bool:
        return value
    if type(value) in (int, Decimal):
        return {0: False, 1: True}.get(value)
    if type(value) is str:
        word = value.lower()
        return True if word in _TRUE else False if word in _FALSE else None
    return None


def to_integer(value: Any) -> int | None:
    """`toInteger()`"""
    if type(value) is bool:
        return int(value)
    if type(value) is int:
        return value
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value)
    return None


def to_decimal(value: Any) -> Decimal | None:
    """`toDecimal()`"""
    if type(value) in (bool, int):
        return Decimal(int(value))
    if type(value) is Decimal:
        return value
    return Decimal(value) if type(value) is str and _DECIMAL.fullmatch(value) else None


def to_string(value: Any) -> str | None:
    """`toString()`"""
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is Decimal:
        return f"{value:f}"
    if type(value) in (int, str, Moment, Quantity):
        return str(value)
    return None


def to_date(value: Any) -> Moment | None:
    """`toDate()`: the day of a dateTime, or what a text says."""
    if type(value) is Moment:
        return (
            Moment("Date", value.parts[:3], None, value.parts[:3]) if value.kind != "Time" else None
        )
    return _read(date_of, value.partition("T")[0] if type(value) is str else value)


def to_datetime(value: Any) -> Moment | None:
    """`toDateTime()`"""
    if type(value) is Moment:
        if value.kind == "Time":
            return None
        return Moment("DateTime", value.parts, value.offset_minutes, value.utc)
    return _read(datetime_of, value)


def to_time(value: Any) -> Moment | None:
    """`toTime()`"""
    if type(value) is Moment:
        return value if value.kind == "Time" else None
    return _read(time_of, value)


def _read(read: Callable[[str], Moment], value: Any) -> Moment | None:
    if type(value) is not str:
        return None
    try:
        return read(value)
    except Wrong:
        return None


def to_quantity(value: Any) -> Quantity | None:
    """`toQuantity()`"""
    if type(value) is Quantity:
        return value
    if type(value) is str:
        return quantity_of(value)
    number = to_decimal(value)
    return None if number is None else Quantity(number)


_CONVERSIONS: dict[str, Convert] = {
    "Boolean": to_boolean,
    "Integer": to_integer,
    "Decimal": to_decimal,
    "String": to_string,
    "Date": to_date,
    "DateTime": to_datetime,
    "Time": to_time,
}


def _register(name: str, convert: Convert) -> None:
    def to(_scope: Scope, focus: Items) -> Items:
        value = single(focus)
        if value is None or type(value) is Node:
            return []
        answer = convert(value)
        return [] if answer is None else [answer]

    def converts(scope: Scope, focus: Items) -> Items:
        return [bool(to(scope, focus))] if focus else []

    eager(TABLE, f"to{name}")(to)
    eager(TABLE, f"convertsTo{name}")(converts)


for _name, _convert in _CONVERSIONS.items():
    _register(_name, _convert)


@eager(TABLE, "toQuantity", 0, 1)
def quantity(scope: Scope, focus: Items, unit: Items | None = None) -> Items:
    """A quantity, in `unit` where it is given."""
    value = single(focus)
    found = None if value is None or type(value) is Node else to_quantity(value)
    wanted = None if unit is None else text_of(scope, unit)
    if found is None:
        return []
    if wanted is None or wanted == found.unit:
        return [found]
    target = Quantity(Decimal(1), wanted, wanted in CALENDAR)
    pair = aligned(found, target)
    if pair is None:
        return []
    return [Quantity(pair[0] / pair[1], wanted, target.calendar)]


@eager(TABLE, "convertsToQuantity", 0, 1)
def converts_to_quantity(scope: Scope, focus: Items, unit: Items | None = None) -> Items:
    """Whether `toQuantity()` gives something."""
    return [bool(quantity(scope, focus, unit))] if focus else []


@eager(TABLE, "now")
def now(scope: Scope, _focus: Items) -> Items:
    """The instant of asking, the same during one evaluation."""
    return [datetime_of(scope.env.now.isoformat(timespec="milliseconds").replace("+00:00", "Z"))]


@eager(TABLE, "today")
def today(scope: Scope, _focus: Items) -> Items:
    """The day of asking."""
    return [date_of(scope.env.now.date().isoformat())]


@eager(TABLE, "timeOfDay")
def time_of_day(scope: Scope, _focus: Items) -> Items:
    """The time of asking."""
    return [time_of(scope.env.now.time().isoformat(timespec="milliseconds"))]
