"""What trace does each act leave, and how is it committed with the act itself?

An entry and its leaf hash are written in the transaction of the act: one statement, no shared row
locked. The sealer (`sealing`) later gives each committed entry its place in the chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from liane.access.actor import Actor
from liane.base.ids import new_id
from liane.store import Database, Tx
from liane.store.sql import queries
from liane.store.together import Shared

if TYPE_CHECKING:
    from liane.access.verification import Break
    from liane.access.witness import Witness

Q = queries("liane.access", "journal.sql")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that was done or refused. `detail` never holds a clinical value."""

    action: str
    patient: str | None = None
    resource: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = "ok"
    purpose: str = "treatment"


Columns = tuple[Any, ...]


def leaf_hash(columns: Columns) -> bytes:
    """SHA-256 of one entry: the compact JSON array, in UTF-8, of tenant, instant (microseconds
    since 1970), actor, actor_kind, actor_name, actor_role, session, action, purpose,
    establishment, patient, resource, outcome, detail (its exact text) and id.
    """
    tenant, at, *middle, entry_id = columns
    return hashlib.sha256(orjson.dumps([tenant, _micros(at), *middle, str(entry_id)])).digest()


def _micros(at: datetime) -> int:
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def columns_of(tenant: int, at: datetime, actor: Actor, act: Act) -> Columns:
    """The entry as it is stored, in the order of `leaf_hash`."""
    return (
        tenant,
        at,
        _clean(actor.id),
        actor.kind,
        _clean(actor.name),
        ",".join(sorted({role.code for role in actor.roles})),
        actor.session,
        _clean(act.action),
        act.purpose,
        actor.home_establishment or "",
        None if act.patient is None else _clean(act.patient),
        None if act.resource is None else _clean(act.resource),
        act.outcome,
        _detail(act.detail),
        UUID(new_id()),
    )


def _clean(text: str) -> str:
    """Text that PostgreSQL can hold: no NUL, no lone surrogate."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _detail(detail: Mapping[str, Any]) -> str:
    return _clean(json.dumps(detail, ensure_ascii=True, sort_keys=True, default=str))


async def record(
    tx: Tx,
    actor: Actor,
    action: str,
    *,
    patient: str | None = None,
    resource: str | None = None,
    detail: Mapping[str, Any] | None = None,
    outcome: str = "ok",
    purpose: str = "treatment",
) -> None:
    """Write one entry in the caller's transaction."""
    act = Act(action, patient, resource, detail or {}, outcome, purpose)
    columns = columns_of(tx.tenant, tx.now, actor, act)
    await tx.execute(Q["insert_one"], *columns, leaf_hash(columns))


async def record_many(tx: Tx, actor: Actor, acts: Iterable[Act]) -> None:
    """Write several entries of one actor in one statement."""
    await insert_columns(tx, [columns_of(tx.tenant, tx.now, actor, act) for act in acts])


async def insert_columns(tx: Tx, entries: list[Columns]) -> None:
    """Write prepared entries: one statement whatever their number."""
    if not entries:
        return
    if isinstance(tx, Shared):
        await tx.join(_insert_for_all, entries)
        return
    if len(entries) == 1:
        await tx.execute(Q["insert_one"], *entries[0], leaf_hash(entries[0]))
        return
    hashes = [leaf_hash(entry) for entry in entries]
    lists = [list(column) for column in zip(*entries, strict=True)]
    await tx.execute(Q["insert_many"], *lists, hashes)


async def _insert_for_all(tx: Tx, requests: list[list[Columns]]) -> list[None]:
    await insert_columns(tx, [entry for entries in requests for entry in entries])
    return [None] * len(requests)


async def record_reads(
    database: Database,
    actor: Actor,
    action: str,
    *,
    patients: Sequence[str | None] = (None,),
    resource: str | None = None,
    detail: Mapping[str, Any] | None = None,
    outcome: str = "ok",
    purpose: str = "treatment",
) -> None:
    """Journal one read, one entry per patient shown; returns once its batch is committed.

    Release the answer only after this returns (`journal_reads` tells how batches form).
    """
    from liane.access.journal_reads import reads_of

    acts = [Act(action, patient, resource, detail or {}, outcome, purpose) for patient in patients]
    await reads_of(database).record(actor, acts)


async def verify(tx: Tx, witness: Witness | None = None) -> list[Break]:
    """Every place where the journal does not hold, first one first (see `verification`)."""
    from liane.access.verification import verify_in

    return (await verify_in(tx, witness)).breaks
