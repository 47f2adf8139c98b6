"""How does a ward read at a glance: who lies where, what needs a look, which beds are free?

Pure: rows and facts in, tiles out. Colour is only ever a second way to say what words say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from liane.base.i18n import HOSPITAL_ZONE
from liane.rooms.patients.rules.people import Person, namesakes, person_of
from liane.ui.services import TileFacts

URGENT, WATCH, CALM = "urgent", "watch", "calm"


@dataclass(frozen=True, slots=True)
class Bed:
    """A bed of the unit and what is said of it when nobody lies in it."""

    location: str
    room: str
    label: str
    state: str
    since: datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One place of the board: a patient in a bed, an empty bed, or a patient without a bed."""

    key: str
    bed: Bed | None
    person: Person | None = None
    hidden: bool = False
    """Somebody is there whom this reader may not see."""
    facts: TileFacts = field(default_factory=TileFacts)
    since: datetime | None = None
    starts: datetime | None = None
    expected_end: datetime | None = None
    attending: str = ""
    on_leave: bool = False
    leaves_today: bool = False
    shared_bed: bool = False
    """Two patients are said to be in this bed: one of them is elsewhere."""
    exposed: bool = False
    """Isolated, and sharing the room with somebody."""
    beside_isolated: bool = False
    namesakes: tuple[Person, ...] = ()

    @property
    def level(self) -> str:
        """How much the tile asks to be looked at."""
        if self.facts.news2_band == "high":
            return URGENT
        watched = self.facts.news2_band in {"medium", "low_medium"}
        return WATCH if watched or self.shared_bed or self.exposed else CALM

    @property
    def news_at(self) -> datetime | None:
        """When the values of the score were taken."""
        return datetime.fromisoformat(self.facts.news2_at) if self.facts.news2_at else None

    @property
    def occupied(self) -> bool:
        """Whether somebody is said to be there."""
        return self.person is not None or self.hidden


@dataclass(frozen=True, slots=True)
class Board:
    """One unit as it stands now."""

    unit: str
    name: str
    tiles: tuple[Tile, ...]
    expected: tuple[Tile, ...]
    clinical: bool = True
    """Whether this reader may know allergies, scores and results; places and names otherwise."""

    @property
    def counts(self) -> dict[str, int]:
        """What the head nurse counts first. A blocked bed is not a free bed."""
        empty = [t for t in self.tiles if t.bed is not None and not t.occupied]
        present = [t for t in self.tiles if t.occupied]
        return {
            "present": len(present),
            "free": sum(t.bed is not None and t.bed.state == "U" for t in empty),
            "cleaning": sum(t.bed is not None and t.bed.state in {"K", "H"} for t in empty),
            "blocked": sum(t.bed is not None and t.bed.state in {"C", "I"} for t in empty),
            "leaving": sum(t.leaves_today for t in present),
            "expected": len(self.expected),
        }


def beds_of(rows: Sequence[Mapping[str, Any]]) -> list[Bed]:
    """Beds from the rows of `patients.bed`, in the order people walk past them."""
    return [
        Bed(r["location"], r["room"], r["label"], r["state"], _real(r["since"]), r["note"])
        for r in rows
    ]


def _real(since: datetime | None) -> datetime | None:
    return since if since is not None and since.year > 1970 else None


def tiles_of(
    beds: Sequence[Bed],
    present: Sequence[Mapping[str, Any]],
    facts: Mapping[str, TileFacts],
    now: datetime,
    announced: Sequence[Mapping[str, Any]] = (),
) -> tuple[Tile, ...]:
    """One tile per bed and patient; patients without a bed come last. A namesake who is only
    announced counts: the mistake is made at the door.
    """
    people = {row["patient"]: person_of(row) for row in present if row["may_see"]}
    coming = [person_of(row) for row in announced if row["may_see"]]
    alike = namesakes([*people.values(), *(p for p in coming if p.id not in people)])
    isolated = {row["patient"] for row in present if _facts(facts, row).isolated}
    by_bed: dict[str, list[Mapping[str, Any]]] = {}
    for row in present:
        by_bed.setdefault(row["bed"], []).append(row)
    room_of = {bed.location: bed.room for bed in beds}
    rooms: dict[str, set[str]] = {}
    for row in present:
        room = room_of.get(row["bed"]) or row["room"]
        if room:
            rooms.setdefault(room, set()).add(row["patient"])

    def tile(row: Mapping[str, Any], bed: Bed | None) -> Tile:
        patient = row["patient"]
        room = room_of.get(row["bed"]) or row["room"]
        roommates = rooms.get(room, set()) - {patient}
        return Tile(
            key=row["encounter"],
            bed=bed,
            person=people.get(patient),
            hidden=patient not in people,
            facts=_facts(facts, row) if patient in people else TileFacts(),
            since=row["since"],
            starts=row["starts"],
            expected_end=row["expected_end"],
            attending=row["attending"],
            on_leave=row["status"] == "onleave",
            leaves_today=_same_day(row["expected_end"], now),
            shared_bed=bed is not None and len(by_bed[row["bed"]]) > 1,
            exposed=patient in isolated and bool(roommates),
            beside_isolated=patient not in isolated and bool(roommates & isolated),
            namesakes=tuple(alike.get(patient, ())),
        )

    known = {bed.location for bed in beds}
    placed = [
        built
        for bed in beds
        for built in (
            [tile(row, bed) for row in by_bed.get(bed.location, [])] or [Tile(bed.location, bed)]
        )
    ]
    loose = [tile(row, None) for row in present if row["bed"] not in known]
    return tuple(placed + loose)


def _facts(facts: Mapping[str, TileFacts], row: Mapping[str, Any]) -> TileFacts:
    return facts.get(row["patient"]) or TileFacts()


def _same_day(at: datetime | None, now: datetime) -> bool:
    return at is not None and (
        at.astimezone(HOSPITAL_ZONE).date() == now.astimezone(HOSPITAL_ZONE).date()
    )


def arrivals_of(
    rows: Sequence[Mapping[str, Any]], present: Sequence[Mapping[str, Any]] = ()
) -> tuple[Tile, ...]:
    """The announced patients of a unit, soonest first, with their namesakes on the ward."""
    everybody = {r["patient"]: person_of(r) for r in [*present, *rows] if r["may_see"]}
    alike = namesakes(list(everybody.values()))
    return tuple(
        Tile(
            key=row["encounter"],
            bed=Bed("", "", row["bed"] or "", "U", None, "") if row["bed"] else None,
            person=person_of(row) if row["may_see"] else None,
            hidden=not row["may_see"],
            since=row["expected_start"],
            attending=row["attending"],
            namesakes=tuple(alike.get(row["patient"], ())),
        )
        for row in rows
    )


def to_look_at(tiles: Sequence[Tile]) -> list[Tile]:
    """The patients who ask to be looked at first: by score, then by results not normal."""
    asking = [
        t for t in tiles if t.person and (t.level != CALM or t.facts.unread or t.facts.isolated)
    ]
    return sorted(asking, key=lambda t: (-(t.facts.news2 or 0), -t.facts.unread, t.key))
