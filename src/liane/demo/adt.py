"""How does the admission office announce who comes, where to, and who leaves (IHE PAM.fr)?

Every movement has its own number (ZBE-1), an action (INSERT, UPDATE, CANCEL), the medical and the
nursing unit that become responsible, and the nature of what changes (ZBE-9: hébergement, médical,
soins).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from liane.demo.group import Bed, Establishment, Unit
from liane.demo.hl7 import (
    Raw,
    Sender,
    header,
    message,
    parts,
    repeats,
    segment,
    subparts,
    timestamp,
)
from liane.demo.identity import INS_AUTHORITY, INS_TEST_OID
from liane.demo.people import Person
from liane.demo.staff import Colleague, doctors_of

PAM_VERSION = "2.5^FRA^2.11"
RELIABILITY = {"qualifiee": "VALI", "validee": "VALI", "recuperee": "PROV", "provisoire": "PROV"}
STRUCTURES = {
    "A01": "A01",
    "A04": "A01",
    "A05": "A05",
    "A02": "A02",
    "A03": "A03",
    "A06": "A06",
    "A07": "A06",
    "A11": "A09",
    "A12": "A12",
    "A13": "A01",
    "A14": "A05",
    "A21": "A21",
    "A22": "A21",
    "A28": "A05",
    "A31": "A05",
    "A38": "A38",
}
ENDING = {"A03"}


@dataclass(frozen=True, slots=True)
class Move:
    """One movement of a stay."""

    key: str
    event: str
    at: datetime
    unit: Unit
    bed: Bed | None
    venue: str
    admitted: datetime
    action: str = "INSERT"
    original_event: str = ""
    nature: str = "HMS"
    encounter_class: str = "I"
    expected_end: datetime | None = None
    reason: str = ""

    def cancelled(self) -> Move:
        """The message that takes this movement back."""
        events = {"A01": "A11", "A04": "A11", "A02": "A12", "A03": "A13"}
        return replace(self, event=events[self.event], action="CANCEL", original_event=self.event)


def admission_office(home: Establishment) -> Sender:
    """The administrative application of an establishment."""
    return Sender("GAM", home.short)


def movement_message(person: Person, move: Move, control_id: str, at: datetime) -> bytes:
    """The ADT message of a movement, sent at `at`."""
    home = move.unit.establishment
    kind = f"ADT^{move.event}^ADT_{STRUCTURES[move.event]}"
    return message(
        header(admission_office(home), kind, control_id, at, version=PAM_VERSION),
        segment("EVN", {2: timestamp(at), 6: timestamp(move.at)}),
        pid(person, home, at),
        segment("PD1", {2: "U"}),
        pv1(move),
        _pv2(move),
        zbe(move),
        _zfd(person),
        segment("ZFA", {1: "ACTIF", 2: timestamp(move.admitted), 9: "INO"}),
    )


def identity_message(person: Person, home: Establishment, control_id: str, at: datetime) -> bytes:
    """A28: a person becomes known, without a stay."""
    return message(
        header(admission_office(home), "ADT^A28^ADT_A05", control_id, at, version=PAM_VERSION),
        segment("EVN", {2: timestamp(at), 6: timestamp(at)}),
        pid(person, home, at),
        segment("PV1", {1: "1", 2: "N"}),
        _zfd(person),
    )


def _pv2(move: Move) -> str:
    """Why the person came, and when the stay should end. Nothing to say: no segment."""
    fields: dict[int, object] = {}
    if move.reason:
        fields[3] = parts(None, move.reason)
    if move.expected_end:
        fields[9] = timestamp(move.expected_end)
    return segment("PV2", fields) if fields else ""


def pid(person: Person, home: Establishment, updated: datetime) -> str:
    """The person: numbers, names by birth and in use, birth, address, place of birth (BDL)."""
    ipp = person.ipps[home.id]
    given = person.given[0]
    all_given = " ".join(person.given)
    birth_name = parts(person.family, given, all_given, None, None, None, "L")
    used_name = parts(person.used_family, given, None, None, None, None, "D")
    street = parts(person.street, None, person.town.name, None, person.town.postcode, "FRA", "H")
    birth_place = parts(*[None] * 6, "BDL", None, person.place.cog)
    return segment(
        "PID",
        {
            1: "1",
            3: repeats(_ipp(ipp, home), _ins(person)),
            5: repeats(birth_name, used_name if person.used_family else None),
            7: f"{person.birth:%Y%m%d}",
            8: person.sex,
            11: repeats(street, birth_place),
            13: parts(person.phone, "PRN", "CP"),
            31: "N",
            32: RELIABILITY[person.status],
            33: timestamp(updated),
        },
    )


def pv1(move: Move) -> str:
    """The stay: class, place, doctor, venue number, admission and discharge."""
    home = move.unit.establishment
    doctor = xcn(doctors_of(move.unit.code)[0])
    authority = subparts(home.short, home.venue_oid, "ISO")
    fields: dict[int, object] = {
        1: "1",
        2: move.encounter_class,
        3: point_of_care(move.unit, move.bed),
        4: "U" if move.unit.encounter_class == "EMER" else "R",
        7: doctor,
        17: doctor,
        19: parts(move.venue, None, None, authority, "VN"),
        44: timestamp(move.admitted),
    }
    if move.event in ENDING:
        fields |= {36: "8", 45: timestamp(move.at)}
    return segment("PV1", fields)


def point_of_care(unit: Unit, bed: Bed | None) -> Raw:
    """PL: unit, room, bed, establishment."""
    room, number = (bed.room, bed.number) if bed else (None, None)
    if bed and bed.label == bed.room:
        number = bed.room
    return parts(
        unit.code, room, number, subparts(unit.establishment.short, unit.establishment.finess, "N")
    )


def xcn(colleague: Colleague) -> Raw:
    """A professional, by number, with the national authority."""
    authority = subparts("ASIP-SANTE-PS", "1.2.250.1.71.4.2.1", "ISO")
    return parts(
        colleague.rpps,
        colleague.family,
        colleague.given,
        *[None] * 5,
        authority,
        "L",
        None,
        None,
        "RPPS",
    )


def zbe(move: Move) -> str:
    """The movement itself: its number, time, action and who becomes responsible."""
    home = move.unit.establishment
    unit = parts(
        move.unit.name,
        *[None] * 4,
        subparts(home.short, home.finess, "N"),
        "UF",
        None,
        None,
        move.unit.code,
    )
    return segment(
        "ZBE",
        {
            1: parts(move.key, home.short, home.movement_oid, "ISO"),
            2: timestamp(move.at),
            4: move.action,
            5: "N",
            6: move.original_event,
            7: unit,
            8: unit,
            9: move.nature,
        },
    )


def _ipp(number: str, home: Establishment) -> Raw:
    return parts(number, None, None, subparts(home.short, home.ipp_oid, "ISO"), "PI")


def _ins(person: Person) -> Raw | None:
    if not person.ins:
        return None
    authority = subparts(INS_AUTHORITY, INS_TEST_OID, "ISO")
    return parts(person.ins, None, None, authority, "INS")


def _zfd(person: Person) -> str:
    how = "INSI" if person.ins else ""
    return segment("ZFD", {3: "N", 4: "N", 5: how})
