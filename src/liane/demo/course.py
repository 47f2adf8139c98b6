"""How does an illness move a patient's blood and vital signs, hour after hour?

A story has a course: how ill the patient is (0 to 1) at each hour of the stay. Each analysis and
each vital sign has a usual value of this person, plus what full illness adds, times how ill the
patient was some hours before (its lag: CRP follows fever by most of a day), plus a slow sway.
Everything depends on the person and the hour only, so that the simulator can go on where the
first loading stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from liane.demo.chance import chance, fraction, sway
from liane.demo.people import Person
from liane.demo.tables import table

LAG_POINTS = (0.15, 0.4, 0.7, 1.1, 1.8)
SKEWED = {"crp", "troponin", "ntprobnp", "lipase", "asat", "alat", "bilirubin"}
FLOORS = {
    "crp": 0.6,
    "leukocytes": 0.1,
    "neutrophils": 0.0,
    "platelets": 6.0,
    "hemoglobin": 5.2,
    "lactate": 0.4,
    "troponin": 2.0,
    "albumin": 14.0,
    "pt": 12.0,
    "inr": 0.9,
}


@dataclass(frozen=True, slots=True)
class Analyte:
    """An analysis of the laboratory."""

    key: str
    loinc: str
    local: str
    label: str
    ucum: str
    unit: str
    decimals: int
    method: str
    low: float
    high: float
    critical_low: float
    critical_high: float

    def flag(self, value: float) -> str:
        """The HL7 flag (table 0078): N, L, H, LL or HH."""
        if value <= self.critical_low:
            return "LL"
        if value >= self.critical_high:
            return "HH"
        return "L" if value < self.low else "H" if value > self.high else "N"

    def written(self, value: float) -> str:
        """The value as the laboratory writes it, with its own number of decimals."""
        return f"{value:.{self.decimals}f}"


@cache
def analyte(key: str, sex: str) -> Analyte:
    """The analysis `key`, with the range that holds for `sex`."""
    row = table("analytes")[key]
    low, high = row.get(f"range_{sex}", row["range"])
    return Analyte(
        key=key,
        loinc=row["loinc"],
        local=row["local"],
        label=row["label"],
        ucum=row["ucum"],
        unit=row["unit"],
        decimals=row["decimals"],
        method=row.get("method", ""),
        low=low,
        high=high,
        critical_low=row["critical"][0],
        critical_high=row["critical"][1],
    )


def story_of(key: str) -> dict[str, Any]:
    """The story `key` of `data/stories.toml`."""
    story: dict[str, Any] = table("stories")["story"][key]
    return story


def illness(story: str, hours: float) -> float:
    """How ill, from 0 to 1, `hours` after the arrival; before it, as at arrival."""
    points = table("stories")["courses"][story_of(story)["course"]]
    if hours <= points[0][0]:
        return float(points[0][1])
    for (start, before), (end, after) in pairwise(points):
        if hours <= end:
            return float(before + (after - before) * (hours - start) / (end - start))
    return float(points[-1][1])


def delayed_illness(story: str, hours: float, lag_hours: float) -> float:
    """The illness as an analysis sees it that follows with a lag."""
    total = sum(illness(story, hours - lag_hours * share) for share in LAG_POINTS)
    return total / len(LAG_POINTS)


def laboratory_value(person: Person, story: str, key: str, hours: float) -> float:
    """The value of an analysis at an hour of the stay, before rounding."""
    written = _written_value(person, key, hours)
    if written is not None:
        return written
    if key == "hematocrit":
        packed = 2.95 + 0.1 * fraction("packed", person.number)
        return laboratory_value(person, story, "hemoglobin", hours) * packed
    if key == "neutrophils":
        return laboratory_value(person, story, "leukocytes", hours) * _neutrophil_share(
            person, story, hours
        )
    row = table("analytes")[key]
    gain = story_of(story).get("gains", {}).get(key, 0.0)
    severity = 0.75 + 0.5 * fraction("severity", person.number, story)
    level = delayed_illness(story, hours, row["lag"]) * severity
    usual = usual_value(person, key) + story_of(story).get("shift", {}).get(key, 0.0)
    swing = sway(hours, 18, "noise", person.number, key) * row["noise"]
    value = (usual + gain * level) * (1 + swing * (1.6 if key in SKEWED else 1))
    return float(max(FLOORS.get(key, 0.0), value))


def _neutrophil_share(person: Person, story: str, hours: float) -> float:
    """Which part of the white cells they are: more in bacterial illness, less in aplasia."""
    gain = story_of(story).get("gains", {}).get("leukocytes", 0.0)
    shift = 0.26 if gain > 2 else -0.28 if gain < -3 else 0.04
    level = delayed_illness(story, hours, 5)
    return 0.55 + 0.1 * fraction("neutrophils", person.number) + shift * level


def usual_value(person: Person, key: str) -> float:
    """What this person's value is in good health, long-standing illnesses included."""
    row = table("analytes")[key]
    draw = chance("usual", person.number, key)
    value = row["base"] + row["spread"] * max(-1.8, min(1.8, draw.gauss(0, 1)))
    if key == "hemoglobin" and person.sex == "M":
        value += 1.1
    if key == "creatinine" and person.sex == "F":
        value -= 13
    shifts = (table("backgrounds")[name].get("shift", {}) for name in person.background)
    return float(max(value * 0.5, value + sum(shift.get(key, 0.0) for shift in shifts)))


def _written_value(person: Person, key: str, hours: float) -> float | None:
    """The values of the stays that are written by hand, where they say something."""
    if person.stay is None or person.stay.unit.code != "2101":
        return None
    if person.stay.bed.label == "312-1":
        labs = table("dubreuil")["labs"]
        if key in labs:
            gaps = [abs(hour - hours) for hour in labs["hours"]]
            return float(labs[key][gaps.index(min(gaps))]) if min(gaps) < 1 else None
    row = table("ward_2101")["bed"][person.number]
    close = person.stay.hours - hours < 12
    return float(row["potassium"]) if key == "potassium" and close and key in row else None
