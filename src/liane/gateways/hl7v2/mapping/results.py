"""Which results does an ORU^R01 report, and what do they mean?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from liane.base.text import visible
from liane.gateways.hl7v2.codec import Message, Segment
from liane.gateways.hl7v2.mapping import values
from liane.gateways.hl7v2.mapping.datatypes import (
    LOINC,
    Source,
    concept,
    entity,
    fhir_datetime,
    fhir_instant,
    instant,
    professional,
    without_empty,
)
from liane.gateways.hl7v2.mapping.groups import Group, Result, groups, note_texts

Json = dict[str, Any]

OBX_KEY = "urn:liane:hl7v2:obx"
OBR_KEY = "urn:liane:hl7v2:obr"
ORDER_KEY = "urn:liane:hl7v2:order"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
SECTION = "http://terminology.hl7.org/CodeSystem/v2-0074"
TEXTS = frozenset({"TX", "FT", "ST", ""})
METADATA_SYSTEM = "MetaDMPMSS"
MAIL_SUBJECT = "XDM/1.0/DDM"
"""How the subject of an MSSanté mail begins; the line then carries the words of the mail."""
VITAL_SIGNS = frozenset(
    {
        "8867-4",
        "9279-1",
        "59408-5",
        "2708-6",
        "8310-5",
        "85354-9",
        "8480-6",
        "8462-4",
        "29463-7",
        "8302-2",
        "3151-8",
        "67775-7",
        "80288-4",
    }
)
_REPORT_STATUSES = {
    "F": "final",
    "C": "corrected",
    "P": "preliminary",
    "A": "partial",
    "R": "partial",
    "S": "registered",
    "I": "registered",
    "O": "registered",
    "X": "cancelled",
    "Y": "unknown",
    "Z": "unknown",
}
"""OBR-25 (HL7 table 0123) as FHIR diagnostic-report-status."""
_IMAGING = frozenset({"RAD", "RX", "RUS", "CT", "NMR", "MR", "CUS", "NMS", "OUS", "VUS", "IMG"})


@dataclass(slots=True)
class Report:
    """One DiagnosticReport, its Observations, and the lines that carry documents."""

    report: Json
    observations: list[Json]
    documents: list[Result] = field(default_factory=list)


def reports(message: Message, source: Source, received_at: datetime) -> Iterator[Report]:
    """One report for each OBR (or for the loose OBX of a message without one)."""
    for index, group in enumerate(groups(message), 1):
        if group.obr is None and not group.results:
            continue
        yield _report(message, group, index, source, received_at)


def is_document(obx: Segment) -> bool:
    """Whether the line carries a file (ED) rather than a value."""
    return obx.get(2).upper() == "ED"


def is_metadata(obx: Segment) -> bool:
    """Whether the line says how a document is to be shared (DMP, MSSanté), not a result."""
    if obx.get(3, 2).startswith(MAIL_SUBJECT):
        return True
    return obx.get(3, 3) == METADATA_SYSTEM or obx.get(3) in SHARING


SHARING = frozenset(
    "MASQUE_PS INVISIBLE_PATIENT INVISIBLE_REP_LEGAUX CONNEXION_SECRETE MODIF_CONF_CODE DESTDMP "  # noqa: SIM905
    "DESTMSSANTEPS DESTMSSANTEPAT ACK_RECEPTION ACK_LECTURE_MSS ACK_LECTURE CORPSMAIL_PS "
    "CORPSMAIL_PATIENT".split()
)


def _report(
    message: Message, group: Group, index: int, source: Source, received_at: datetime
) -> Report:
    obr = group.obr or Segment("OBR", message.delimiters, message.encoding)
    order = filler(group, message, source, index)
    issued = fhir_instant(instant(message.header.get(7)) or received_at)
    results = [r for r in group.results if not is_document(r.obx) and not is_metadata(r.obx)]
    documents = [r for r in group.results if is_document(r.obx) and not is_metadata(r.obx)]
    code = concept(obr.first(4), source) or {"text": "Résultats"}
    shared = _shared(obr, group, source, issued)
    observations = _observations(results, order, shared, source)
    report = {
        "resourceType": "DiagnosticReport",
        "identifier": [
            {"system": OBR_KEY, "value": f"{order}|{visible(obr.get(4))}"},
            *order_numbers(group, source),
        ],
        "status": _status(obr, results, documents),
        "category": [{"coding": [{"system": SECTION, "code": visible(obr.get(24)) or "LAB"}]}],
        "code": code,
        "effectiveDateTime": fhir_datetime(obr.get(7)) or fhir_datetime(obr.get(22)) or issued,
        "issued": issued,
        "performer": shared.get("performer", []),
        "conclusion": "\n".join(note_texts(group.notes)),
    }
    return Report(without_empty(report), observations, documents)


def filler(group: Group, message: Message, source: Source, index: int) -> str:
    """`<sender>|<order>`: the laboratory's number, else the prescriber's, else the message's own
    (a correction can then not be recognised, but nothing is mistaken for something else).
    """
    for number in (3, 2):
        segment = group.order_number(number)
        if segment is not None:
            return f"{source.sender}|{visible(segment.get(number))}"
    return f"{source.sender}|msg:{message.control_id}:{index}"


def order_numbers(group: Group, source: Source) -> list[Json]:
    """The placer's and the filler's numbers as identifiers."""
    found: list[Json] = []
    for number, kind in ((2, "PLAC"), (3, "FILL")):
        segment = group.order_number(number)
        given = entity(segment.first(number), source, ORDER_KEY) if segment is not None else None
        if given:
            system = "http://terminology.hl7.org/CodeSystem/v2-0203"
            found.append({"type": {"coding": [{"system": system, "code": kind}]}} | given)
    return found


def _status(obr: Segment, results: list[Result], documents: list[Result]) -> str:
    told = _REPORT_STATUSES.get(obr.get(25).upper())
    states = {r.obx.get(11).upper() for r in (*results, *documents)}
    if told in {None, "final"} and "C" in states:
        return "corrected"
    if told is None and states and states <= {"D", "W"}:
        return "entered-in-error"
    if told is None:
        return "final" if states <= {"F", "U", ""} and states else "unknown"
    return told


def _shared(obr: Segment, group: Group, source: Source, issued: str) -> Json:
    """What every result of the group has in common unless its own line says otherwise."""
    specimen = _specimen(obr, group, source)
    doer = professional(obr.first(34), source) or professional(obr.first(32), source)
    return without_empty(
        {
            "effectiveDateTime": fhir_datetime(obr.get(7)) or fhir_datetime(obr.get(22)) or issued,
            "issued": issued,
            "performer": [doer] if doer else [],
            "specimen": {"display": specimen} if specimen else None,
            "category": _category(obr),
        }
    )


def _specimen(obr: Segment, group: Group, source: Source) -> str:
    if group.specimens:
        kind = concept(group.specimens[0].first(4), source)
        return str(kind["text"]) if kind else ""
    return visible(obr.get(15, 1, 2) or obr.get(15))


def _category(obr: Segment) -> str:
    return "imaging" if obr.get(24).upper() in _IMAGING else "laboratory"


def _observations(results: list[Result], order: str, shared: Json, source: Source) -> list[Json]:
    found: list[Json] = []
    seen: dict[str, int] = {}
    previous: tuple[Segment, Json] | None = None
    for result in results:
        obx = result.obx
        if previous is not None and _continues(previous[0], obx):
            _add_line(previous[1], result)
            continue
        key = f"{order}|{visible(obx.get(3))}|{visible(obx.get(4))}"
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > 1:
            key = f"{key}#{seen[key]}"
        observation = _observation(result, key, shared, source)
        found.append(observation)
        previous = (obx, observation)
    return _with_pressure_panel(found, order)


def _continues(before: Segment, obx: Segment) -> bool:
    """Reports in words often come as one OBX for each line: the same test, or none at all."""
    if obx.get(2).upper() not in TEXTS or before.get(2).upper() not in TEXTS:
        return False
    same_test = obx[3] == before[3] and obx[4] == before[4]
    return (same_test or not obx[3]) and obx.get(11) == before.get(11)


def _add_line(observation: Json, result: Result) -> None:
    line = values.text_of(result.obx)
    told = observation.pop("dataAbsentReason", None)
    former = observation.get("valueString", "")
    observation["valueString"] = f"{former}\n{line}" if former or not told else line
    if not observation["valueString"].strip():
        del observation["valueString"]
        observation["dataAbsentReason"] = told or {"text": "vide"}
    _add_notes(observation, result)


def _observation(result: Result, key: str, shared: Json, source: Source) -> Json:
    obx = result.obx
    observation = {
        "resourceType": "Observation",
        "identifier": [{"system": OBX_KEY, "value": key}],
        "status": values.STATUSES.get(obx.get(11).upper(), "unknown" if obx.get(11) else "final"),
        "code": concept(obx.first(3), source) or {"text": "Texte"},
        **shared,
        **values.value_of(obx, source),
        "interpretation": values.interpretation(obx),
        "referenceRange": values.reference_range(obx, source),
        "method": concept(obx.first(17), source),
    }
    observation["category"] = _categories(observation, shared)
    if at := fhir_datetime(obx.get(14)):
        observation["effectiveDateTime"] = at
    if doer := _performer(obx, source):
        observation["performer"] = [doer]
    _add_notes(observation, result)
    return without_empty(observation)


def _categories(observation: Json, shared: Json) -> list[Json]:
    codes = {c.get("code") for c in loinc(observation)}
    category = "vital-signs" if codes & VITAL_SIGNS else shared.get("category", "laboratory")
    return [{"coding": [{"system": CATEGORY, "code": category}]}]


def loinc(observation: Json) -> list[Json]:
    """The LOINC codings of an observation."""
    codings = observation["code"].get("coding", [])
    return [c for c in codings if c.get("system") == LOINC]


def _performer(obx: Segment, source: Source) -> Json | None:
    """OBX-23 (laboratory), OBX-16 (observer), OBX-15 (producer)."""
    name = visible(obx.get(23))
    if name:
        return {"display": name}
    person = professional(obx.first(16), source)
    if person:
        return person
    name = visible(obx.get(15, 2) or obx.get(15))
    return {"display": name} if name else None


def _add_notes(observation: Json, result: Result) -> None:
    for text in note_texts(result.notes):
        observation.setdefault("note", []).append({"text": text})


def _with_pressure_panel(observations: list[Json], order: str) -> list[Json]:
    """Systolic and diastolic sent as two lines are one measurement with two components."""
    parts = {c["code"]: o for o in observations for c in loinc(o) if c["code"] in _PRESSURES}
    if len(parts) != len(_PRESSURES):
        return observations
    systolic, diastolic = parts["8480-6"], parts["8462-4"]
    same = all(
        systolic.get(k) == diastolic.get(k) for k in ("effectiveDateTime", "status", "performer")
    )
    if not same or len([o for o in observations if o in parts.values()]) != len(_PRESSURES):
        return observations
    panel = {k: v for k, v in systolic.items() if k not in _PART_ONLY}
    panel["identifier"] = [{"system": OBX_KEY, "value": f"{order}|85354-9|"}]
    text = "Pression artérielle"
    panel["code"] = {"coding": [{"system": LOINC, "code": "85354-9"}], "text": text}
    panel["component"] = [
        {k: v for k, v in part.items() if k in _PART_ONLY - {"identifier"}}
        for part in (systolic, diastolic)
    ]
    return [panel, *(o for o in observations if o is not systolic and o is not diastolic)]


_PRESSURES = ("8480-6", "8462-4")
_PART_ONLY = frozenset(
    {"identifier", "code", "valueQuantity", "valueString", "dataAbsentReason", "interpretation",
     "referenceRange"}
)  # fmt: skip
