"""How do many resources become versions in the record, in one or two round trips?

New resources cost one statement. Those that may exist are locked first, then replaced in one
statement. The store's tables are only written here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from liane.base.errors import Conflict, Invalid, NotFound
from liane.base.ids import is_fhir_id, new_id
from liane.fhir import json as fhir_json
from liane.store.columns import Columns, quoted
from liane.store.database import Tx
from liane.store.keys import keys_of
from liane.store.sql import queries
from liane.store.together import Shared
from liane.store.versions import Version, Write, render, whole_milliseconds

Q = queries("liane.store", "resources.sql")

BATCH_SIZE = 250
"""Resources in one statement; more are sent one batch after another."""
BREATH = 20
"""After so many resources (some 3 ms) other work of the process gets its turn."""

_Key = tuple[str, str]


@dataclass(slots=True)
class _Stored:
    """What the record holds now of one resource."""

    rid: int
    version: int
    updated: datetime
    patient: str | None
    at: datetime | None
    body: str
    keys: set[int]


async def write_many(tx: Tx, writes: Sequence[Write]) -> list[Version]:
    """Store all writes, in order, and give their versions.

    An id that is not known is created with it; a body equal to the current one makes no new
    version; deleting what is absent gives the existing deletion, or an empty version 0. Raises
    `Conflict` for a stale `if_match` or a resource that must be new and is not.
    """
    if not writes:
        return []
    if isinstance(tx, Shared):
        versions: list[Version] = await tx.join(_store_for_all, writes)
    else:
        versions = await _store(tx, writes)
    for project in tx.database.projections:
        await project(tx, versions)
    return versions


async def _store_for_all(tx: Tx, requests: list[Sequence[Write]]) -> list[list[Version]]:
    """The writes of several pieces of work; those that name the same resource one by one."""
    named = [write.id or write.resource.get("id") for writes in requests for write in writes]
    known = [id_ for id_ in named if id_]
    if len(set(known)) < len(known):
        return [await _store(tx, writes) for writes in requests]
    versions = iter(await _store(tx, [write for writes in requests for write in writes]))
    return [[next(versions) for _ in writes] for writes in requests]


async def _store(tx: Tx, writes: Sequence[Write]) -> list[Version]:
    now = whole_milliseconds(tx.now)
    planned = [_planned(write) for write in writes]
    _refuse_twice(planned)
    known = [key for key, write in zip(planned, writes, strict=True) if _may_exist(write)]
    stored, buried = await _lock(tx, known)
    rids = await tx.database.rids.take(tx.connection, len(writes) - len(stored))
    rids.reverse()
    versions: list[Version] = []
    async with _Sending(tx, now) as sending:
        for n, (key, write) in enumerate(zip(planned, writes, strict=True), 1):
            current = stored.get(key)
            if current is None:
                last = buried.get(key, 0)
                versions.append(_create(sending.new, tx.tenant, key, write, last, now, rids))
            else:
                versions.append(_change(sending.old, tx.tenant, key, write, current, now))
            if n % BATCH_SIZE == 0:
                await sending.next_batch()
            if n % BREATH == 0:
                await asyncio.sleep(0)
    return versions


class _Sending:
    """Sends one batch while the next is prepared. A write that turns out to be impossible fails
    the transaction, and what was sent before goes with it.
    """

    def __init__(self, tx: Tx, now: datetime) -> None:
        self._tx, self._now = tx, now
        self._under_way: asyncio.Task[None] | None = None
        self.new, self.old = Columns(), Columns()

    async def next_batch(self) -> None:
        """What was gathered leaves as soon as the batch before it has arrived."""
        await self._arrived()
        batch = _send(self._tx, self.new, self.old, self._now)
        self._under_way = asyncio.create_task(batch)
        self.new, self.old = Columns(), Columns()

    async def _arrived(self) -> None:
        if self._under_way is not None:
            await self._under_way

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            # The connection must be free before the transaction can be undone.
            if self._under_way is not None:
                await asyncio.gather(self._under_way, return_exceptions=True)
            return
        await self._arrived()
        await _send(self._tx, self.new, self.old, self._now)


async def _send(tx: Tx, new: Columns, old: Columns, now: datetime) -> None:
    if new.rids:
        await tx.execute(Q.insert_new, *new.arguments(tx.tenant, now))
    if old.rids or old.gone_rids:
        old.keep_common()
        await tx.execute(Q.replace, *old.replacing_arguments(tx.tenant, now))


def _planned(write: Write) -> _Key:
    type_ = write.resource.get("resourceType")
    if not isinstance(type_, str):
        raise Invalid(
            "store.no-type", "La ressource n'a pas de type.", "The resource has no resourceType."
        )
    id_ = write.id or write.resource.get("id") or new_id()
    if not isinstance(id_, str) or not is_fhir_id(id_):
        raise Invalid(
            "store.bad-id", "Identifiant de ressource invalide.", "Not a valid resource id."
        )
    return type_, id_


def _may_exist(write: Write) -> bool:
    return bool(write.id or write.resource.get("id"))


def _refuse_twice(planned: Sequence[_Key]) -> None:
    if len(set(planned)) != len(planned):
        raise Invalid(
            "store.same-resource-twice",
            "La même ressource est écrite deux fois dans un seul envoi.",
            "The same resource is written twice in one request.",
        )


async def _lock(tx: Tx, keys: Sequence[_Key]) -> tuple[dict[_Key, _Stored], dict[_Key, int]]:
    """What is there now, locked, and the last version of what was deleted."""
    stored: dict[_Key, _Stored] = {}
    buried: dict[_Key, int] = {}
    if not keys:
        return stored, buried
    types, ids = quoted(key[0] for key in keys), quoted(key[1] for key in keys)
    rows = await tx.fetch(Q.lock, types, ids)
    for row in rows:
        key = keys[row["n"] - 1]
        if row["rid"] is None:
            buried[key] = row["version"]
        else:
            stored[key] = _Stored(
                row["rid"],
                row["version"],
                row["updated"],
                row["patient"],
                row["at"],
                row["body"],
                set(row["keys"]),
            )
    return stored, buried


def _create(
    new: Columns, tenant: int, key: _Key, write: Write, last: int, now: datetime, rids: list[int]
) -> Version:
    if write.deletes:
        return Version(*key, last, now, True, "")
    if write.if_match is not None:
        raise stale(key, write.if_match, last)
    resource = {**write.resource, "id": key[1]}
    version = Version(*key, last + 1, now, False, render(resource, last + 1, now), resource)
    new.add(rids.pop(), version, keys_of(tenant, resource), _facts(write))
    return version


def _change(
    old: Columns, tenant: int, key: _Key, write: Write, current: _Stored, now: datetime
) -> Version:
    if write.must_be_new:
        raise Conflict(
            "store.exists",
            f"{key[0]}/{key[1]} existe déjà.",
            f"{key[0]}/{key[1]} exists already.",
        )
    if write.if_match is not None and write.if_match != current.version:
        raise stale(key, write.if_match, current.version)
    number = current.version + 1
    if write.deletes:
        old.gone_rids.append(current.rid)
        old.gone.append((*key, number, current.patient))
        old.words_out.append(current.rid)
        old.forget(
            current.rid, current.keys, current.at, keys_of(tenant, fhir_json.loads(current.body))
        )
        return Version(*key, number, now, True, "")
    wanted = write.resource
    if write.revise is not None:
        held = Version(*key, current.version, current.updated, False, current.body)
        revised = write.revise(held)
        if revised is None:
            return held
        wanted = revised
    resource = {**wanted, "id": key[1]}
    if render(resource, current.version, current.updated) == current.body:
        return Version(*key, current.version, current.updated, False, current.body)
    now = max(now, current.updated)
    version = Version(*key, number, now, False, render(resource, number, now), resource)
    keys = keys_of(tenant, resource)
    old.add(current.rid, version, keys, _facts(write))
    old.forget(
        current.rid, current.keys, current.at, keys_of(tenant, fhir_json.loads(current.body))
    )
    if keys.words is None:
        old.words_out.append(current.rid)
    return version


def _facts(write: Write) -> str | None:
    return None if write.facts is None else fhir_json.dumps(write.facts)


def stale(key: _Key, wanted: int, actual: int) -> Conflict:
    """The writer has read an older version than the record holds."""
    if actual == 0:
        raise NotFound(
            "store.not-found", f"{key[0]}/{key[1]} n'existe pas.", f"{key[0]}/{key[1]} is absent."
        )
    return Conflict(
        "store.version-mismatch",
        f"{key[0]}/{key[1]} a changé depuis votre lecture.",
        f"{key[0]}/{key[1]} has changed since you read it.",
        "Relisez, puis refaites votre modification.",
        "Read it again, then make your change.",
        wanted=wanted,
        actual=actual,
    )
