"""How do Patient, Encounter, Location and Organization resources enter when written as such?

The FHIR API and the import write whole resources. They are stored as they are, and what the room
keeps beside them (search, numbers, stays, beds, units, ties) follows in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from liane.access import relations, writes
from liane.access.actor import Actor
from liane.base.errors import Invalid, Issue
from liane.fhir import json
from liane.fhir.validation import validate
from liane.rooms.patients.rules import encounters
from liane.store import Tx
from liane.store.resources import Version, Write
from liane.store.sql import queries

from . import places
from .identity import index

Q = queries("liane.rooms.patients", "movements.sql")
TYPES = ("Patient", "Encounter", "Location", "Organization")
KEPT_AFTER_EXIT = timedelta(days=30)
"""Stays ended before that are found in their Encounter only, not on boards or in search."""
Resource = dict[str, Any]


async def write_resources(
    tx: Tx, actor: Actor, changes: Sequence[Write], *, reason: str
) -> list[Version]:
    """Write resources of this room's types. Raises `Invalid` with every blocking finding."""
    findings = [f for change in changes if not change.deletes for f in _blocking(change)]
    if findings:
        first = findings[0]
        raise Invalid(
            "patients.invalid",
            f"Ressource refusée : {first.fr} ({first.path}).",
            f"Resource refused: {first.en} ({first.path}).",
            "Corrigez les points listés puis renvoyez ; rien n'a été enregistré.",
            "Correct the points listed and send again; nothing was stored.",
            issues=tuple(findings),
        )
    versions = await writes.apply(tx, actor, changes, reason=reason)
    await follow(tx, versions)
    return versions


def _blocking(change: Write) -> list[Issue]:
    return [issue for issue in validate(change.resource) if issue.severity in ("fatal", "error")]


async def follow(tx: Tx, versions: Sequence[Version]) -> None:
    """Bring what the room keeps beside these resources in step with them."""
    bodies: dict[str, list[Resource]] = {kind: [] for kind in TYPES}
    for version in versions:
        if not version.deleted and version.type in bodies:
            bodies[version.type].append(json.loads(version.body))
    gone = [v.id for v in versions if v.deleted and v.type == "Patient"]
    if gone:
        await tx.execute(Q["forget_patients"], tx.tenant, gone)
    if bodies["Patient"]:
        await index(tx, bodies["Patient"])
    structure = bodies["Organization"] + bodies["Location"]
    if structure:
        await places.project(tx, structure)
    if bodies["Encounter"]:
        await _adopt(tx, bodies["Encounter"])


async def _adopt(tx: Tx, stays: Sequence[Resource]) -> None:
    rows = [row for stay in stays if (row := encounters.stay_row(stay)) is not None]
    recent = tx.now - KEPT_AFTER_EXIT
    current = [row for row in rows if row["ends"] is None or row["ends"] > recent.isoformat()]
    if not current:
        return
    adopted = await tx.fetch(Q["adopt_stays"], tx.tenant, json.dumps(current))
    for row in adopted:
        ties = encounters.ties_of_row(row)
        await relations.replace_for_encounter(
            tx,
            row["patient"],
            row["encounter"],
            [relations.RelationRow(*_columns(tie)) for tie in ties],
        )


def _columns(tie: encounters.Tie) -> tuple[Any, ...]:
    return tie.kind, tie.starts, tie.ends, tie.unit, tie.establishment
