"""How does a change enter the record, with its trace, in one transaction?

The only way rooms write resources: the store keeps them, the journal tells of them, and the lean
tables the gate reads (protected identities, staff, roles) follow in the same transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from liane.access import journal as journal_of
from liane.access import staff
from liane.access.actor import Actor
from liane.access.compartment import is_protected, patient_of
from liane.access.journal import Act
from liane.access.permissions import Permission
from liane.access.policy import permissions_of
from liane.base.errors import Denied
from liane.store import Tx
from liane.store.resources import Version, Write, write_many
from liane.store.sql import queries

Q = queries("liane.access", "writes.sql")

LISTED_AT_MOST = 50
"""References named in one journal entry; beyond, their number and a digest of all of them."""


async def apply(
    tx: Tx, actor: Actor, writes: Sequence[Write], *, reason: str, journal: bool = True
) -> list[Version]:
    """Store the writes and journal them, one entry per patient touched (one more for the writes
    that touch none). `reason` is a short word for people (`ADT A02`, `note`), never a value.

    The caller has already asked the gate. Raises what `store.resources.write_many` raises, and
    `Denied` when someone without the right would change what people may do here.
    """
    if not writes:
        return []
    types = {_type_of(write) for write in writes}
    if types & staff.TYPES:
        _require_staff_admin(actor)
    versions = await write_many(tx, writes)
    if "Patient" in types:
        await _follow_protection(tx, writes, versions)
    if types & staff.TYPES:
        await staff.follow(tx, zip(writes, versions, strict=True))
    if journal:
        pairs = zip(writes, versions, strict=True)
        await journal_of.record_many(tx, actor, _acts(pairs, reason))
    return versions


def _type_of(write: Write) -> str:
    return str(write.resource.get("resourceType", ""))


def _require_staff_admin(actor: Actor) -> None:
    """Nobody gives himself a role: among people, only those who manage accounts write these."""
    if actor.kind in ("system", "client"):
        return
    if any(Permission.STAFF_ADMIN in permissions_of(role.code) for role in actor.roles):
        return
    raise Denied(
        "access.staff-admin",
        "Votre compte ne peut pas modifier les rôles du personnel.",
        "Your account cannot change what people may do here.",
    )


def _acts(pairs: Iterable[tuple[Write, Version]], reason: str) -> list[Act]:
    touched: dict[str | None, list[str]] = {}
    deleted = False
    for write, version in pairs:
        patient = version.id if version.type == "Patient" else patient_of(write.resource)
        touched.setdefault(patient, []).append(f"{version.type}/{version.id}/{version.version}")
        deleted = deleted or write.deletes
    action = "delete" if deleted else "write"
    return [
        Act(action, patient, _main(references), _detail(references, reason))
        for patient, references in touched.items()
    ]


def _main(references: list[str]) -> str:
    return references[0].rsplit("/", 1)[0]


def _detail(references: list[str], reason: str) -> dict[str, Any]:
    detail: dict[str, Any] = {"reason": reason, "versions": references[:LISTED_AT_MOST]}
    if len(references) > LISTED_AT_MOST:
        detail["count"] = len(references)
        detail["sha256"] = hashlib.sha256("\n".join(references).encode()).hexdigest()
    return detail


async def _follow_protection(tx: Tx, writes: Sequence[Write], versions: Sequence[Version]) -> None:
    """Keep `access.protected_patient` in step with the Patient resources just written."""
    wanted: dict[str, bool] = {}
    for write, version in zip(writes, versions, strict=True):
        if version.type == "Patient":
            wanted[version.id] = not version.deleted and is_protected(_body(write, version))
    await tx.execute(
        Q["follow_protection"],
        tx.tenant,
        [patient for patient, protected in wanted.items() if protected],
        [patient for patient, protected in wanted.items() if not protected],
    )


def _body(write: Write, version: Version) -> dict[str, Any]:
    """The resource as written; an unchanged or patched one is read from the stored text."""
    if "meta" in write.resource or "extension" in write.resource:
        return write.resource
    return dict(json.loads(version.body)) if version.body else {}
