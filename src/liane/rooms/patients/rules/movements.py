"""Where was this patient, and when, whatever the order in which the messages came?

The history of a stay is a function of the *set* of facts received (IHE PAM.fr): each fact names
its movement by ZBE-1; late, repeated or swapped messages give one and the same history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TypeVar

from .values import Action, Attending, Movement, Place

CANCELS = {
    "A11": ("A01", "A04"),
    "A12": ("A02",),
    "A13": ("A03",),
    "A38": ("A05",),
    "A52": ("A21",),
    "A53": ("A22",),
    "A55": ("A54",),
}
"""Which events each cancelling event takes back (HL7 v2.5 chapter 3)."""
ADMISSIONS = frozenset({"A01", "A04", "A06", "A07"})
UPDATES = frozenset({"A08", "Z99"})
PLACES = frozenset({"A01", "A02", "A04", "A05", "A06", "A07", "A08", "A22", "Z99"})
"""Events whose PV1-3 says where the patient is from that moment on."""
IMPLIED_CLASS = {"A06": "IMP", "A07": "AMB"}
PRESENCE = frozenset({"A01", "A02", "A03", "A04", "A06", "A07", "A21", "A22", "Z99"})
"""Events that show the patient was there."""
_SAID_RANK = {"INSERT": 0, "UPDATE": 1, "CANCEL": 2}
_HAPPENED_RANK = {"A05": 0, "A01": 1, "A04": 1, "A03": 9}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fact:
    """One movement message, kept for ever: the history is computed from all of them."""

    key: str
    action: Action
    event: str
    at: datetime
    message_at: datetime
    derived: bool = False
    original_event: str | None = None
    place: Place | None = None
    medical_unit: str | None = None
    encounter_class: str | None = None
    ends: datetime | None = None
    expected_end: datetime | None = None
    attending: Attending | None = None
    nature: str | None = None

    @property
    def digest(self) -> str:
        """The same message twice has the same digest, whatever the process that read it."""
        content = [_plain(getattr(self, field.name)) for field in fields(self)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of the stay in one place."""

    place: Place
    medical_unit: str | None
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Stay:
    """The state of a stay now, and how it went."""

    status: str
    """FHIR encounter-status: planned, in-progress, onleave, finished, cancelled, unknown."""
    encounter_class: str = "IMP"
    start: datetime | None = None
    end: datetime | None = None
    expected_start: datetime | None = None
    expected_end: datetime | None = None
    segments: tuple[Segment, ...] = ()
    attending: Attending | None = None
    anomalies: tuple[str, ...] = ()

    @property
    def present(self) -> bool:
        """Whether the patient is in the house now (leave included: the bed is kept)."""
        return self.status in {"in-progress", "onleave"}

    @property
    def expected(self) -> bool:
        """Whether the patient is announced and not yet there."""
        return self.status == "planned"

    @property
    def place(self) -> Place:
        """Where the patient is, will be, or was last."""
        return self.segments[-1].place if self.segments else Place()


def fact_of(movement: Movement, place: Place | None) -> Fact:
    """The fact to keep for `movement`, once its place has been resolved."""
    action = movement.action or implied_action(movement.event)
    event = "A05" if movement.expected and movement.event == "A01" else movement.event
    return Fact(
        key=movement.key or derived_key(movement, event),
        action=action,
        event=event,
        at=movement.at.astimezone(UTC),
        message_at=(movement.message_at or movement.at).astimezone(UTC),
        derived=movement.key is None,
        original_event=movement.original_event,
        place=place if place and (place.unit or place.finest) else None,
        medical_unit=movement.medical_unit,
        encounter_class=movement.encounter_class or IMPLIED_CLASS.get(event),
        ends=movement.ends.astimezone(UTC) if movement.ends else None,
        expected_end=movement.expected_end.astimezone(UTC) if movement.expected_end else None,
        attending=movement.attending,
        nature=movement.nature,
    )


def implied_action(event: str) -> Action:
    """What the trigger event does when ZBE-4 is absent."""
    if event in CANCELS:
        return "CANCEL"
    return "UPDATE" if event == "Z99" else "INSERT"


def derived_key(movement: Movement, event: str) -> str:
    """A key for senders without ZBE. One admission, discharge or announcement per stay; the
    others are told apart by their time.
    """
    if event in {"A01", "A04"}:
        return "~admission"
    if event in {"A03", "A05"}:
        return f"~{event}"
    return f"~{event}~{movement.at.astimezone(UTC).isoformat()}"


def history(facts: Iterable[Fact]) -> Stay:
    """The stay told by `facts`. The order of `facts` and repetitions do not matter."""
    ordered = sorted({fact.digest: fact for fact in facts}.values(), key=_said)
    movements, anomalies = _settle(ordered)
    alive = [movement for movement in movements if movement.action != "CANCEL"]
    if _called_back(movements):
        alive = [movement for movement in alive if _kind(movement) == "A05"]
    stayed = [movement for movement in alive if _kind(movement) in PRESENCE]
    if stayed:
        return _told(alive, anomalies)
    announced = [movement for movement in alive if _kind(movement) == "A05"]
    if announced:
        return _planned(announced, anomalies)
    taken_back = any(movement.action == "CANCEL" for movement in movements)
    return Stay(
        status="cancelled" if taken_back else "unknown",
        encounter_class=_latest(movements, lambda m: m.encounter_class) or "IMP",
        attending=_latest(movements, lambda m: m.attending),
        anomalies=tuple(sorted(anomalies)),
    )


def _called_back(movements: list[Fact]) -> bool:
    """Whether the patient was said to be admitted, and every admission was taken back."""
    admissions = [movement for movement in movements if _kind(movement) in ADMISSIONS]
    return bool(admissions) and all(movement.action == "CANCEL" for movement in admissions)


def _told(alive: list[Fact], anomalies: set[str]) -> Stay:
    stayed = [movement for movement in alive if _kind(movement) != "A05"]
    end = _end(stayed)
    inside = [movement for movement in stayed if end is None or movement.at <= end]
    if any(m.at > end and _kind(m) not in UPDATES for m in stayed if end is not None):
        anomalies.add("movement-after-discharge")
    begun = [m.at for m in stayed if _kind(m) in ADMISSIONS]
    return Stay(
        status="finished" if end else ("onleave" if _on_leave(stayed) else "in-progress"),
        encounter_class=_latest(alive, lambda m: m.encounter_class) or "IMP",
        start=begun[0] if begun else min(m.at for m in stayed if _kind(m) in PRESENCE),
        end=end,
        expected_start=next((m.at for m in alive if _kind(m) == "A05"), None),
        expected_end=_latest(alive, lambda m: m.expected_end),
        segments=_segments(inside, end),
        attending=_latest(alive, lambda m: m.attending),
        anomalies=tuple(sorted(anomalies)),
    )


def _planned(announced: list[Fact], anomalies: set[str]) -> Stay:
    last = announced[-1]
    return Stay(
        status="planned",
        encounter_class=_latest(announced, lambda m: m.encounter_class) or "IMP",
        expected_start=last.at,
        expected_end=_latest(announced, lambda m: m.expected_end),
        segments=_segments([last], None),
        attending=_latest(announced, lambda m: m.attending),
        anomalies=tuple(sorted(anomalies)),
    )


def _settle(ordered: list[Fact]) -> tuple[list[Fact], set[str]]:
    """One fact per movement: the last word said about it, completed by the earlier words."""
    settled: dict[str, Fact] = {}
    loose: list[Fact] = []
    for fact in ordered:
        if fact.derived and fact.action == "CANCEL":
            loose.append(fact)
        else:
            known = settled.get(fact.key)
            settled[fact.key] = _completed(known, fact) if known else fact
    anomalies: set[str] = set()
    for cancel in loose:
        if not _take_back(settled, cancel):
            anomalies.add("cancels-nothing")
    if any(movement.event in CANCELS for movement in settled.values()):
        anomalies.add("cancel-before-insert")
    return sorted(settled.values(), key=_happened), anomalies


def _completed(known: Fact, later: Fact) -> Fact:
    kept = {
        field.name: getattr(known, field.name)
        for field in fields(Fact)
        if getattr(later, field.name) is None
    }
    about = later.event in UPDATES or later.event in CANCELS
    return replace(later, **kept, event=known.event if about else later.event)


def _take_back(settled: dict[str, Fact], cancel: Fact) -> bool:
    """A cancel without a movement key takes back the latest movement of its kind before it.

    A stay known only by such a cancel keeps it as its own movement, so that it reads cancelled.
    """
    kinds = CANCELS.get(cancel.event, ())
    targets = [
        fact
        for fact in settled.values()
        if fact.action != "CANCEL" and fact.event in kinds and fact.message_at <= cancel.message_at
    ]
    if not targets:
        settled.setdefault(cancel.key, cancel)
        return False
    target = max(targets, key=_said)
    settled[target.key] = replace(target, action="CANCEL")
    return True


def _segments(stayed: list[Fact], end: datetime | None) -> tuple[Segment, ...]:
    begun: list[Segment] = []
    for fact in stayed:
        if fact.place is None or _kind(fact) not in PLACES:
            continue
        medical = fact.medical_unit or (begun[-1].medical_unit if begun else None)
        here = Segment(fact.place, medical, fact.at, None)
        if begun and begun[-1].start == here.start:
            begun.pop()
        if not begun or (begun[-1].place, begun[-1].medical_unit) != (here.place, medical):
            begun.append(here)
    ends = [*[segment.start for segment in begun[1:]], end][: len(begun)]
    return tuple(replace(segment, end=until) for segment, until in zip(begun, ends, strict=True))


def _end(stayed: list[Fact]) -> datetime | None:
    """When the stay ended: at the last discharge, unless an admission followed it."""
    turns = [movement for movement in stayed if _kind(movement) in {"A01", "A03", "A04"}]
    if not turns or _kind(turns[-1]) != "A03":
        return None
    return turns[-1].ends or turns[-1].at


def _on_leave(stayed: list[Fact]) -> bool:
    turns = [movement for movement in stayed if _kind(movement) in PRESENCE]
    return bool(turns) and _kind(turns[-1]) == "A21"


def _kind(fact: Fact) -> str:
    """The event that made the movement, seen through updates (ZBE-6) and cancellations."""
    if fact.event in UPDATES:
        return fact.original_event or fact.event
    if fact.event in CANCELS:
        return fact.original_event or CANCELS[fact.event][0]
    return fact.event


def _said(fact: Fact) -> tuple[datetime, int, str]:
    return fact.message_at, _SAID_RANK[fact.action], fact.digest


def _happened(fact: Fact) -> tuple[datetime, int, datetime, str]:
    return fact.at, _HAPPENED_RANK.get(_kind(fact), 5), fact.message_at, fact.key


def _latest(ordered: list[Fact], read: Callable[[Fact], T | None]) -> T | None:
    return next((value for fact in reversed(ordered) if (value := read(fact)) is not None), None)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Place | Attending):
        return [_plain(getattr(value, field.name)) for field in fields(value)]
    return value
