"""How do two identities become one, and how is that taken back?

A merge moves everything of the retired identity in one transaction and keeps what is needed to
restore it exactly. Undoing gives each thing back: what nobody touched since returns to its former
text; what was changed since keeps the change; what came since for a stay that moves back, follows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from liane.access import gate, relations, writes
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.base.errors import Conflict, NotFound
from liane.base.ids import new_id
from liane.fhir import json
from liane.rooms.patients.actions.projection import movements_tell
from liane.rooms.patients.rules import merging as rules
from liane.store import Tx
from liane.store.resources import Version, Write, read_many, vread
from liane.store.sql import queries

Q = queries("liane.rooms.patients", "merging.sql")
Resource = dict[str, Any]


async def merge(
    tx: Tx, actor: Actor, survivor: str, retired: str, *, source: str, at: datetime
) -> str:
    """Merge the identity `retired` into `survivor` (A40); returns the id of the merge.

    Repeating a merge changes nothing. Raises `Conflict` when one of them is already merged into
    somebody else, or when both are the same.
    """
    await gate.require(tx, actor, Permission.IDENTITY_MERGE)
    await tx.execute(Q["lock_patients"], sorted({survivor, retired}))
    repeated = await tx.fetchval(Q["open_merge"], tx.tenant, retired, survivor)
    if repeated is not None:
        return str(repeated)
    bodies = await _both(tx, survivor, retired)
    moved = await tx.fetch(Q["belongings"], tx.tenant, retired)
    changes = [
        Write(rules.survivor_after(bodies[survivor][1], bodies[retired][1]), id=survivor),
        Write(rules.retired_after(bodies[retired][1], survivor), id=retired),
        *(
            Write(rules.repointed(json.loads(r["body"]), retired, survivor), id=r["id"])
            for r in moved
        ),
    ]
    with movements_tell():
        versions = await writes.apply(tx, actor, changes, reason=f"merge from {source}")
    ties = await tx.fetch(Q["ties"], tx.tenant, retired)
    stays = await tx.fetch(Q["move_stays"], tx.tenant, retired, survivor, None)
    await relations.move_patient(tx, retired, survivor)
    led = await tx.fetch(Q["retire"], tx.tenant, retired, survivor)
    snapshot = {
        "survivor": {"before": bodies[survivor][0].version, "after": versions[0].version},
        "retired": {"before": bodies[retired][0].version, "after": versions[1].version},
        "resources": [
            {"type": r["type"], "id": r["id"], "before": r["version"], "after": v.version}
            for r, v in zip(moved, versions[2:], strict=True)
        ],
        "stays": [row["encounter"] for row in stays],
        "led": [row["patient"] for row in led],
        "ties": [_tie(row) for row in ties],
    }
    merge_id = new_id()
    await tx.execute(
        Q["keep_merge"],
        tx.tenant,
        merge_id,
        survivor,
        retired,
        source,
        at,
        tx.now,
        actor.id,
        json.dumps(snapshot),
    )
    return merge_id


async def _both(tx: Tx, survivor: str, retired: str) -> dict[str, tuple[Version, Resource]]:
    """Both identities, neither of them merged already."""
    found = await read_many(tx, "Patient", [survivor, retired])
    rows = {r["patient"]: r for r in await tx.fetch(Q["both"], tx.tenant, [survivor, retired])}
    missing = len({survivor, retired} & set(found)) < 2 or len(rows) < 2
    if missing or any(v.deleted for v in found.values()):
        raise Conflict(
            "patients.merge-impossible",
            "Ces deux identités ne peuvent pas être fusionnées : l'une manque.",
            "These identities cannot be merged: one is missing.",
            "Vérifiez les deux numéros.",
            "Check both numbers.",
        )
    if any(row["retired_into"] for row in rows.values()):
        raise Conflict(
            "patients.merged-already",
            "L'une de ces identités est déjà fusionnée avec une autre.",
            "One of these identities is already merged into another.",
            "Annulez d'abord cette fusion, ou fusionnez avec l'identité retenue.",
            "Undo that merge first, or merge with the surviving identity.",
        )
    return {id_: (version, json.loads(version.body)) for id_, version in found.items()}


async def undo_merge(tx: Tx, actor: Actor, merge_id: str) -> None:
    """Take a merge back. Undoing twice changes nothing.

    Raises `Conflict` when a later merge builds on this one.
    """
    await gate.require(tx, actor, Permission.IDENTITY_MERGE)
    row = await tx.fetchrow(Q["merge_of"], tx.tenant, merge_id)
    if row is None:
        raise NotFound(
            "patients.merge-unknown", "Cette fusion n'existe pas.", "There is no such merge."
        )
    if row["undone_at"] is not None:
        return
    survivor, retired = row["survivor"], row["retired"]
    if await tx.fetchval(Q["later_merges"], tx.tenant, merge_id, survivor):
        raise Conflict(
            "patients.merge-built-upon",
            "Une fusion plus récente s'appuie sur celle-ci.",
            "A later merge builds on this one.",
            "Annulez d'abord la plus récente.",
            "Undo the later one first.",
        )
    await tx.execute(Q["lock_patients"], sorted({survivor, retired}))
    snapshot = json.loads(row["snapshot"])
    changes = [
        *await _identities_back(tx, survivor, retired, snapshot),
        *await _belongings_back(tx, survivor, retired, snapshot),
    ]
    with movements_tell():
        await writes.apply(tx, actor, changes, reason="merge undone")
    await tx.execute(Q["restore"], tx.tenant, retired, snapshot["led"])
    await tx.fetch(Q["move_stays"], tx.tenant, survivor, retired, snapshot["stays"])
    await _ties_back(tx, survivor, retired, snapshot)
    await tx.execute(Q["undo"], tx.tenant, merge_id, tx.now, actor.id)


async def _identities_back(
    tx: Tx, survivor: str, retired: str, snapshot: dict[str, Any]
) -> list[Write]:
    now = await read_many(tx, "Patient", [survivor, retired])
    former = {
        id_: await _former(tx, "Patient", id_, snapshot[role]["before"])
        for role, id_ in (("survivor", survivor), ("retired", retired))
    }
    bodies = []
    for role, id_ in (("survivor", survivor), ("retired", retired)):
        if now[id_].version == snapshot[role]["after"]:
            bodies.append(former[id_])
        elif role == "survivor":
            body = json.loads(now[id_].body)
            bodies.append(rules.survivor_before(body, former[retired], former[survivor]))
        else:
            bodies.append(rules.retired_before(json.loads(now[id_].body), survivor))
    return [Write(body, id=body["id"]) for body in bodies]


async def _belongings_back(
    tx: Tx, survivor: str, retired: str, snapshot: dict[str, Any]
) -> list[Write]:
    """What moved returns; what came since for a stay that returns goes with it."""
    moved = {(entry["type"], entry["id"]): entry for entry in snapshot["resources"]}
    stays = set(snapshot["stays"]) | {id_ for kind, id_ in moved if kind == "Encounter"}
    changes = []
    for row in await tx.fetch(Q["belongings"], tx.tenant, survivor):
        entry = moved.get((row["type"], row["id"]))
        body = json.loads(row["body"])
        if entry is None and not rules.speaks_of(body, stays):
            continue
        if entry is not None and row["version"] == entry["after"]:
            body = await _former(tx, row["type"], row["id"], entry["before"])
        else:
            body = rules.repointed(body, survivor, retired)
        changes.append(Write(body, id=row["id"]))
    return changes


async def _former(tx: Tx, kind: str, id_: str, version: int) -> Resource:
    found = await vread(tx, kind, id_, version)
    if found is None:
        raise Conflict(
            "patients.snapshot-lost",
            "Une version nécessaire à l'annulation manque dans l'historique.",
            "A version needed to undo is missing from the history.",
            "Prévenez la direction informatique ; rien n'a été changé.",
            "Tell the IT department; nothing was changed.",
        )
    body: Resource = json.loads(found.body)
    return body


async def _ties_back(tx: Tx, survivor: str, retired: str, snapshot: dict[str, Any]) -> None:
    by_encounter: dict[str, list[relations.RelationRow]] = {}
    for tie in snapshot["ties"]:
        by_encounter.setdefault(tie["encounter"], []).append(_row(tie))
    for row in await tx.fetch(Q["ties"], tx.tenant, survivor):
        if row["encounter"] in snapshot["stays"] and row["encounter"] not in by_encounter:
            by_encounter[row["encounter"]] = [_row(_tie(row))]
    for encounter, rows in by_encounter.items():
        await relations.replace_for_encounter(tx, retired, encounter, rows)


def _tie(row: Any) -> dict[str, Any]:
    told = dict(row)
    for name in ("starts", "ends"):
        told[name] = told[name].isoformat() if told[name] else None
    return told


def _row(tie: dict[str, Any]) -> relations.RelationRow:
    return relations.RelationRow(
        kind=tie["kind"],
        starts=datetime.fromisoformat(tie["starts"]),
        ends=datetime.fromisoformat(tie["ends"]) if tie["ends"] else None,
        unit=tie["unit"],
        establishment=tie["establishment"],
        practitioner=tie["practitioner"],
    )
