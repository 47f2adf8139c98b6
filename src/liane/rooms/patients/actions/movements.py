"""How does a movement message change where a patient is said to be?

The message is kept as a fact, the stay is computed anew from all the facts of its venue, and what
depends on it follows in the same transaction: the Encounter, the ties that open the chart to a
unit, the bed that was left.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from liane.access import gate, relations, writes
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.base.errors import Conflict
from liane.fhir import json
from liane.rooms.patients.rules import encounters
from liane.rooms.patients.rules.movements import Fact, Stay, fact_of, history
from liane.rooms.patients.rules.values import (
    Attending,
    Identifier,
    Movement,
    MovementResult,
    Place,
    PointOfCare,
)
from liane.store import Tx
from liane.store.resources import Version, Write
from liane.store.sql import queries
from liane.store.together import Shared

from .places import establishments_of, resolve_location
from .projection import movements_tell

Q = queries("liane.rooms.patients", "movements.sql")
CLEAN_AFTER_EXIT_WITHIN = timedelta(hours=24)
"""A bed left longer ago than this is not sent to cleaning by a late message."""
_FIELDS = tuple(field.name for field in fields(Fact))
_TIMES = ("at", "message_at", "ends", "expected_end")


async def record_movement(tx: Tx, actor: Actor, movement: Movement) -> MovementResult:
    """Keep one movement message and bring the stay up to date.

    Late, repeated and swapped messages give the same stay. Raises `Conflict` when the venue
    belongs to another patient.
    """
    await gate.require(tx, actor, Permission.MOVEMENT_WRITE)
    point = PointOfCare(movement.unit, movement.room, movement.bed, movement.facility)
    place = await resolve_location(tx, movement.source, point, movement.establishment)
    fact = fact_of(movement, place)
    row = await _keep(tx, movement, fact)
    if row["patient"] != movement.patient_id:
        raise _other_patient(movement)
    facts = _facts(row["facts"])
    stay = history(facts)
    encounter = row["encounter"]
    versions: list[Version] = []
    if row["fresh"]:
        versions = await _write(tx, actor, movement, stay, facts, row)
        encounter = versions[0].id
        if row["encounter"] is None:
            await _begin(tx, movement, encounter, fact)
        await _follow(tx, movement, encounter, row["old_bed"], stay)
    return MovementResult(
        encounter,
        movement.patient_id,
        stay.status,
        changed=bool(row["fresh"]),
        warnings=stay.anomalies,
        versions=tuple(versions),
    )


async def _keep(tx: Tx, movement: Movement, fact: Fact) -> Any:
    """Lock the stay and keep the message; gives back all that is known of the stay."""
    told = (
        movement.venue.system,
        movement.venue.value,
        movement.patient_id,
        fact.digest,
        movement.source,
        json.dumps(_stored(fact)),
    )
    if isinstance(tx, Shared):
        tx.claim(f"venue|{movement.venue.system}|{movement.venue.value}")
        return await tx.join(_keep_all, told)
    return (await _keep_all(tx, [told]))[0]


async def _keep_all(tx: Tx, movements: list[tuple[str, ...]]) -> list[Any]:
    *columns, facts = ([*column] for column in zip(*movements, strict=True))
    return await tx.fetch(Q["keep_movement"], *columns, tx.now, facts)


async def _write(
    tx: Tx, actor: Actor, movement: Movement, stay: Stay, facts: list[Fact], row: Any
) -> list[Version]:
    """Write the Encounter; boards of every unit the stay speaks of are told."""
    known = json.loads(row["body"]) if row["body"] else None
    body = encounters.encounter_of(known, movement.patient_id, movement.venue, stay)
    units = sorted({f.place.unit for f in facts if f.place and f.place.unit})
    topics = {"topics": [f"unit:{unit}" for unit in units]}
    change = Write(body, id=row["encounter"], facts=topics)
    with movements_tell():
        return await writes.apply(tx, actor, [change], reason=f"ADT {movement.event}")


async def _begin(tx: Tx, movement: Movement, encounter: str, fact: Fact) -> None:
    await tx.execute(
        Q["begin_stay"],
        tx.tenant,
        encounter,
        movement.patient_id,
        movement.venue.system,
        movement.venue.value,
        fact.digest,
        movement.source,
        tx.now,
        json.dumps(_stored(fact)),
    )


async def _follow(tx: Tx, movement: Movement, encounter: str, old_bed: str, stay: Stay) -> None:
    """Bring the ties, the board and the beds in step with the stay."""
    homes = await establishments_of(tx, {s.place.unit for s in stay.segments if s.place.unit})
    ties = encounters.ties_of(stay, homes)
    await relations.replace_for_encounter(
        tx,
        movement.patient_id,
        encounter,
        [relations.RelationRow(t.kind, t.starts, t.ends, t.unit, t.establishment) for t in ties],
    )
    await settle(tx, encounter, stay, homes, old_bed)


async def settle(tx: Tx, encounter: str, stay: Stay, homes: dict[str, str], old_bed: str) -> None:
    """Write where the stay stands now; the bed left, if any, waits for cleaning."""
    place = stay.place if stay.present or stay.expected else Place()
    last = stay.segments[-1] if stay.segments else None
    left_at = stay.end or (last.start if last else None)
    in_bed = place.bed if stay.present else None
    left = [old_bed] if old_bed and old_bed != in_bed else []
    dirty = bool(left) and left_at is not None and tx.now - left_at < CLEAN_AFTER_EXIT_WITHIN
    await tx.execute(
        Q["settle_stay"],
        tx.tenant,
        encounter,
        stay.status,
        stay.encounter_class,
        homes.get(stay.place.unit or "", ""),
        stay.place.unit or "",
        (last.medical_unit if last else None) or "",
        place.ward or "",
        place.room or "",
        place.bed or "",
        stay.start,
        stay.end,
        stay.expected_start,
        stay.expected_end,
        last.start if last else None,
        (stay.attending.name if stay.attending else None) or "",
        list(stay.anomalies),
        left,
        left_at,
        dirty and stay.status != "cancelled",
        stay.present,
    )


def _facts(stored: str) -> list[Fact]:
    """The facts in a JSON array."""
    rows: list[dict[str, Any]] = json.loads(f'{{"facts": {stored}}}')["facts"]
    return [_fact(row) for row in rows]


def _stored(fact: Fact) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for field in _FIELDS:
        value = getattr(fact, field)
        if isinstance(value, datetime):
            told[field] = value.isoformat()
        elif isinstance(value, Place | Attending):
            told[field] = asdict(value)
        elif value is not None:
            told[field] = value
    return told


def _fact(stored: dict[str, Any]) -> Fact:
    told = dict(stored)
    for name in _TIMES:
        if name in told:
            told[name] = datetime.fromisoformat(told[name])
    if "place" in told:
        told["place"] = Place(**told["place"])
    if "attending" in told:
        told["attending"] = Attending(**told["attending"])
    return Fact(**told)


async def facts_of(tx: Tx, encounter: str) -> list[Fact]:
    """Every movement message kept for a stay, in the order received."""
    rows = await tx.fetch(Q["facts"], tx.tenant, encounter)
    return [_fact(json.loads(row["fact"])) for row in rows]


def _other_patient(movement: Movement) -> Conflict:
    venue: Identifier = movement.venue
    return Conflict(
        "patients.venue-of-another",
        f"La venue {venue.value} est celle d'un autre patient.",
        f"Stay {venue.value} is that of another patient.",
        "Rien n'a été changé. Faites vérifier l'identité, puis rejouez le message.",
        "Nothing was changed. Have the identity checked, then replay the message.",
    )
