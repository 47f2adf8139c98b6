"""When are two quantities comparable, and which is the larger? (FHIRPath N1, Quantity)"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from liane.fhir import ucum

CALENDAR = {
    word: singular
    for singular in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
    for word in (singular, f"{singular}s")
}
"""The calendar words of FHIRPath, each with its singular."""
EXACT_CALENDAR = {
    "wk": "week",
    "d": "day",
    "h": "hour",
    "min": "minute",
    "s": "second",
    "ms": "millisecond",
}
"""UCUM codes that mean the same as a calendar word (a UCUM month or year does not)."""
_CODE_OF = {word: code for code, word in EXACT_CALENDAR.items()}
_TEXT = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(?:'([^']+)'|([a-zA-Z]+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit: a UCUM code, or a calendar word."""

    value: Decimal
    unit: str = "1"
    calendar: bool = False

    def __str__(self) -> str:
        return f"{self.value} {self.unit}" if self.calendar else f"{self.value} '{self.unit}'"

    @property
    def word(self) -> str | None:
        """The calendar word of the unit in the singular, if it has one."""
        return CALENDAR.get(self.unit) if self.calendar or self.unit in CALENDAR else None

    @property
    def code(self) -> str | None:
        """The UCUM code; None for a calendar year or month, which have no fixed length."""
        word = self.word
        return self.unit if word is None else _CODE_OF.get(word)


def quantity_of(text: str) -> Quantity | None:
    """The quantity in a string, or None (FHIRPath N1, toQuantity)."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        return None
    number, code, word = match.groups()
    if word is not None:
        return Quantity(Decimal(number), word, calendar=True) if word in CALENDAR else None
    return Quantity(Decimal(number), code or "1")


def aligned(left: Quantity, right: Quantity) -> tuple[Decimal, Decimal] | None:
    """Both values in one unit, or None when the units do not measure the same thing."""
    if left.unit == right.unit:
        return left.value, right.value
    words = left.word, right.word
    if words[0] is not None and words[0] == words[1]:
        return left.value, right.value
    if words in (("year", "month"), ("month", "year")):
        factors = [12 if word == "year" else 1 for word in words]
        return left.value * factors[0], right.value * factors[1]
    if left.code is None or right.code is None:
        return None
    one, other = ucum.unit(left.code), ucum.unit(right.code)
    if one is None or other is None or one.base != other.base:
        return None
    return one.of(left.value), other.of(right.value)


def times(left: Quantity, right: Quantity) -> Quantity | None:
    """The product, in the product of the units."""
    return _combined(left, right, left.value * right.value, ".")


def over(left: Quantity, right: Quantity) -> Quantity | None:
    """The quotient, or None for a division by zero."""
    if right.value == 0:
        return None
    if left.unit == right.unit:
        return Quantity(left.value / right.value)
    return _combined(left, right, left.value / right.value, "/")


def _combined(left: Quantity, right: Quantity, value: Decimal, sign: str) -> Quantity | None:
    if left.code is None or right.code is None:
        return None
    if right.code == "1":
        return Quantity(value, left.code)
    if left.code == "1" and sign == ".":
        return Quantity(value, right.code)
    return Quantity(value, f"{left.code}{sign}({right.code})")
