"""How unwell do this patient's vital signs say the patient is (NEWS2)?

The table is that of the National Early Warning Score 2, Royal College of Physicians, London, 2017.
Values are rounded once, half up, to the step the table is written in (a tenth of a degree, whole
numbers elsewhere) before they are compared. A missing sign is never assumed normal: the total is
then a lower bound. Scale 2 for oxygen saturation is a prescriber's decision and never inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Literal

Band = Literal["unknown", "none", "low", "low_medium", "medium", "high"]
Scale = Literal[1, 2]

PARAMETERS = (
    "respiration",
    "saturation",
    "oxygen",
    "systolic",
    "pulse",
    "consciousness",
    "temperature",
)

_WHOLE = Decimal(1)
_TENTH = Decimal("0.1")

# Each row: the highest value of the step and its points; the last row has no upper limit.
_RESPIRATION = ((8, 3), (11, 1), (20, 0), (24, 2), (None, 3))
_SATURATION_1 = ((91, 3), (93, 2), (95, 1), (None, 0))
_SATURATION_2_AIR = ((83, 3), (85, 2), (87, 1), (None, 0))
_SATURATION_2_OXYGEN = ((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (None, 3))
_SYSTOLIC = ((90, 3), (100, 2), (110, 1), (219, 0), (None, 3))
_PULSE = ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (None, 3))
_TEMPERATURE = (("35.0", 3), ("36.0", 1), ("38.0", 0), ("39.0", 1), (None, 2))

_Steps = tuple[tuple[int | str | None, int], ...]


@dataclass(frozen=True, slots=True)
class Signs:
    """The seven signs as charted; None where nothing valid is charted."""

    respiration: Decimal | None = None
    """Breaths per minute."""
    saturation: Decimal | None = None
    """SpO2 in per cent."""
    oxygen: bool | None = None
    """True on oxygen, False on air, None when not charted."""
    systolic: Decimal | None = None
    """mmHg."""
    pulse: Decimal | None = None
    """Beats per minute."""
    consciousness: str | None = None
    """A, C (new confusion), V, P or U."""
    temperature: Decimal | None = None
    """Degrees Celsius."""


@dataclass(frozen=True, slots=True)
class News:
    """A score, or the lower bound of one."""

    total: int
    points: Mapping[str, int]
    """Points of each sign that was charted."""
    missing: tuple[str, ...]
    band: Band
    scale: Scale = 1
    """The scale of oxygen saturation that was used."""

    @property
    def complete(self) -> bool:
        """Whether all seven signs were charted."""
        return not self.missing


_TABLE: Mapping[str, tuple[_Steps, Decimal]] = {
    "respiration": (_RESPIRATION, _WHOLE),
    "saturation": (_SATURATION_1, _WHOLE),
    "saturation 2 on air": (_SATURATION_2_AIR, _WHOLE),
    "saturation 2 on oxygen": (_SATURATION_2_OXYGEN, _WHOLE),
    "systolic": (_SYSTOLIC, _WHOLE),
    "pulse": (_PULSE, _WHOLE),
    "temperature": (_TEMPERATURE, _TENTH),
}
MEASURED = frozenset(name for name in _TABLE if " " not in name)


@lru_cache(maxsize=8192)
def points_of(row: str, value: Decimal) -> int:
    """The points of one measured value on one row of the table (scale 1 for `saturation`)."""
    steps, step = _TABLE[row]
    rounded = value.quantize(step, rounding=ROUND_HALF_UP)
    for highest, points in steps:
        if highest is None or rounded <= Decimal(highest):
            return points
    raise AssertionError("the last step has no upper limit")


def _points(row: str, value: Decimal | None) -> int | None:
    return None if value is None else points_of(row, value)


def _saturation(signs: Signs, scale: Scale) -> int | None:
    if scale == 1:
        return _points("saturation", signs.saturation)
    if signs.saturation is not None and signs.oxygen is None and signs.saturation > 92:
        return None  # above 92 the second scale cannot be read without knowing air or oxygen
    air = "oxygen" if signs.oxygen else "air"
    return _points(f"saturation 2 on {air}", signs.saturation)


def score(signs: Signs, scale: Scale = 1) -> News:
    """The score of these signs; see the module for the source and the rounding."""
    given: dict[str, int | None] = {
        "respiration": _points("respiration", signs.respiration),
        "saturation": _saturation(signs, scale),
        "oxygen": None if signs.oxygen is None else 2 * signs.oxygen,
        "systolic": _points("systolic", signs.systolic),
        "pulse": _points("pulse", signs.pulse),
        "consciousness": _consciousness(signs.consciousness),
        "temperature": _points("temperature", signs.temperature),
    }
    points = {name: value for name, value in given.items() if value is not None}
    missing = tuple(name for name in PARAMETERS if name not in points)
    total = sum(points.values())
    return News(total, points, missing, _band(total, points, missing), scale)


def _consciousness(letter: str | None) -> int | None:
    if letter is None:
        return None
    if letter not in ("A", "C", "V", "P", "U"):
        raise ValueError(f"not a letter of ACVPU: {letter}")
    return 0 if letter == "A" else 3


def _band(total: int, points: Mapping[str, int], missing: tuple[str, ...]) -> Band:
    if total >= 7:
        return "high"
    if total >= 5:
        return "medium"
    if any(value == 3 for value in points.values()):
        return "low_medium"
    if total:
        return "low"
    return "unknown" if missing else "none"
