"""What is known of one identity, who could be the same person, and what was merged?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liane.base.errors import NotFound
from liane.fhir import json
from liane.rooms.patients.rules import indexing
from liane.rooms.patients.rules.identity import INS_SYSTEMS, differing
from liane.rooms.patients.rules.likeness import PROBABLE_DUPLICATE, duplicate_score
from liane.rooms.patients.rules.people import Person, person_of
from liane.store import Tx
from liane.store.resources import history
from liane.store.sql import queries

Q = queries("liane.rooms.patients", "identities.sql")
DISCREPANCIES = queries("liane.rooms.patients", "identity.sql")
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Number:
    """One number of the identity. The INS is told apart: it is shown on demand only."""

    value: str
    type: str
    use: str
    system: str
    national: bool


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Somebody who may be the same person."""

    person: Person
    score: float
    differs: tuple[str, ...]
    ipps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything the identity page shows of one identity."""

    person: Person
    birth_place: str
    source: str
    retired_into: str | None
    numbers: tuple[Number, ...]
    body: Resource


async def read_dossier(tx: Tx, patient: str) -> Dossier:
    """One identity. Raises `NotFound` when there is none of that id."""
    row = await tx.fetchrow(Q["row"], tx.tenant, patient)
    versions = await history(tx, "Patient", patient, count=1)
    if row is None or not versions or versions[0].deleted:
        raise NotFound(
            "patients.unknown", "Cette identité n'existe pas.", "There is no such identity."
        )
    body: Resource = json.loads(versions[0].body)
    return Dossier(
        person=person_of(dict(row)),
        birth_place=row["birth_place"],
        source=row["source"],
        retired_into=row["retired_into"],
        numbers=tuple(_number(n) for n in body.get("identifier") or [] if n.get("value")),
        body=body,
    )


def _number(number: Resource) -> Number:
    system = str(number.get("system", ""))
    return Number(
        value=str(number["value"]),
        type=indexing.type_code(number),
        use=str(number.get("use", "")),
        system=system,
        national=system in INS_SYSTEMS,
    )


async def probable_duplicates(tx: Tx, person: Person) -> list[Duplicate]:
    """Identities that are probably the same person, the most probable first."""
    words = indexing.words_of(person.traits.birth_name or person.traits.used_name)[:1]
    sounds = [(indexing.sounds_of([word]) or ["?"])[0] for word in words]
    births = [person.born_text] if person.born_text else []
    if not words and not births:
        return []
    rows = await tx.fetch(Q["alike"], tx.tenant, person.id, words, sounds, births)
    found = []
    for row in rows:
        other = person_of(dict(row))
        score = duplicate_score(person.traits, other.traits)
        if score >= PROBABLE_DUPLICATE:
            differs = differing(person.traits, other.traits)
            found.append(Duplicate(other, score, differs, tuple(row["ipps"])))
    return sorted(found, key=lambda d: -d.score)[:8]


async def merges_of(tx: Tx, patient: str) -> list[dict[str, Any]]:
    """Merges that concern this identity."""
    return [dict(row) for row in await tx.fetch(Q["merges"], tx.tenant, patient)]


async def stays_of(tx: Tx, patient: str) -> list[dict[str, Any]]:
    """The latest stays of this identity."""
    return [dict(row) for row in await tx.fetch(Q["stays"], tx.tenant, patient)]


async def belongings_of(tx: Tx, patient: str) -> list[tuple[str, int]]:
    """How many resources of each type would move with this identity."""
    rows = await tx.fetch(Q["belongings"], tx.tenant, patient)
    return [(row["type"], row["number"]) for row in rows]


async def discrepancies_of(tx: Tx, patient: str) -> list[dict[str, Any]]:
    """What other sources say differently, still open."""
    rows = await tx.fetch(DISCREPANCIES["discrepancies"], tx.tenant, patient)
    return [dict(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Past:
    """One earlier state of the identity."""

    version: int
    at: datetime
    changed: tuple[tuple[str, str, str], ...]
    """Trait, before, after."""


async def past_of(tx: Tx, patient: str) -> list[Past]:
    """How the traits and the status changed, latest first."""
    versions = [v for v in await history(tx, "Patient", patient, count=30) if not v.deleted]
    rows = [indexing.index_row(json.loads(v.body)) for v in versions]
    told = ("birth_name", "given", "birth_date", "sex", "birth_place", "used_name", "status")
    found = []
    for number, version in enumerate(versions):
        before = rows[number + 1] if number + 1 < len(rows) else None
        changed = tuple(
            (name, str(before[name]), str(rows[number][name]))
            for name in told
            if before is not None and before[name] != rows[number][name]
        )
        found.append(Past(version.version, version.updated, changed))
    return found


@dataclass(frozen=True, slots=True)
class Task:
    """One identity that asks for the identity staff."""

    person: Person
    unit: str
    differences: int


async def worklist(tx: Tx, most: int = 60) -> list[Task]:
    """Open differences first, then present patients whose identity is not sure."""
    rows = await tx.fetch(Q["worklist"], tx.tenant, most)
    return [Task(person_of(dict(r)), r["unit_name"], r["differences"]) for r in rows]


async def recent_merges(tx: Tx) -> list[dict[str, Any]]:
    """The latest merges of the group."""
    return [dict(row) for row in await tx.fetch(Q["recent_merges"], tx.tenant)]


async def require_merge_of(tx: Tx, patient: str, merge_id: str) -> None:
    """Raise `NotFound` unless the merge concerns this patient (the page's patient is the act's)."""
    if all(row["id"] != merge_id for row in await merges_of(tx, patient)):
        raise NotFound(
            "patients.merge-unknown", "Cette fusion n'existe pas.", "There is no such merge."
        )
