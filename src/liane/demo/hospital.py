"""Who lies where in the simulated hospital, and what may happen to them next?

The state of the simulator: one `Lodger` per person present. It changes only by the methods here,
each of which gives the movement to announce. What changed since the last look is kept, so that it
can be written down together with the messages it causes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from liane.demo.adt import Move
from liane.demo.chance import chance
from liane.demo.course import story_of
from liane.demo.group import Bed, Unit, units, wards
from liane.demo.itinerary import seeded_moves
from liane.demo.people import Person

FIRST_MOVEMENT = 1_000_000
FIRST_VENUE = 700_000


@dataclass(frozen=True, slots=True)
class Lodger:
    """A person present: place, stay and what is due, in hours of the simulated clock."""

    person: int
    unit: str
    bed: str
    story: str
    venue: str
    admitted: str
    began: float
    encounter_class: str
    leaves: float
    sampled: float
    rounded: float

    @property
    def place(self) -> tuple[Unit, Bed | None]:
        """The unit and, where there is one, the bed."""
        unit = units()[self.unit]
        return unit, next((bed for bed in unit.beds if bed.location_id == self.bed), None)


class Hospital:
    """Everybody present, the free beds, and the running numbers."""

    def __init__(self, people: tuple[Person, ...]) -> None:
        self.people = people
        self.lodgers: dict[int, Lodger] = {}
        self.hours = 0.0
        self.count = 0
        self.dirty: dict[str, tuple[float, str]] = {}
        """Beds somebody left: when their state changes next, and the state they are in."""
        self._touched: set[str] = set()

    @classmethod
    def at_the_start(cls, people: tuple[Person, ...], anchor: datetime) -> Hospital:
        """The hospital as the first loading left it."""
        made = cls(people)
        for person in people:
            if person.stay is not None:
                made._keep(_seeded(person, anchor))
        return made

    @classmethod
    def from_state(cls, people: tuple[Person, ...], rows: Iterable[tuple[str, str]]) -> Hospital:
        """The hospital as it was written down."""
        made = cls(people)
        for key, value in rows:
            if key == "clock":
                made.hours, made.count = json.loads(value)
            elif key.startswith("stay:") and value:
                lodger = Lodger(**json.loads(value))
                made.lodgers[lodger.person] = lodger
            elif key.startswith("dirty:") and value:
                due, state = json.loads(value)
                made.dirty[key[6:]] = (due, state)
        return made

    def changes(self) -> dict[str, str]:
        """What must be written down since the last time this was asked."""
        found = {"clock": json.dumps([self.hours, self.count])}
        for key in self._touched:
            if key.startswith("dirty:"):
                found[key] = json.dumps(self.dirty[key[6:]]) if key[6:] in self.dirty else ""
                continue
            lodger = self.lodgers.get(int(key[5:]))
            found[key] = json.dumps(asdict(lodger)) if lodger else ""
        self._touched.clear()
        return found

    def number(self) -> int:
        """The next running number (movements, orders, letters share it)."""
        self.count += 1
        return self.count

    def free_beds(self, unit: Unit) -> list[Bed]:
        """The beds of a unit nobody lies in; the blocked and the dirty bed of the story stay so."""
        taken = {lodger.bed for lodger in self.lodgers.values()} | self.dirty.keys()
        closed = {"loc-2101-312-2", "loc-2101-307-1"}
        return [bed for bed in unit.beds if bed.location_id not in taken | closed]

    def absent(self, home: str) -> list[Person]:
        """Who could come here: known, alive, not present, no awkward case."""
        return [
            person
            for person in self.people[len(self.people) // 5 : -20]
            if person.number not in self.lodgers
            and person.deceased_days_ago is None
            and home in person.ipps
        ]

    def arrive(
        self, person: Person, unit: Unit, bed: Bed | None, story: str, now: datetime
    ) -> Move:
        """A person comes: A04 to the emergency department, A01 elsewhere."""
        urgent = unit.encounter_class == "EMER"
        draw = chance("arrive", self.count)
        lodger = Lodger(
            person=person.number,
            unit=unit.code,
            bed=bed.location_id if bed else "",
            story=story,
            venue=f"{now:%y}{FIRST_VENUE + self.number()}",
            admitted=now.isoformat(),
            began=self.hours,
            encounter_class="E" if urgent else "I",
            leaves=self.hours + (draw.uniform(2, 7) if urgent else draw.uniform(40, 180)),
            sampled=self.hours + draw.uniform(0.2, 0.8),
            rounded=self.hours + draw.uniform(0.05, 0.3),
        )
        self._keep(lodger)
        return self._move(lodger, "A04" if urgent else "A01", now)

    def transfer(self, lodger: Lodger, unit: Unit, bed: Bed, now: datetime) -> Move:
        """A person changes bed or unit: A02, or A06 when an emergency becomes a stay."""
        event = "A06" if lodger.encounter_class == "E" else "A02"
        draw = chance("transfer", self.count)
        leaves = self.hours + draw.uniform(30, 160)
        moved = replace(
            lodger, unit=unit.code, bed=bed.location_id, encounter_class="I", leaves=leaves
        )
        self._keep(moved)
        self._left(lodger.bed)
        return self._move(moved, event, now)

    def put_back(self, before: Lodger) -> None:
        """A movement was taken back: the person is where they were."""
        self._left(self.lodgers[before.person].bed)
        self._keep(before)
        self.clean(before.bed, None)

    def leave(self, lodger: Lodger, now: datetime) -> Move:
        """A person goes: A03."""
        move = self._move(lodger, "A03", now)
        del self.lodgers[lodger.person]
        self._touched.add(f"stay:{lodger.person}")
        self._left(lodger.bed)
        return move

    def clean(self, bed: str, next_state: tuple[float, str] | None) -> None:
        """Say what a dirty bed is now, or that it is dirty no more."""
        self.dirty.pop(bed, None)
        if next_state:
            self.dirty[bed] = next_state
        self._touched.add(f"dirty:{bed}")

    def _left(self, bed: str) -> None:
        if bed:
            wait = chance("cleaning", bed, self.count).uniform(0.2, 0.9)
            self.clean(bed, (self.hours + wait, "K"))

    def plan(self, lodger: Lodger, **due: float) -> None:
        """Set when the next sample or round of signs is due."""
        self._keep(replace(self.lodgers[lodger.person], **due))  # type: ignore[arg-type]

    def current_move(self, lodger: Lodger, now: datetime) -> Move:
        """The place and stay of a lodger, for a message that is not a movement."""
        return self._move(lodger, "A08", now, key="0")

    def _move(self, lodger: Lodger, event: str, now: datetime, key: str = "") -> Move:
        unit, bed = lodger.place
        return Move(
            key=key or str(FIRST_MOVEMENT + self.number()),
            event=event,
            at=now,
            unit=unit,
            bed=bed,
            venue=lodger.venue,
            admitted=datetime.fromisoformat(lodger.admitted),
            encounter_class=lodger.encounter_class,
            reason=story_of(lodger.story)["label"],
        )

    def _keep(self, lodger: Lodger) -> None:
        self.lodgers[lodger.person] = lodger
        self._touched.add(f"stay:{lodger.person}")


def suitable(person: Person, unit: Unit, now: datetime) -> bool:
    """Whether a person of this age and sex belongs in the unit."""
    low, high = unit.ages or (16, 110)
    return unit.sex in {None, person.sex} and low <= person.age(now.date()) <= high


def hospital_wards(home: str) -> list[Unit]:
    """The wards of an establishment that take people from the emergency department."""
    return [
        unit
        for unit in wards()
        if unit.establishment.id == home and unit.encounter_class != "EMER" and not unit.resident
    ]


def _seeded(person: Person, anchor: datetime) -> Lodger:
    stay = person.stay
    if stay is None:
        raise ValueError("only present people are lodgers at the start")
    move = seeded_moves(person, anchor)[-1]
    draw = chance("due", person.number)
    residents = stay.unit.resident
    return Lodger(
        person=person.number,
        unit=stay.unit.code,
        bed=stay.bed.location_id,
        story=stay.story,
        venue=move.venue,
        admitted=move.admitted.isoformat(),
        began=-stay.hours,
        encounter_class=move.encounter_class,
        leaves=1e9 if residents or person.number == 12 else draw.uniform(1, 110),
        sampled=draw.uniform(0, 300 if residents else 20),
        rounded=draw.uniform(0, 24 if residents else 4),
    )
