"""How do numbers, quantities, dates and texts add up? (FHIRPath N1, section 6.6)"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException
from types import MappingProxyType
from typing import Any

from liane.fhir.fhirpath import quantities, temporal
from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.nodes import type_name
from liane.fhir.fhirpath.quantities import CALENDAR, EXACT_CALENDAR, Quantity
from liane.fhir.fhirpath.temporal import Moment

CONTEXT = Context(prec=38, rounding=ROUND_HALF_EVEN, Emin=-400, Emax=400)
"""Decimals hold 38 digits; a result beyond 400 digits is refused."""
LIMIT_INTEGER = 10**38
_NUMBERS = (int, Decimal)

Calculation = Callable[[Any, Any], Any]


def negative(value: Any) -> Any:
    """`value` with the other sign."""
    if type(value) is Quantity:
        return Quantity(value.value.copy_negate(), value.unit, value.calendar)
    if type(value) is Decimal:
        return value.copy_negate() if value else value
    return -value


def kept(value: Any) -> Any:
    """A number, unless it is larger than FHIRPath numbers may be here; then nothing."""
    if type(value) is int and abs(value) > LIMIT_INTEGER:
        return None
    return value


def _mismatch(sign: str, left: Any, right: Any) -> Wrong:
    here, there = type_name(left)[1], type_name(right)[1]
    return Wrong(
        f"« {sign} » entre {here} et {there} n’a pas de sens",
        f"'{sign}' between {here} and {there} has no meaning",
    )


def _both_numbers(left: Any, right: Any) -> bool:
    return type(left) in _NUMBERS and type(right) in _NUMBERS


def _exact(sign: str, one: Any, other: Any) -> Any:
    try:
        match sign:
            case "+":
                return kept(one + other if _integers(one, other) else CONTEXT.add(one, other))
            case "-":
                return kept(one - other if _integers(one, other) else CONTEXT.subtract(one, other))
            case _:
                return kept(one * other if _integers(one, other) else CONTEXT.multiply(one, other))
    except DecimalException:
        return None


def _integers(one: Any, other: Any) -> bool:
    return type(one) is int and type(other) is int


def _plus(left: Any, right: Any) -> Any:
    if _both_numbers(left, right):
        return _exact("+", left, right)
    if type(left) is str and type(right) is str:
        return left + right
    if type(left) is Moment and type(right) is Quantity:
        return moved(left, right, 1)
    if type(left) is Quantity and type(right) is Quantity:
        return _sum(left, right, 1)
    raise _mismatch("+", left, right)


def _minus(left: Any, right: Any) -> Any:
    if _both_numbers(left, right):
        return _exact("-", left, right)
    if type(left) is Moment and type(right) is Quantity:
        return moved(left, right, -1)
    if type(left) is Quantity and type(right) is Quantity:
        return _sum(left, right, -1)
    raise _mismatch("-", left, right)


def _sum(left: Quantity, right: Quantity, sign: int) -> Quantity | None:
    if left.unit == right.unit:
        return Quantity(left.value + sign * right.value, left.unit, left.calendar)
    pair = quantities.aligned(left, right)
    unit = quantities.aligned(Quantity(Decimal(1), left.unit, left.calendar), left)
    if pair is None or unit is None or unit[0] == 0:
        return None
    return Quantity((pair[0] + sign * pair[1]) / unit[0], left.unit, left.calendar)


def moved(value: Moment, by: Quantity, sign: int) -> Moment:
    """A date moved by a calendar amount; UCUM months and years have no calendar meaning."""
    word = by.word if by.calendar else EXACT_CALENDAR.get(by.unit) or CALENDAR.get(by.unit)
    if word is None:
        raise Wrong(
            f"« {by.unit} » ne s’ajoute pas à une date", f"'{by.unit}' cannot be added to a date"
        )
    return temporal.plus(value, sign * by.value, word)


def _times(left: Any, right: Any) -> Any:
    if _both_numbers(left, right):
        return _exact("*", left, right)
    one, other = _quantity(left), _quantity(right)
    if one is None or other is None:
        raise _mismatch("*", left, right)
    return quantities.times(one, other)


def _over(left: Any, right: Any) -> Any:
    if _both_numbers(left, right):
        return divided(left, right)
    one, other = _quantity(left), _quantity(right)
    if one is None or other is None:
        raise _mismatch("/", left, right)
    return quantities.over(one, other)


def _quantity(value: Any) -> Quantity | None:
    if type(value) is Quantity:
        return value
    return Quantity(Decimal(value)) if type(value) in _NUMBERS else None


def divided(left: Any, right: Any) -> Decimal | None:
    """The quotient to 28 digits; None when the divisor is zero."""
    if right == 0:
        return None
    try:
        return CONTEXT.divide(Decimal(left), Decimal(right))
    except DecimalException:
        return None


def _whole(left: Any, right: Any) -> Any:
    if not _both_numbers(left, right):
        raise _mismatch("div", left, right)
    if right == 0:
        return None
    if _integers(left, right):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    try:
        return int(CONTEXT.divide_int(Decimal(left), Decimal(right)))
    except DecimalException:
        return None


def _rest(left: Any, right: Any) -> Any:
    if not _both_numbers(left, right):
        raise _mismatch("mod", left, right)
    if right == 0:
        return None
    if _integers(left, right):
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    try:
        return CONTEXT.remainder(Decimal(left), Decimal(right))
    except DecimalException:
        return None


CALCULATIONS: MappingProxyType[str, Calculation] = MappingProxyType(
    {"+": _plus, "-": _minus, "*": _times, "/": _over, "div": _whole, "mod": _rest}
)
