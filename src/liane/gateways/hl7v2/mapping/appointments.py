"""Which appointment does a SIU message book, move, cancel or miss?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from liane.base.errors import Invalid
from liane.base.text import visible
from liane.gateways.hl7v2.codec import Message, Segment
from liane.gateways.hl7v2.mapping.datatypes import (
    Source,
    concept,
    entity,
    fhir_instant,
    instant,
    professional,
    without_empty,
)
from liane.gateways.hl7v2.mapping.groups import note_texts

Json = dict[str, Any]

APPOINTMENT_KEY = "urn:liane:hl7v2:appointment"
_EVENTS = {
    "S12": "booked",
    "S13": "booked",
    "S14": "booked",
    "S15": "cancelled",
    "S17": "entered-in-error",
    "S26": "noshow",
}
_FILLER_STATUSES = {
    "PENDING": "pending",
    "WAITLIST": "waitlist",
    "CANCELLED": "cancelled",
    "NOSHOW": "noshow",
    "COMPLETE": "fulfilled",
    "STARTED": "arrived",
    "DELETED": "entered-in-error",
}
"""SCH-25 (HL7 table 0278); it refines what a booking event says."""
_MINUTES = {"S": 1 / 60, "SEC": 1 / 60, "M": 1, "MIN": 1, "H": 60, "HR": 60, "D": 1440}


def appointment(message: Message, source: Source, received_at: datetime) -> Json:
    """The Appointment of a SIU message. Raises Invalid when it has no number to know it by."""
    sch = message.segment("SCH")
    numbers = _numbers(sch, source) if sch is not None else []
    if sch is None or not numbers:
        raise Invalid(
            "hl7v2.appointment-number",
            "Le rendez-vous n'a pas de numéro (SCH-1 ou SCH-2).",
            "The appointment has no number (SCH-1 or SCH-2).",
            "Demandez à l'émetteur de remplir SCH-1 ou SCH-2, puis de renvoyer le message.",
            "Ask the sender to fill in SCH-1 or SCH-2, then to send the message again.",
        )
    start, end = _span(message, sch)
    status = _status(message, sch)
    if start is None and status not in {"cancelled", "entered-in-error"}:
        # R4 invariant app-3: without a time it can only be a proposal.
        status = "proposed"
    resource = {
        "resourceType": "Appointment",
        "identifier": numbers,
        "status": status,
        "appointmentType": concept(sch.first(8), source),
        "reasonCode": [c for n in (7, 6) if (c := concept(sch.first(n), source))],
        "start": fhir_instant(start) if start else None,
        "end": fhir_instant(end) if end else None,
        "minutesDuration": round((end - start).total_seconds() / 60) if start and end else None,
        "created": fhir_instant(instant(message.header.get(7)) or received_at),
        "comment": "\n".join(note_texts(list(message.all("NTE")))),
        "serviceType": [c for s in message.all("AIS") if (c := concept(s.first(3), source))],
        "participant": list(_participants(message, source)),
    }
    return without_empty(resource)


def _numbers(sch: Segment, source: Source) -> list[Json]:
    """SCH-2 is the scheduling system's own number and stays the same when others change."""
    found = [entity(sch.first(n), source, f"{APPOINTMENT_KEY}:{n}") for n in (2, 1)]
    return [number for number in found if number]


def _status(message: Message, sch: Segment) -> str:
    status = _EVENTS[message.event]
    if status == "booked":
        return _FILLER_STATUSES.get(sch.get(25).upper(), status)
    return status


def _span(message: Message, sch: Segment) -> tuple[datetime | None, datetime | None]:
    start, end = instant(sch.get(11, 4)), instant(sch.get(11, 5))
    minutes = _duration(sch.get(9), sch.get(10))
    for name, at, length in (
        ("TQ1", 7, 6),
        ("AIS", 4, 7),
        ("AIP", 6, 9),
        ("AIG", 8, 11),
        ("AIL", 6, 9),
    ):
        for segment in message.all(name):
            start = start or instant(segment.get(at))
            if name == "TQ1":
                end = end or instant(segment.get(8))
            else:
                minutes = minutes or _duration(segment.get(length), segment.get(length + 1))
    if start is not None and (end is None or end <= start):
        end = start + timedelta(minutes=minutes or 15)
    return start, end


def _duration(amount: str, unit: str) -> float:
    if not (amount.isascii() and amount.isdigit()) or len(amount) > 6:
        return 0
    return int(amount) * _MINUTES.get(unit.upper(), 1)


def _participants(message: Message, source: Source) -> list[Json]:
    found: list[Json] = []
    for segment in message.segments:
        actor: Json | None = None
        if segment.name == "AIP":
            actor = professional(segment.first(3), source)
        elif segment.name == "AIG":
            told = concept(segment.first(3), source)
            actor = {"display": told["text"]} if told else None
        elif segment.name == "AIL":
            place = segment.first(3)
            parts = [visible(place.get(n)) for n in (1, 2, 3)]
            name = " ".join(part for part in parts if part)
            actor = {"display": name} if name else None
        if actor:
            found.append({"actor": actor, "status": "accepted"})
    return found
