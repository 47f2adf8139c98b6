"""Which amounts are equal although they are written in different units? (UCUM)

A unit becomes a factor and a canonical unit made of base units, so that 0.5 g and 500 mg are the
same number of the same unit. A mole, an arbitrary unit and a count of things each stay a base of
their own, because no factor leads from one to the other in a laboratory. What is not understood is
None: such a unit is compared as text.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

SYSTEM = "http://unitsofmeasure.org"
LONGEST = 60

_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
# Metric atoms: they take prefixes. Factor and dimensions in m, s, g, K, C, cd, rad, mol.
_METRIC: dict[str, tuple[str, str]] = {
    "m": ("1", "m"), "s": ("1", "s"), "g": ("1", "g"), "K": ("1", "K"), "C": ("1", "C"),
    "cd": ("1", "cd"), "rad": ("1", "rad"), "mol": ("1", "mol"), "sr": ("1", "rad2"),
    "L": ("1/1000", "m3"), "l": ("1/1000", "m3"), "ar": ("100", "m2"), "t": ("1000000", "g"),
    "Hz": ("1", "s-1"), "N": ("1000", "g.m.s-2"), "Pa": ("1000", "g.m-1.s-2"),
    "J": ("1000", "g.m2.s-2"), "W": ("1000", "g.m2.s-3"), "A": ("1", "C.s-1"),
    "V": ("1000", "g.m2.s-2.C-1"), "F": ("1/1000", "g-1.m-2.s2.C2"),
    "Ohm": ("1000", "g.m2.s-1.C-2"), "S": ("1/1000", "g-1.m-2.s.C2"), "Bq": ("1", "s-1"),
    "Gy": ("1", "m2.s-2"), "Sv": ("1", "m2.s-2"), "T": ("1000", "g.s-1.C-1"),
    "lm": ("1", "cd.rad2"), "lx": ("1", "cd.rad2.m-2"), "bar": ("100000000", "g.m-1.s-2"),
    "eq": ("1", "mol"), "osm": ("1", "mol"), "kat": ("1", "mol.s-1"),
    "U": ("1/60000000", "mol.s-1"), "cal": ("4184", "g.m2.s-2"),
    "m[Hg]": ("133322000", "g.m-1.s-2"),
    "m[H2O]": ("9806650", "g.m-1.s-2"), "Ci": ("37000000000", "s-1"), "dyn": ("1/100", "g.m.s-2"),
    "erg": ("1/10000", "g.m2.s-2"), "G": ("1/10", "g.s-1.C-1"), "P": ("100", "g.m-1.s-1"),
    "St": ("1/10000", "m2.s-1"), "[iU]": ("1", "[iU]"), "[IU]": ("1", "[iU]"),
    "u": ("1.66053906660e-24", "g"), "eV": ("1.602176634e-16", "g.m2.s-2"),
}  # fmt: skip
_PLAIN: dict[str, tuple[str, str]] = {
    "min": ("60", "s"), "h": ("3600", "s"), "d": ("86400", "s"), "wk": ("604800", "s"),
    "a": ("31557600", "s"), "a_j": ("31557600", "s"), "mo": ("2629800", "s"),
    "mo_j": ("2629800", "s"), "%": ("1/100", ""), "[ppth]": ("1/1000", ""),
    "[ppm]": ("1/1000000", ""), "[ppb]": ("1/1000000000", ""), "10*": ("10", ""), "10^": ("10", ""),
    "[pi]": ("3.14159265358979323846", ""), "deg": ("0.01745329251994329577", "rad"),
    "'": ("0.00029088820866572160", "rad"), "''": ("0.00000484813681109536", "rad"),
    "[in_i]": ("0.0254", "m"), "[ft_i]": ("0.3048", "m"), "[yd_i]": ("0.9144", "m"),
    "[mi_i]": ("1609.344", "m"), "[sft_i]": ("0.09290304", "m2"), "[sin_i]": ("0.00064516", "m2"),
    "[lb_av]": ("453.59237", "g"), "[oz_av]": ("28.349523125", "g"), "[gr]": ("0.06479891", "g"),
    "[stone_av]": ("6350.29318", "g"), "[foz_us]": ("0.0000295735295625", "m3"),
    "[pt_us]": ("0.000473176473", "m3"), "[qt_us]": ("0.000946352946", "m3"),
    "[gal_us]": ("0.003785411784", "m3"), "[cup_us]": ("0.0002365882365", "m3"),
    "[tsp_us]": ("0.00000492892159375", "m3"), "[tbs_us]": ("0.00001478676478125", "m3"),
    "[psi]": ("6894757.293168", "g.m-1.s-2"), "atm": ("101325000", "g.m-1.s-2"),
    "[Cal]": ("4184000", "g.m2.s-2"), "[HP]": ("745699.87158", "g.m2.s-3"), "[drp]": ("5e-8", "m3"),
    "[diop]": ("1", "m-1"), "[car_m]": ("1/5", "g"),
}  # fmt: skip
_OWN_BASE = re.compile(r"\[[A-Za-z'_]+\]")
_TERM = re.compile(
    r"(?P<number>[1-9]\d{0,8})(?![\d*^])|(?P<atom>(?:10[*^]|%|'{1,2}|(?:[A-Za-z]*\[[^\[\]{}]{1,24}\])|[A-Za-z_]+))(?P<power>[+-]?\d{1,2})?"
    r"|(?P<note>\{[^{}]{0,40}\})|(?P<sign>[./()])"
)
_PART = re.compile(r"([A-Za-z]+|\[[^\]]+\])(-?\d+)?")

Dimensions = dict[str, int]


class Unit(NamedTuple):
    """`value * numerator / denominator + offset` is the amount in the canonical unit `base`."""

    numerator: Decimal
    denominator: Decimal
    offset: Decimal
    base: str

    def of(self, value: Decimal) -> Decimal:
        """The same amount in the canonical unit."""
        return value * self.numerator / self.denominator + self.offset


@lru_cache(maxsize=8192)
def unit(code: str) -> Unit | None:
    """What the code means in base units; None when it is no UCUM unit that we know."""
    if len(code) > LONGEST:
        return None
    if code == "Cel":
        return Unit(Decimal(1), Decimal(1), Decimal("273.15"), "K")
    if code == "[degF]":
        return Unit(Decimal(5), Decimal(9), Decimal("255.372222222222222222"), "K")
    try:
        factor, dimensions = _Reading(code).whole()
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    base = ".".join(
        f"{name}{power if power != 1 else ''}"
        for name, power in sorted(dimensions.items())
        if power
    )
    return Unit(Decimal(factor.numerator), Decimal(factor.denominator), Decimal(0), base or "1")


class _Reading:
    """One code, read from left to right; a slash divides by what follows it."""

    def __init__(self, code: str) -> None:
        self.words: list[re.Match[str]] = []
        position = 0
        while position < len(code):
            match = _TERM.match(code, position)
            if match is None:
                raise ValueError(code)
            self.words.append(match)
            position = match.end()
        self.next = 0

    def whole(self) -> tuple[Fraction, Dimensions]:
        if not self.words:
            raise ValueError("empty")
        found = self._term()
        if self.next != len(self.words):
            raise ValueError("something follows")
        return found

    def _sign(self) -> str | None:
        return self.words[self.next]["sign"] if self.next < len(self.words) else None

    def _term(self) -> tuple[Fraction, Dimensions]:
        total, dimensions = Fraction(1), dict[str, int]()
        way = 1
        if self._sign() == "/":
            self.next, way = self.next + 1, -1
        while True:
            factor, own = self._factor()
            total *= factor**way
            for name, power in own.items():
                dimensions[name] = dimensions.get(name, 0) + way * power
            sign = self._sign()
            if sign not in (".", "/"):
                return total, dimensions
            self.next += 1
            way = 1 if sign == "." else -1

    def _factor(self) -> tuple[Fraction, Dimensions]:
        if self.next >= len(self.words):
            raise ValueError("ends too early")
        word = self.words[self.next]
        self.next += 1
        if word["sign"] == "(":
            found = self._term()
            if self._sign() != ")":
                raise ValueError("a bracket stays open")
            self.next += 1
            return found
        if word["number"]:
            found = Fraction(int(word["number"])), {}
        elif word["note"]:
            return Fraction(1), {}
        elif word["atom"]:
            found = _powered(word["atom"], int(word["power"] or 1))
        else:
            raise ValueError("a sign stands where a unit is expected")
        if self.next < len(self.words) and self.words[self.next]["note"]:
            self.next += 1
        return found


def _powered(atom: str, power: int) -> tuple[Fraction, Dimensions]:
    factor, dimensions = _atom(atom)
    return factor**power, {name: own * power for name, own in dimensions.items()}


def _atom(text: str) -> tuple[Fraction, Dimensions]:
    known = _PLAIN.get(text) or _METRIC.get(text)
    if known is not None:
        return Fraction(known[0]), _dimensions(known[1])
    for length in (2, 1):
        prefix, rest = text[:length], text[length:]
        if prefix in _PREFIXES and rest in _METRIC:
            factor, dimensions = _METRIC[rest]
            return Fraction(10) ** _PREFIXES[prefix] * Fraction(factor), _dimensions(dimensions)
    if _OWN_BASE.fullmatch(text):
        return Fraction(1), {text: 1}
    raise ValueError(text)


def _dimensions(text: str) -> Dimensions:
    found: Dimensions = {}
    for part in text.split(".") if text else ():
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(part)
        found[match[1]] = int(match[2] or 1)
    return found
