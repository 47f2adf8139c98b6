"""What does the room keep beside its resources, and how does it stay in step with them?

Called inside every write, whoever writes: a message, the FHIR API, the import. Search and numbers
follow Patient; units and beds follow Organization and Location; stays and ties follow Encounter,
unless movements tell the stay, in which case the movements alone do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from liane.access import relations
from liane.fhir import json
from liane.rooms.patients.actions import structure
from liane.rooms.patients.rules import encounters, indexing
from liane.store import Tx
from liane.store.resources import Version
from liane.store.sql import queries

STAYS = queries("liane.rooms.patients", "movements.sql")
PLACES = queries("liane.rooms.patients", "places.sql")
IDENTITIES = queries("liane.rooms.patients", "identity.sql")
TYPES = ("Patient", "Encounter", "Location", "Organization")
KEPT_AFTER_EXIT = timedelta(days=30)
"""Stays ended before that are found in their Encounter only, not on boards or in search."""
Resource = dict[str, Any]

_told_by_movements: ContextVar[bool] = ContextVar("stay told by movements", default=False)

_identity_told: ContextVar[dict[str, Any] | None] = ContextVar("who tells identity", default=None)


@contextmanager
def identity_told(
    source: str, digest: str, at: datetime | None, *, gave_traits: bool
) -> Iterator[None]:
    """The Patient written inside is what `source` said: it is remembered with the search row, so
    that a repetition is known and the owner of the traits too.
    """
    told = {"heard": {source: digest}, "traits_at": at.isoformat() if at else None}
    token = _identity_told.set({**told, "source": source if gave_traits else ""})
    try:
        yield
    finally:
        _identity_told.reset(token)


@contextmanager
def movements_tell() -> Iterator[None]:
    """What is written inside settles the stays itself (movements, merges)."""
    token = _told_by_movements.set(True)
    try:
        yield
    finally:
        _told_by_movements.reset(token)


async def project(tx: Tx, versions: Sequence[Version]) -> None:
    """Bring what the room keeps in step with these versions; other types are passed over."""
    ours = {(v.type, v.id): v for v in versions if v.type in TYPES}
    if not ours:
        return
    bodies: dict[str, list[Resource]] = {kind: [] for kind in TYPES}
    for (kind, _), version in ours.items():
        if not version.deleted:
            bodies[kind].append(version.resource)
    await _forget(tx, [key for key, version in ours.items() if version.deleted])
    if bodies["Patient"]:
        told = _identity_told.get() or {}
        rows = [indexing.index_row(patient) | told for patient in bodies["Patient"]]
        await tx.execute(IDENTITIES["index_patients"], tx.tenant, json.dumps(rows))
    places = bodies["Organization"] + bodies["Location"]
    if places:
        await structure.project(tx, places)
    if bodies["Encounter"] and not _told_by_movements.get():
        await _adopt(tx, bodies["Encounter"])


async def _forget(tx: Tx, gone: Sequence[tuple[str, str]]) -> None:
    """What was deleted is no longer found, on no board, and opens no chart."""
    if not gone:
        return
    by_kind = {kind: [id_ for found, id_ in gone if found == kind] for kind in TYPES}
    if by_kind["Patient"]:
        await tx.execute(IDENTITIES["forget_patients"], tx.tenant, by_kind["Patient"])
    if by_kind["Location"] or by_kind["Organization"]:
        places = (by_kind["Location"], by_kind["Organization"])
        await tx.execute(PLACES["forget_places"], tx.tenant, *places)
    if by_kind["Encounter"]:
        await tx.execute(STAYS["forget_stays"], tx.tenant, by_kind["Encounter"])
        for encounter in by_kind["Encounter"]:
            await relations.replace_for_encounter(tx, "", encounter, [])


async def _adopt(tx: Tx, stays: Sequence[Resource]) -> None:
    rows = [row for stay in stays if (row := encounters.stay_row(stay)) is not None]
    recent = (tx.now - KEPT_AFTER_EXIT).isoformat()
    current = [row for row in rows if row["ends"] is None or row["ends"] > recent]
    if not current:
        return
    for row in await tx.fetch(STAYS["adopt_stays"], tx.tenant, json.dumps(current)):
        ties = [relations.RelationRow(*_columns(tie)) for tie in encounters.ties_of_row(row)]
        await relations.replace_for_encounter(tx, row["patient"], row["encounter"], ties)


def _columns(tie: encounters.Tie) -> tuple[Any, ...]:
    return tie.kind, tie.starts, tie.ends, tie.unit, tie.establishment
