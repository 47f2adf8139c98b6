"""Where does this message say that the patient is, was or will be (EVN, PV1, PV2, ZBE)?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from liane.base.text import visible
from liane.gateways.hl7v2.codec import Message, Repetition, Segment
from liane.gateways.hl7v2.mapping.datatypes import Source, authority, identifier, instant
from liane.rooms.patients import Attending, Identifier, Movement

_CLASSES = {
    "I": "IMP",
    "B": "IMP",
    "P": "IMP",
    "E": "EMER",
    "O": "AMB",
    "R": "AMB",
    "D": "AMB",
}
"""PV1-2 (HL7 table 0004) as HL7 ActCode."""
_BEGINNINGS = frozenset({"A01", "A04", "A05", "A28"})
DERIVED_VENUE = "urn:liane:hl7v2:venue-derived"


@dataclass(frozen=True, slots=True)
class Stay:
    """What the message says of the stay, before the patient is known to us."""

    venue: Identifier
    values: dict[str, Any]
    """Arguments of `Movement` other than the patient."""

    def of(self, patient_id: str) -> list[Movement]:
        """The movements, for that patient: one for each ZBE segment, or one."""
        several = self.values["movements"]
        common = {k: v for k, v in self.values.items() if k != "movements"}
        return [
            Movement(patient_id=patient_id, venue=self.venue, **{**common, **each})
            for each in several
        ]


def stay(message: Message, source: Source, received_at: datetime, patient: str) -> Stay | None:
    """The stay this message speaks of; None when it has no PV1 or no number to know it by.

    `patient` is the patient's first number as the sender writes it: with the admission time it
    makes a venue number for senders that give none.
    """
    pv1 = message.segment("PV1")
    if pv1 is None or pv1.get(2).upper() == "N":
        return None
    venue = venue_number(message, pv1, source) or _derived_venue(message, pv1, source, patient)
    if venue is None:
        return None
    said_at = instant(message.header.get(7)) or received_at
    zbes = list(message.all("ZBE"))
    movements = (
        [_from_zbe(zbe, message, pv1, said_at) for zbe in zbes]
        if zbes
        else [{"at": _event_time(message, pv1) or said_at, **_end(message, pv1)}]
    )
    return Stay(venue, _common(message, pv1, source, said_at) | {"movements": movements})


def venue_number(message: Message, pv1: Segment, source: Source) -> Identifier | None:
    """PV1-19, else the account number of PID-18."""
    pid = message.segment("PID")
    for segment, number in ((pv1, 19), (pid, 18)):
        found = identifier(segment.first(number), source) if segment is not None else None
        if found:
            return Identifier(found["system"], found["value"], "VN")
    return None


def _derived_venue(
    message: Message, pv1: Segment, source: Source, patient: str
) -> Identifier | None:
    admitted = instant(pv1.get(44))
    if admitted is None and message.event in _BEGINNINGS:
        admitted = _event_time(message, pv1) or instant(message.header.get(7))
    if admitted is None or not patient:
        return None
    return Identifier(DERIVED_VENUE, f"{source.scope}|{patient}|{admitted:%Y%m%d%H%M}", "VN")


def _common(message: Message, pv1: Segment, source: Source, said_at: datetime) -> dict[str, Any]:
    place = pv1.first(3)
    pv2 = message.segment("PV2")
    event = message.event
    return {
        "event": event,
        "source": source.sender,
        "message_at": said_at,
        "unit": visible(place.get(1)) or None,
        "room": visible(place.get(2)) or None,
        "bed": visible(place.get(3)) or None,
        "facility": _facility(place, pv1, source),
        "encounter_class": _CLASSES.get(pv1.get(2).upper()),
        "expected": event == "A05" or pv1.get(2).upper() == "P",
        "expected_end": instant(pv2.get(9)) if pv2 is not None else None,
        "attending": _attending(pv1.first(7), source),
        "establishment": source.establishment or None,
    }


def _facility(place: Repetition, pv1: Segment, source: Source) -> str | None:
    return visible(place.get(4)) or visible(pv1.get(39)) or source.facility or None


def _attending(xcn: Repetition, source: Source) -> Attending | None:
    number = visible(xcn.get(1))
    name = " ".join(part for n in (2, 3) if (part := visible(xcn.get(n))))
    if not number and not name:
        return None
    system = authority(xcn, 9, source) if number else None
    return Attending(number or None, name or None, system)


def _event_time(message: Message, pv1: Segment) -> datetime | None:
    """When it happened, for senders without ZBE: EVN-6, else the admission or discharge time."""
    evn = message.segment("EVN")
    place = {"A03": 45, "A01": 44, "A04": 44}.get(message.event)
    candidates = [
        evn.get(6) if evn is not None else "",
        pv1.get(place) if place else "",
        evn.get(2) if evn is not None else "",
    ]
    return next((at for text in candidates if (at := instant(text))), None)


def _end(message: Message, pv1: Segment) -> dict[str, Any]:
    return {"ends": instant(pv1.get(45))} if message.event == "A03" else {}


def _from_zbe(zbe: Segment, message: Message, pv1: Segment, said_at: datetime) -> dict[str, Any]:
    """ZBE (IHE PAM.fr): 1 key, 2 start, 4 action, 6 original event, 7 medical UF, 8 nursing UF,
    9 nature.
    """
    action = zbe.get(4).upper()
    medical, nursing = _unit(zbe.first(7)), _unit(zbe.first(8))
    values: dict[str, Any] = {
        "key": _key(zbe.first(1)),
        "at": instant(zbe.get(2)) or _event_time(message, pv1) or said_at,
        "action": cast("Literal['INSERT', 'UPDATE', 'CANCEL']", action)
        if action in {"INSERT", "UPDATE", "CANCEL"}
        else None,
        "original_event": zbe.get(6).upper() or None,
        "nature": zbe.get(9).upper() or None,
        "medical_unit": medical,
        "nursing_unit": nursing,
    }
    lodging = visible(pv1.get(3))
    if not lodging and (nursing or medical):
        values["unit"] = nursing or medical
    return values | _end(message, pv1)


def _key(ei: Repetition) -> str | None:
    parts = [visible(ei.get(n)) for n in (1, 2, 3)]
    return "|".join(part for part in parts if part)[:200] or None


def _unit(xon: Repetition) -> str | None:
    """A care unit in XON: its code in XON-10, else XON-3, else its name."""
    return visible(xon.get(10) or xon.get(3) or xon.get(1)) or None
