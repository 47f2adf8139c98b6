"""How are units, rooms and beds learnt, from the hospital's own list or from messages?

The hospital's structure comes as Organization and Location resources. A message that names a place
nobody declared makes it known, marked as learnt, so that no movement is ever refused for a bed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

from liane.access import gate, writes
from liane.access.actor import SYSTEM, Actor
from liane.access.permissions import Permission
from liane.base.errors import Invalid, NotFound
from liane.fhir import json
from liane.rooms.patients.rules import places as rules
from liane.rooms.patients.rules.values import Place, PointOfCare
from liane.store import Database, Tx
from liane.store.resources import Write, read_many
from liane.store.sql import queries

Q = queries("liane.rooms.patients", "places.sql")
FORGET_AFTER_SECONDS = 60.0
Resource = dict[str, Any]


@dataclass(slots=True)
class _Memory:
    """Places this process has met, so that a known bed costs no question."""

    places: dict[PointOfCare, Place] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)


_memories: WeakKeyDictionary[Database, _Memory] = WeakKeyDictionary()


def _memory(tx: Tx) -> _Memory:
    memory = _memories.get(tx.database)
    if memory is None or time.monotonic() - memory.since > FORGET_AFTER_SECONDS:
        memory = _memories[tx.database] = _Memory()
    return memory


async def resolve_location(
    tx: Tx, source: str, point: PointOfCare, establishment: str | None = None
) -> Place:
    """The unit and Locations a sender's point of care stands for, created when met first.

    `establishment` is the Organization id new units become part of, when it is known.
    """
    if not point.unit:
        return Place()
    memory = _memory(tx)
    known = memory.places.get(point)
    if known is not None:
        return known
    place = await _declared(tx, point) or await _learn(tx, source, point, establishment)

    def remember() -> None:
        memory.places[point] = place

    tx.after_commit(remember)
    return place


async def establishments_of(tx: Tx, units: set[str]) -> dict[str, str]:
    """The establishment of each of these units; unknown ones are left out."""
    known = _memory(tx).homes
    missing = sorted(units - known.keys())
    if not missing:
        return known
    rows = await tx.fetch(Q["establishments"], tx.tenant, missing)
    found = {row["unit"]: row["establishment"] for row in rows}
    tx.after_commit(lambda: known.update(found))
    return {**known, **found}


async def _declared(tx: Tx, point: PointOfCare) -> Place | None:
    """The bed of the hospital's own list that people call by that name."""
    place = rules.place_of(point)
    if place.bed is None:
        return None
    row = await tx.fetchrow(
        Q["bed_by_label"], tx.tenant, place.unit, rules.bed_label(point), (point.bed or "").strip()
    )
    if row is None:
        return None
    return replace(place, bed=row["location"], room=row["room"] or None, ward=row["ward"] or None)


async def _learn(tx: Tx, source: str, point: PointOfCare, establishment: str | None) -> Place:
    place = rules.place_of(point)
    wanted = rules.learnt(point, establishment)
    await tx.execute(Q["lock_place"], place.unit)
    known: set[str] = set()
    for kind in ("Organization", "Location"):
        ids = [r["id"] for r in wanted if r["resourceType"] == kind]
        known.update(f"{kind}/{id_}" for id_ in await read_many(tx, kind, ids))
    fresh = [r for r in wanted if f"{r['resourceType']}/{r['id']}" not in known]
    if fresh:
        actor = SYSTEM(f"places learnt from {source}")
        await writes.apply(
            tx, actor, [Write(r, id=r["id"]) for r in fresh], reason="place named in a message"
        )
    return place


async def set_bed_state(
    tx: Tx, actor: Actor, location: str, state: str, *, unit: str, note: str = ""
) -> str:
    """Say that an empty bed is clean (U), to clean (K), being cleaned (H), closed (C) or blocked
    by isolation (I). Returns the unit. The Location resource follows.
    """
    await gate.require(tx, actor, Permission.BED_WRITE)
    found = (await read_many(tx, "Location", [location])).get(location)
    home = await tx.fetchval(Q["unit_of_bed"], tx.tenant, location)
    if found is None or home != unit:
        raise NotFound(
            "patients.bed-unknown",
            "Ce lit n'existe pas dans cette unité.",
            "There is no such bed in this unit.",
        )
    if not rules.may_be_set(state):
        raise Invalid("patients.bed-state", "Cet état de lit n'existe pas.", "No such bed state.")
    body: Resource = json.loads(found.body)
    body["operationalStatus"] = {"system": rules.BED_STATUS, "code": state}
    body.pop("description", None)
    if note:
        body["description"] = note
    change = Write(body, id=location, facts={"topics": [f"unit:{unit}"]})
    await writes.apply(tx, actor, [change], reason="bed state")
    return unit
