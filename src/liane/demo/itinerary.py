"""By which way did a person come to the bed, and at what time?

Many come through the emergency department, some spend a night in its short-stay unit; the others
are admitted straight to the ward.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from liane.demo.adt import Move
from liane.demo.chance import chance
from liane.demo.course import story_of
from liane.demo.group import Unit, units
from liane.demo.people import Person, Stay

EMERGENCY = {"chu": "1001", "chg": "5001"}
SHORT_STAY = "1002"
PLANNED = {"prothese_genou", "colectomie", "chimiotherapie", "accouchement", "cesarienne", "anemie"}


def venue_number(person: Person, admitted: datetime) -> str:
    """The number of the stay: year, then a running number."""
    return f"{admitted:%y}{118_204 if person.number == 12 else 100_000 + person.number * 3}"


def seeded_moves(person: Person, now: datetime) -> list[Move]:
    """The movements that brought a present person to the bed, oldest first."""
    stay = person.stay
    if stay is None:
        return []
    admitted = (now - timedelta(hours=stay.hours)).replace(microsecond=0)
    venue = venue_number(person, admitted)
    steps = _steps(person, stay)
    moves = []
    for index, (event, unit, hours) in enumerate(steps):
        last = index == len(steps) - 1
        moves.append(
            Move(
                key=f"{person.number:05d}{index:02d}",
                event=event,
                at=admitted + timedelta(hours=hours),
                unit=unit,
                bed=stay.bed if last else None,
                venue=venue,
                admitted=admitted,
                encounter_class="E" if unit.encounter_class == "EMER" else "I",
                reason=story_of(stay.story)["label"],
                expected_end=_expected_end(person, now) if last else None,
            )
        )
    return moves


def _steps(person: Person, stay: Stay) -> list[tuple[str, Unit, float]]:
    """Event, unit and hours after the arrival, of each movement."""
    home, unit = stay.unit.establishment.id, stay.unit
    if person.number == 12:
        return [("A04", units()["1001"], 0), ("A06", units()[SHORT_STAY], 6.6), ("A02", unit, 28)]
    if unit.encounter_class == "EMER":
        return [("A04", unit, 0)]
    draw = chance("way", person.number)
    planned = stay.story in PLANNED or unit.resident or unit.code == "5401"
    if planned or home not in EMERGENCY or stay.hours < 8 or draw.random() < 0.25:
        return [("A01", unit, 0)]
    emergency = units()[EMERGENCY[home]]
    first = draw.uniform(2.5, 6.5)
    if home == "chu" and stay.hours > 30 and draw.random() < 0.3 and unit.code != SHORT_STAY:
        return [
            ("A04", emergency, 0),
            ("A06", units()[SHORT_STAY], first),
            ("A02", unit, first + draw.uniform(9, 20)),
        ]
    return [("A04", emergency, 0), ("A06", unit, first)]


def _expected_end(person: Person, now: datetime) -> datetime | None:
    stay = person.stay
    if stay is None or stay.unit.resident:
        return None
    if stay.bed.label == "320":
        return (now + timedelta(hours=6)).replace(minute=0, second=0, microsecond=0)
    days = chance("leaving", person.number).randint(1, 9)
    return (now + timedelta(days=days)).replace(hour=10, minute=0, second=0, microsecond=0)
