"""What do the functions over numbers answer? (FHIRPath N1, section 5.7)"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, DecimalException
from typing import Any

from liane.fhir.fhirpath.arithmetic import CONTEXT, kept
from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.functions.registry import Table, eager
from liane.fhir.fhirpath.functions.strings import integer_of
from liane.fhir.fhirpath.nodes import Items
from liane.fhir.fhirpath.quantities import Quantity
from liane.fhir.fhirpath.scope import Scope, single

TABLE: Table = {}
LIMIT_DIGITS = 28


def _number(items: Items) -> int | Decimal | None:
    value = single(items)
    if value is None or type(value) in (int, Decimal):
        return value  # type: ignore[no-any-return]
    raise Wrong("un nombre est attendu", "a number is expected")


def _mapped(items: Items, change: Callable[[Any], Any]) -> Items:
    """The number changed; the number of a quantity changed and its unit kept."""
    value = single(items)
    if type(value) is Quantity:
        return [Quantity(Decimal(change(value.value)), value.unit, value.calendar)]
    number = _number(items)
    return [] if number is None else [change(number)]


def _calculated(calculate: Callable[[], Any]) -> Items:
    try:
        value = kept(calculate())
    except (DecimalException, ValueError, OverflowError, ZeroDivisionError):
        return []
    if value is None or (type(value) is Decimal and not value.is_finite()):
        return []
    return [value]


@eager(TABLE, "abs")
def abs_(_scope: Scope, focus: Items) -> Items:
    """The number without its sign."""
    return _mapped(focus, lambda value: value.copy_abs() if type(value) is Decimal else abs(value))


def _to_integer(value: int | Decimal, rounding: str) -> int:
    return value if type(value) is int else int(Decimal(value).to_integral_value(rounding))


@eager(TABLE, "ceiling")
def ceiling(_scope: Scope, focus: Items) -> Items:
    """The next integer upwards."""
    return _mapped(focus, lambda value: _to_integer(value, ROUND_CEILING))


@eager(TABLE, "floor")
def floor(_scope: Scope, focus: Items) -> Items:
    """The next integer downwards."""
    return _mapped(focus, lambda value: _to_integer(value, ROUND_FLOOR))


@eager(TABLE, "truncate")
def truncate(_scope: Scope, focus: Items) -> Items:
    """The integer part."""
    return _mapped(focus, lambda value: _to_integer(value, ROUND_DOWN))


@eager(TABLE, "round", 0, 1)
def round_(_scope: Scope, focus: Items, digits: Items | None = None) -> Items:
    """The number with so many digits after the point, halves away from zero."""
    many = integer_of(digits) if digits else 0
    if many is None or not 0 <= many <= LIMIT_DIGITS:
        raise Wrong("round() : nombre de chiffres", "round(): number of digits")
    step = Decimal(1).scaleb(-many)
    try:
        return _mapped(
            focus,
            lambda value: (
                value
                if type(value) is int
                else Decimal(value).quantize(step, ROUND_HALF_UP, CONTEXT)
            ),
        )
    except DecimalException:
        return []


@eager(TABLE, "sqrt")
def sqrt(_scope: Scope, focus: Items) -> Items:
    """The square root; nothing for a negative number."""
    value = _number(focus)
    if value is None or value < 0:
        return []
    return _calculated(lambda: CONTEXT.sqrt(Decimal(value)))


@eager(TABLE, "exp")
def exp(_scope: Scope, focus: Items) -> Items:
    """The number e to that power."""
    value = _number(focus)
    if value is None or not -800 < value < 800:
        return []
    return _calculated(lambda: CONTEXT.exp(Decimal(value)))


@eager(TABLE, "ln")
def ln(_scope: Scope, focus: Items) -> Items:
    """The natural logarithm."""
    value = _number(focus)
    if value is None or value <= 0:
        return []
    return _calculated(lambda: CONTEXT.ln(Decimal(value)))


@eager(TABLE, "log", 1)
def log(_scope: Scope, focus: Items, base: Items) -> Items:
    """The logarithm to a base."""
    value, root = _number(focus), _number(base)
    if value is None or root is None or value <= 0 or root <= 0 or root == 1:
        return []
    exact = Decimal(str(round(math.log(value, root), 12)))
    return _calculated(lambda: exact)


@eager(TABLE, "power", 1)
def power(_scope: Scope, focus: Items, exponent: Items) -> Items:
    """The number to a power; nothing where there is no real answer."""
    value, times = _number(focus), _number(exponent)
    if value is None or times is None or not -1000 <= times <= 1000:
        return []
    if type(value) is int and type(times) is int and times >= 0:
        if abs(value) > 1 and times * math.log10(abs(value)) > 38:
            return []
        return _calculated(lambda: value**times)
    return _calculated(lambda: CONTEXT.power(Decimal(value), Decimal(times)))
