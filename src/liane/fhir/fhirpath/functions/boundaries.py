"""Between which exact values does an imprecise one lie? (FHIRPath 2, lowBoundary, highBoundary)"""

from __future__ import annotations

import calendar
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from liane.fhir.fhirpath.comparing import WIDE
from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.functions.registry import Table, eager
from liane.fhir.fhirpath.functions.strings import integer_of
from liane.fhir.fhirpath.nodes import Items
from liane.fhir.fhirpath.quantities import Quantity
from liane.fhir.fhirpath.scope import Scope, single
from liane.fhir.fhirpath.temporal import Moment, Parts

TABLE: Table = {}
_DECIMAL_DIGITS = 8
_LIMIT_DIGITS = 31
# Digits of a date literal -> number of parts (a fraction of a second counts with the second).
_DATE_PARTS = {4: 1, 6: 2, 8: 3, 10: 4, 12: 5, 14: 6, 17: 6}
_TIME_PARTS = {2: 1, 4: 2, 6: 3, 9: 3}


@eager(TABLE, "lowBoundary", 0, 1)
def low_boundary(_scope: Scope, focus: Items, digits: Items | None = None) -> Items:
    """The least value that the focus can mean, to a precision."""
    return _boundary(single(focus), None if digits is None else integer_of(digits), high=False)


@eager(TABLE, "highBoundary", 0, 1)
def high_boundary(_scope: Scope, focus: Items, digits: Items | None = None) -> Items:
    """The greatest value that the focus can mean, to a precision."""
    return _boundary(single(focus), None if digits is None else integer_of(digits), high=True)


def _boundary(value: Any, digits: int | None, *, high: bool) -> Items:
    if type(value) is Moment:
        return _moment(value, digits, high=high)
    if type(value) is Quantity:
        number = _number(value.value, digits, high=high)
        return [Quantity(number[0], value.unit, value.calendar)] if number else []
    if type(value) in (int, Decimal):
        return list(_number(Decimal(value), digits, high=high))
    if value is None:
        return []
    raise Wrong(
        "une limite se demande à un nombre, une quantité ou une date",
        "only a number, a quantity or a date has a boundary",
    )


def _number(value: Decimal, digits: int | None, *, high: bool) -> tuple[Decimal, ...]:
    wanted = _DECIMAL_DIGITS if digits is None else digits
    if not 0 <= wanted < _LIMIT_DIGITS:
        return ()
    exponent = value.as_tuple().exponent
    half = Decimal(5).scaleb((exponent if isinstance(exponent, int) else 0) - 1)
    edge = WIDE.add(value, half) if high else WIDE.subtract(value, half)
    step = Decimal(1).scaleb(-wanted)
    return (_toward(edge, value, step, high=high),)


def _toward(edge: Decimal, value: Decimal, step: Decimal, *, high: bool) -> Decimal:
    """The edge to the precision asked; a value finer than the precision stays at its zero."""
    if value and abs(edge) < step and abs(value) < step:
        return Decimal(0).quantize(step, context=WIDE).copy_sign(value if not high else Decimal(1))
    return edge.quantize(step, ROUND_CEILING if high else ROUND_FLOOR, WIDE)


def _moment(value: Moment, digits: int | None, *, high: bool) -> Items:
    if value.kind == "Time":
        wanted = _TIME_PARTS.get(9 if digits is None else digits)
        return [] if wanted is None else [_time(value, wanted, digits, high=high)]
    default = 8 if value.kind == "Date" else 17
    asked = default if digits is None else digits
    wanted = _DATE_PARTS.get(asked)
    if wanted is None:
        return []
    parts = _filled(value.parts, wanted, fraction=asked == 17, high=high)
    if wanted <= 3:
        return [Moment("Date", parts, None, parts)]
    offset = value.offset_minutes
    if offset is None:
        offset = -12 * 60 if high else 14 * 60
    from liane.fhir.fhirpath.temporal import moment

    return [moment("DateTime", parts, offset)]


def _filled(parts: Parts, wanted: int, *, fraction: bool, high: bool) -> Parts:
    out: list[int | Decimal] = list(parts[:wanted])
    while len(out) < min(wanted, 3):
        if len(out) == 1:
            out.append(12 if high else 1)
        else:
            last = calendar.monthrange(int(out[0]), int(out[1]))[1]
            out.append(last if high else 1)
    clock = {3: 23, 4: 59, 5: 59}
    while len(out) < wanted:
        out.append(clock[len(out)] if high else 0)
    if fraction and wanted == 6:
        out[5] = _milliseconds(out[5], high=high and len(parts) < 7)
    return tuple(out)


def _milliseconds(second: int | Decimal, *, high: bool) -> Decimal:
    if type(second) is Decimal:
        return second
    return Decimal(f"{second}.{'999' if high else '000'}")


def _time(value: Moment, wanted: int, digits: int | None, *, high: bool) -> Moment:
    out: list[int | Decimal] = list(value.parts[:wanted])
    while len(out) < wanted:
        out.append(59 if high else 0)
    if wanted == 3 and digits != 6:
        out[2] = _milliseconds(out[2], high=high)
    return Moment("Time", tuple(out), None, tuple(out))


@eager(TABLE, "precision")
def precision(_scope: Scope, focus: Items) -> Items:
    """How many digits were given: after the point of a number, in all for a date."""
    value = single(focus)
    if type(value) is Moment:
        widths = [2] * len(value.parts)
        if value.kind != "Time":
            widths[0] = 4
        return [sum(widths) + value.fraction_digits]
    if type(value) is Decimal:
        exponent = value.as_tuple().exponent
        return [-exponent if isinstance(exponent, int) else 0]
    return [0] if type(value) is int else []
