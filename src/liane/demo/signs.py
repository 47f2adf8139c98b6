"""What do the nurse's hand and the monitor read on this patient, at this hour?

Vital signs with their LOINC codes, and the early warning score (NEWS2) that they add up to: every
score of the demonstration is computed from the values beside it.
"""

from __future__ import annotations

from typing import NamedTuple

from liane.demo.chance import fraction, sway
from liane.demo.course import delayed_illness, story_of
from liane.demo.people import Person
from liane.demo.tables import table


class Signs(NamedTuple):
    """One round of vital signs."""

    respiratory_rate: int
    spo2: int
    oxygen: float
    temperature: float
    systolic: int
    diastolic: int
    heart_rate: int
    consciousness: str


USUAL = {
    "heart_rate": 74.0,
    "respiratory_rate": 15.5,
    "spo2": 97.2,
    "temperature": 36.8,
    "systolic": 126.0,
}
SPREAD = {
    "heart_rate": 8.0,
    "respiratory_rate": 1.2,
    "spo2": 0.7,
    "temperature": 0.18,
    "systolic": 12.0,
}
SWAY = {
    "heart_rate": 3.5,
    "respiratory_rate": 0.9,
    "spo2": 0.6,
    "temperature": 0.15,
    "systolic": 5.0,
}


def signs_at(person: Person, story: str, hours: float) -> Signs:
    """The vital signs `hours` after the arrival (before, while and after the first loading)."""
    written = _written(person, hours)
    if written is not None:
        return written
    age_years = 5 if person.height_cm < 130 else 60
    heart = _sign(person, story, "heart_rate", hours) + (35 if age_years < 15 else 0)
    breath = _sign(person, story, "respiratory_rate", hours) + (9 if age_years < 15 else 0)
    oxygen = _oxygen(person, story, hours)
    spo2 = _sign(person, story, "spo2", hours) + min(4.0, oxygen * 1.1)
    systolic = _sign(person, story, "systolic", hours) - (25 if age_years < 15 else 0)
    return Signs(
        respiratory_rate=round(max(8, breath)),
        spo2=round(max(82, min(100, spo2 - (6 if "spo2-echelle-2" in person.flags else 0)))),
        oxygen=oxygen,
        temperature=round(_sign(person, story, "temperature", hours), 1),
        systolic=round(max(62, systolic)),
        diastolic=round(max(38, systolic * 0.42 + 24 + sway(hours, 3, "dia", person.number) * 3)),
        heart_rate=round(max(42, heart)),
        consciousness="A",
    )


def _sign(person: Person, story: str, key: str, hours: float) -> float:
    usual = USUAL[key] + SPREAD[key] * 2 * (fraction("sign", person.number, key) - 0.5)
    gain = story_of(story).get("signs", {}).get(key, 0.0)
    lag = 6.0 if key == "temperature" else 2.0
    daily = sway(hours, 5, "sign", person.number, key) * SWAY[key]
    return float(usual + gain * delayed_illness(story, hours, lag) + daily)


def _oxygen(person: Person, story: str, hours: float) -> float:
    full = story_of(story).get("oxygen", 0) * (0.7 + 0.6 * fraction("o2", person.number))
    need = full * delayed_illness(story, hours, 3)
    return 0.0 if need < 0.5 else float(round(need)) or 0.5


def _written(person: Person, hours: float) -> Signs | None:
    if person.stay is None or person.stay.unit.code != "2101":
        return None
    rows = [[person.stay.hours, *table("ward_2101")["bed"][person.number]["last"]]]
    if person.stay.bed.label == "312-1":
        rows = table("dubreuil")["signs"]
    for hour, breath, spo2, oxygen, temperature, systolic, heart, mind in rows:
        if abs(hour - hours) < 0.26:
            diastolic = round(systolic * 0.42 + 14)
            return Signs(breath, spo2, float(oxygen), temperature, systolic, diastolic, heart, mind)
    return None


def news2(signs: Signs, *, scale_2: bool = False) -> int:
    """The National Early Warning Score 2 of the Royal College of Physicians (2017)."""
    return (
        _band(signs.respiratory_rate, ((8, 3), (11, 1), (20, 0), (24, 2)), 3)
        + (_scale_2(signs) if scale_2 else _band(signs.spo2, ((91, 3), (93, 2), (95, 1)), 0))
        + (2 if signs.oxygen else 0)
        + _band(signs.temperature, ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1)), 2)
        + _band(signs.systolic, ((90, 3), (100, 2), (110, 1), (219, 0)), 3)
        + _band(signs.heart_rate, ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2)), 3)
        + (0 if signs.consciousness == "A" else 3)
    )


def _scale_2(signs: Signs) -> int:
    if signs.spo2 >= 93 and not signs.oxygen:
        return 0
    return _band(signs.spo2, ((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2)), 3)


def _band(value: float, bands: tuple[tuple[float, int], ...], above: int) -> int:
    """The points of the first band that reaches up to `value`."""
    return next((points for limit, points in bands if value <= limit), above)
