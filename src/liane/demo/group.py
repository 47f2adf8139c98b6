"""Which establishments, care units, rooms and beds does the demonstration group have?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from liane.demo.tables import table

GROUP_ID = "ght"
IPP_ARC = "1.2.250.1.999.1"
VENUE_ARC = "1.2.250.1.999.2"
MOVEMENT_ARC = "1.2.250.1.999.3"
INTERNAL_MEDICINE = "2101"


@dataclass(frozen=True, slots=True)
class Establishment:
    """A hospital or a nursing home of the group."""

    id: str
    number: int
    name: str
    short: str
    finess: str
    town: str

    @property
    def ipp_oid(self) -> str:
        """The OID of the patient numbers (IPP) this establishment gives."""
        return f"{IPP_ARC}.{self.number}"

    @property
    def venue_oid(self) -> str:
        """The OID of the venue numbers this establishment gives."""
        return f"{VENUE_ARC}.{self.number}"

    @property
    def movement_oid(self) -> str:
        """The OID of the movement numbers (ZBE-1) this establishment gives."""
        return f"{MOVEMENT_ARC}.{self.number}"


@dataclass(frozen=True, slots=True)
class Bed:
    """A bed: its unit, room, number in the room, and the label on the door."""

    unit: str
    room: str
    number: str
    label: str

    @property
    def location_id(self) -> str:
        """The id of its FHIR Location."""
        return f"{room_location(self.unit, self.room)}-{self.number}"


@dataclass(frozen=True, slots=True)
class Unit:
    """A functional unit (UF): a ward with beds, or a technical unit without."""

    code: str
    establishment: Establishment
    pole: str
    name: str
    beds: tuple[Bed, ...]
    filled: int
    stories: tuple[str, ...]
    encounter_class: str
    monitored: bool
    resident: bool
    sex: str | None
    ages: tuple[int, int] | None

    @property
    def organization_id(self) -> str:
        """The id of its FHIR Organization."""
        return f"uf-{self.code}"

    @property
    def location_id(self) -> str:
        """The id of its ward Location."""
        return f"loc-{self.code}"

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms, in door order."""
        return tuple(dict.fromkeys(bed.room for bed in self.beds))


def room_location(unit: str, room: str) -> str:
    """The id of a room's FHIR Location."""
    return f"loc-{unit}-{room}"


@cache
def establishments() -> dict[str, Establishment]:
    """The three establishments, by id."""
    return {row["id"]: Establishment(**row) for row in table("structure")["establishment"]}


@cache
def units() -> dict[str, Unit]:
    """All units, by UF code, in the order of the structure file."""
    return {row["code"]: _unit(row) for row in table("structure")["unit"]}


def wards() -> tuple[Unit, ...]:
    """The units that have beds."""
    return tuple(unit for unit in units().values() if unit.beds)


def group_name() -> str:
    """The name of the hospital group."""
    return str(table("structure")["group"]["name"])


def _unit(row: dict[str, Any]) -> Unit:
    ages = row.get("ages")
    return Unit(
        code=row["code"],
        establishment=establishments()[row["establishment"]],
        pole=row["pole"],
        name=row["name"],
        beds=tuple(_beds(row["code"], row.get("rooms", ""), row.get("doubles", []))),
        filled=row.get("filled", 0),
        stories=tuple(row.get("stories", ())),
        encounter_class=row.get("class", "IMP"),
        monitored=row.get("monitored", False),
        resident=row.get("resident", False),
        sex=row.get("sex"),
        ages=(ages[0], ages[1]) if ages else None,
    )


def _beds(unit: str, rooms: str, doubles: list[str]) -> list[Bed]:
    if not rooms:
        return []
    first, last = rooms.split("-")
    prefix, start = _split_room(first)
    _, end = _split_room(last)
    width = len(first) - len(prefix)
    beds: list[Bed] = []
    for number in range(start, end + 1):
        room = f"{prefix}{number:0{width}d}"
        if room in doubles:
            beds += [Bed(unit, room, place, f"{room}-{place}") for place in ("1", "2")]
        else:
            beds.append(Bed(unit, room, "1", room))
    return beds


def _split_room(room: str) -> tuple[str, int]:
    match = re.fullmatch(r"([A-Z]*)(\d+)", room)
    if match is None:
        raise ValueError(f"a room must be letters then digits, not {room!r}")
    return match[1], int(match[2])
