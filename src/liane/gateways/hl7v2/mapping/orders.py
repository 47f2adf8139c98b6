"""What examination does an ORM^O01 or an OML^O21 ask for, change or take back?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from liane.base.text import visible
from liane.gateways.hl7v2.codec import Message, Segment
from liane.gateways.hl7v2.mapping import values
from liane.gateways.hl7v2.mapping.datatypes import (
    Source,
    concept,
    fhir_datetime,
    fhir_instant,
    instant,
    professional,
    without_empty,
)
from liane.gateways.hl7v2.mapping.groups import Group, groups, note_texts
from liane.gateways.hl7v2.mapping.results import order_numbers

Json = dict[str, Any]

_CONTROLS = {
    "NW": "active",
    "OK": "active",
    "XO": "active",
    "XR": "active",
    "RO": "active",
    "PA": "active",
    "SN": "active",
    "NA": "active",
    "RL": "active",
    "SR": "active",
    "RE": "completed",
    "CA": "revoked",
    "CR": "revoked",
    "OC": "revoked",
    "DC": "revoked",
    "OD": "revoked",
    "DR": "revoked",
    "UA": "revoked",
    "RP": "revoked",
    "HD": "on-hold",
    "OH": "on-hold",
    "HR": "on-hold",
    "DE": "entered-in-error",
}
"""ORC-1 (HL7 table 0119) as FHIR request-status."""
_STATUSES = {
    "A": "active",
    "IP": "active",
    "SC": "active",
    "CA": "revoked",
    "DC": "revoked",
    "RP": "revoked",
    "CM": "completed",
    "HD": "on-hold",
    "ER": "entered-in-error",
}
"""ORC-5 (HL7 table 0038)."""
_PRIORITIES = {"S": "stat", "A": "asap", "R": "routine", "T": "urgent", "P": "routine"}


def orders(message: Message, source: Source, received_at: datetime) -> Iterator[Json]:
    """One ServiceRequest for each order that names an examination."""
    for group in groups(message):
        if group.obr is None:
            continue
        numbers = order_numbers(group, source)
        if not numbers:
            numbers = [
                {
                    "system": "urn:liane:hl7v2:order",
                    "value": f"{source.sender}|msg:{message.control_id}",
                }
            ]
        yield _order(message, group, group.obr, numbers, source, received_at)


def _order(
    message: Message,
    group: Group,
    obr: Segment,
    numbers: list[Json],
    source: Source,
    received_at: datetime,
) -> Json:
    orc = group.orc or Segment("ORC", message.delimiters, message.encoding)
    asked = instant(orc.get(9)) or instant(message.header.get(7)) or received_at
    requester = professional(orc.first(12), source) or professional(obr.first(16), source)
    reasons = [concept(each, source) for each in obr.repetitions(31)]
    if told := visible(obr.whole(13)):
        reasons.append({"text": told})
    notes = [{"text": text} for text in _notes(group, source)]
    if cancelled := visible(orc.get(16, 2) or orc.get(16)):
        notes.append({"text": f"Motif : {cancelled}"})
    order: Json = {
        "resourceType": "ServiceRequest",
        "identifier": numbers,
        "status": _status(orc),
        "intent": "order",
        "priority": _priority(group, obr, orc),
        "code": concept(obr.first(4), source) or {"text": "Examen"},
        "occurrenceDateTime": _occurrence(group, obr, orc),
        "authoredOn": fhir_instant(asked),
        "requester": requester,
        "reasonCode": [reason for reason in reasons if reason],
        "bodySite": _body_sites(group, source),
        "note": notes,
    }
    return without_empty(order)


def _status(orc: Segment) -> str:
    control = orc.get(1).upper()
    if control in {"SC", "SS", ""} and (known := _STATUSES.get(orc.get(5).upper())):
        return known
    return _CONTROLS.get(control, "active" if not control else "unknown")


def _priority(group: Group, obr: Segment, orc: Segment) -> str | None:
    timing = group.timing
    code = (
        (timing.get(9) if timing is not None else "")
        or obr.get(27, 6)
        or orc.get(7, 6)
        or obr.get(5)
    )
    return _PRIORITIES.get(code[:1].upper()) if code else None


def _occurrence(group: Group, obr: Segment, orc: Segment) -> str | None:
    timing = group.timing
    candidates = (
        timing.get(7) if timing is not None else "",
        obr.get(27, 4),
        orc.get(7, 4),
        obr.get(6),
    )
    return next((at for text in candidates if (at := fhir_datetime(text))), None)


def _body_sites(group: Group, source: Source) -> list[Json]:
    """Anatomical regions of a teleradiology request (CI-SIS TLR)."""
    sites = [concept(r.obx.first(5), source) for r in group.results if _asks_region(r.obx)]
    return [site for site in sites if site]


def _asks_region(obx: Segment) -> bool:
    return obx.get(3) == "REGION_ANATOMIQUE"


def _notes(group: Group, source: Source) -> Iterator[str]:
    """Comments, and the answers that come with the request (weight, pregnancy ...) in words."""
    yield from note_texts(group.notes)
    for result in group.results:
        question = concept(result.obx.first(3), source)
        answer = _answer(result.obx, source)
        if question and answer:
            yield f"{question['text']} : {answer}"
        yield from note_texts(result.notes)


def _answer(obx: Segment, source: Source) -> str:
    found = values.value_of(obx, source)
    if "valueCodeableConcept" in found:
        return str(found["valueCodeableConcept"].get("text", ""))
    if "valueQuantity" in found:
        told = found["valueQuantity"]
        return f"{told.get('comparator', '')}{told['value']} {told.get('unit', '')}".strip()
    return str(found.get("valueString", ""))[:2000]
