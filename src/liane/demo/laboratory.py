"""Which samples were taken from a patient, and what does the laboratory report say (ORU^R01)?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from liane.demo.adt import Move, pid, point_of_care
from liane.demo.chance import chance
from liane.demo.course import Analyte, analyte, laboratory_value, story_of
from liane.demo.group import Establishment
from liane.demo.hl7 import Sender, header, message, parts, segment, subparts, timestamp
from liane.demo.people import Person
from liane.demo.staff import staff
from liane.demo.tables import table

VERSION = "2.5"
LONG_STAY_HOURS = 1000.0
HAEMOLYSED = {"potassium", "glucose"}


@dataclass(frozen=True, slots=True)
class Result:
    """One value of a report, and the value it corrects, if it does."""

    analyte: Analyte
    value: str
    flag: str
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: the order, when it was taken and reported, and the values by panel."""

    order: str
    person: Person
    move: Move
    taken: datetime
    reported: datetime
    panels: tuple[tuple[str, tuple[Result, ...]], ...]
    corrected: bool = False
    comment: str = ""


def laboratory(home: Establishment) -> Sender:
    """The laboratory application of an establishment."""
    return Sender("SIL", home.short)


def sampling_hours(person: Person) -> list[float]:
    """The hours of the stay at which blood was taken, up to the reference instant."""
    stay = person.stay
    if stay is None:
        return []
    if stay.bed.label == "312-1" and stay.unit.code == "2101":
        return [float(hour) for hour in table("dubreuil")["labs"]["hours"]]
    if stay.hours > LONG_STAY_HOURS:
        return [stay.hours - 30 * 24 * 3, stay.hours - 50]
    every = 12.0 if stay.unit.monitored else 24.0
    limit = 9 if stay.unit.code == "2101" else 3
    draw = chance("samples", person.number)
    hours = [0.7 + draw.random()]
    while hours[-1] + every * 0.8 < stay.hours:
        hours.append(hours[-1] + every * draw.uniform(0.85, 1.1))
    return [hour for hour in hours if hour < stay.hours - 0.4][-limit:]


def sample_at(
    person: Person,
    move: Move,
    story: str,
    hours: float,
    order: str,
    *,
    taken: datetime | None = None,
) -> Sample:
    """The sample taken `hours` after the arrival, with every panel the story asks for.

    `taken` is when it was drawn, if that is not simply so many hours after the admission.
    """
    taken = taken or move.admitted + timedelta(hours=hours)
    delay = chance("delay", order).uniform(35, 70)
    panels = tuple(
        (panel, tuple(_result(person, story, key, hours) for key in row["analytes"]))
        for panel, row in table("panels").items()
        if panel in story_of(story)["labs"]
    )
    return Sample(order, person, move, taken, taken + timedelta(minutes=delay), panels)


def correctable(sample: Sample) -> bool:
    """Whether it holds a value that a haemolysed sample makes wrong."""
    keys = {one.analyte.key for _, results in sample.panels for one in results}
    return bool(keys & HAEMOLYSED)


def correction_of(sample: Sample, at: datetime) -> Sample:
    """The same report with one value put right: the sample was haemolysed, potassium is lower."""
    panels = []
    for panel, results in sample.panels:
        fixed = tuple(_corrected(one) if one.analyte.key in HAEMOLYSED else one for one in results)
        panels.append((panel, fixed))
    return replace(
        sample,
        reported=at,
        panels=tuple(panels),
        corrected=True,
        comment="Résultat corrigé : premier échantillon hémolysé, dosage refait.",
    )


def report_message(sample: Sample, control_id: str) -> bytes:
    """The ORU^R01 of a sample: one OBR per panel, one OBX per value."""
    home = sample.move.unit.establishment
    lines = [
        header(laboratory(home), "ORU^R01^ORU_R01", control_id, sample.reported, version=VERSION),
        pid(sample.person, home, sample.taken),
        visit(sample.move),
        segment("ORC", {1: "SC", 2: sample.order, 3: sample.order, 5: "CM"}),
    ]
    for index, (panel, results) in enumerate(sample.panels, 1):
        if sample.corrected and not any(one.corrected for one in results):
            continue
        lines.append(_obr(sample, index, panel))
        lines += [_obx(sample, number, one) for number, one in enumerate(results, 1)]
        if sample.corrected:
            lines.append(segment("NTE", {1: "1", 2: "L", 3: sample.comment}))
    return message(*lines)


def text_message(sample: Sample, loinc: tuple[str, str], text: str, control_id: str) -> bytes:
    """A report in words (microbiology): its first line of alarm as a text OBX."""
    home = sample.move.unit.establishment
    obr = _obr(replace(sample, order=f"{sample.order}M"), 1, "nfs", loinc, "MB")
    obx = {
        1: "1",
        2: "TX",
        3: parts(*loinc, "LN"),
        5: text,
        8: "A",
        11: "P",
        14: timestamp(sample.taken),
        15: parts(home.short),
    }
    return message(
        header(laboratory(home), "ORU^R01^ORU_R01", control_id, sample.reported, version=VERSION),
        pid(sample.person, home, sample.taken),
        visit(sample.move),
        segment("ORC", {1: "SC", 2: f"{sample.order}M", 3: f"{sample.order}M", 5: "A"}),
        obr,
        segment("OBX", obx),
    )


def visit(move: Move) -> str:
    """The short PV1 of a result or a letter: class, place, venue."""
    home = move.unit.establishment
    authority = subparts(home.short, home.venue_oid, "ISO")
    return segment(
        "PV1",
        {
            1: "1",
            2: move.encounter_class,
            3: point_of_care(move.unit, move.bed),
            19: parts(move.venue, None, None, authority, "VN"),
        },
    )


def _result(person: Person, story: str, key: str, hours: float) -> Result:
    what = analyte(key, person.sex)
    written = what.written(laboratory_value(person, story, key, hours))
    return Result(what, written, what.flag(float(written)))


def _corrected(result: Result) -> Result:
    value = float(result.value) - (1.1 if result.analyte.key == "potassium" else -0.9)
    written = result.analyte.written(value)
    return replace(result, value=written, flag=result.analyte.flag(float(written)), corrected=True)


def _obr(
    sample: Sample,
    index: int,
    panel: str,
    loinc: tuple[str, str] | None = None,
    section: str = "CH",
) -> str:
    row = table("panels")[panel]
    code = parts(*(loinc or (row["loinc"], row["label"])), "LN")
    biologist = next(one for one in staff() if one.role == "biologiste")
    return segment(
        "OBR",
        {
            1: str(index),
            2: sample.order,
            3: sample.order,
            4: code,
            7: timestamp(sample.taken),
            14: timestamp(sample.taken + timedelta(minutes=12)),
            22: timestamp(sample.reported),
            24: section,
            25: "C" if sample.corrected else "F" if section == "CH" else "P",
            32: subparts(biologist.rpps, biologist.family, biologist.given),
        },
    )


def _obx(sample: Sample, number: int, result: Result) -> str:
    what = result.analyte
    low = "" if what.low == 0 else f"{what.low:.{what.decimals}f}"
    high = f"{what.high:.{what.decimals}f}"
    fields: dict[int, object] = {
        1: str(number),
        2: "NM",
        3: parts(what.loinc, what.label, "LN", what.local, what.label, "L"),
        5: result.value,
        6: parts(what.ucum, what.unit, "UCUM"),
        7: f"{low}-{high}" if low else f"<{high}",
        8: result.flag,
        11: "C" if result.corrected else "F",
        14: timestamp(sample.taken),
        15: parts(sample.move.unit.establishment.short),
        19: timestamp(sample.reported),
    }
    if what.method:
        fields[17] = parts(what.key.upper(), what.method, "L")
    return segment("OBX", fields)
