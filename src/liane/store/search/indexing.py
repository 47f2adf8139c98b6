"""How does a new search parameter come to know the resources that were there before it?

By walking over them in the order of their rows, a few hundred in each transaction, while writes go
on: a row is locked while its keys are put right, so neither overtakes the other. The walk remembers
where it is; a worker that dies leaves it to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from liane.base.errors import LianeError
from liane.fhir import json as fhir_json
from liane.fhir.search_values import Extracted
from liane.store import jobs
from liane.store.database import Database, Tx
from liane.store.keys import Keys, keys_of, keys_of_values, order_of
from liane.store.search.custom import FRESH_SECONDS, JOB, Custom, Q, _custom, former_of, refresh
from liane.store.versions import Version

BATCH = 200
WHOLE = "$reindex"
"""The id of a run over everything."""
PATIENCE_SECONDS = 600.0
WINDOW = 20_000
"""For so many resources at once a walk over everything reads the dates, numbers and texts they are
filed under: these tables lead from values to rows, so each window reads them whole.
"""

Change = Callable[[str, dict[str, Any]], tuple[Keys, Keys | None]]
"""Given a type and a resource: the keys to add and those to remove; None: all others."""


async def run_job(database: Database, job: jobs.Job) -> None:
    """Make, change or take down the index of one parameter, or walk over everything."""
    id_ = str(job.payload["id"])
    async with database.transaction() as tx:
        row = await tx.fetchrow(Q.one, id_)
    if row is None or row["state"] in ("active", "wrong", "done"):
        return
    await _all_know(database, row)
    custom, former = _custom(row), former_of(row)
    tenant = database.tenant
    if custom.kind == "*":
        types = list(custom.bases)
        await _walk(
            database, id_, types, lambda _type, body: (keys_of(tenant, body), None), Held(types)
        )
        await _turn(database, id_, "done")
    elif custom.state == "removing":
        gone = [one for one in (custom, former) if one is not None]
        await _walk(database, id_, _bases(gone), _changing(tenant, [], gone))
        async with database.transaction() as tx:
            await tx.execute(Q.forget, id_)
    else:
        gone = [former] if former is not None else []
        await _walk(database, id_, _bases([custom, *gone]), _changing(tenant, [custom], gone))
        await _turn(database, id_, "active")
    async with database.reading() as tx:
        await refresh(tx)


async def _all_know(database: Database, row: Any) -> None:
    """Wait until every process files by the parameter, and what was begun before has ended."""
    asked_at = row["changed"]
    wait = (asked_at + timedelta(seconds=2 * FRESH_SECONDS) - datetime.now(UTC)).total_seconds()
    await asyncio.sleep(max(0.0, min(wait, 2 * FRESH_SECONDS)))
    async with database.transaction() as tx:
        await refresh(tx)
        now = await tx.fetchval("select pg_current_xact_id()::text")
    for _ in range(int(PATIENCE_SECONDS * 10)):
        async with database.reading() as tx:
            if await tx.fetchval(Q.settled, now):
                return
        await asyncio.sleep(0.1)
    raise TimeoutError("a transaction stays open")


def _bases(customs: Iterable[Custom]) -> list[str]:
    return sorted({base for one in customs for base in one.bases})


def _changing(tenant: int, new: Sequence[Custom], gone: Sequence[Custom]) -> Change:
    def change(type_: str, resource: dict[str, Any]) -> tuple[Keys, Keys | None]:
        return _keys(tenant, type_, resource, new), _keys(tenant, type_, resource, gone)

    return change


def _keys(tenant: int, type_: str, resource: dict[str, Any], customs: Sequence[Custom]) -> Keys:
    found = Extracted(resource)
    for one in customs:
        if type_ in one.bases:
            one.add(resource, found)
    return keys_of_values(tenant, type_, found)


class Held:
    """Under which dates, numbers and texts are the next rows filed, rightly or not?"""

    def __init__(self, types: Sequence[str]) -> None:
        self.types = list(types)
        self.end = -1
        self.rows: dict[int, Keys] = {}

    async def reach(self, database: Database, start: int) -> None:
        """Know the rows after `start`, up to `end`; whatever is written later is right."""
        if start < self.end:
            return
        self.rows = {}
        async with database.reading() as tx:
            end = await tx.fetchval(Q.window, start, self.types, WINDOW)
            self.end = start if end is None else end
            for what in ("dates", "numbers", "texts"):
                for rid, *value in await tx.fetch(Q[f"held_{what}"], start, self.end, self.types):
                    getattr(self.rows.setdefault(rid, Keys()), what).add(tuple(value))

    def beside(self, rid: int, stored: set[int], wanted: Keys) -> Keys:
        """What the row is filed under and should not be."""
        held = self.rows.get(rid, Keys())
        rest = stored - wanted.all
        return Keys(
            all=rest, indexed=rest, dates=held.dates, numbers=held.numbers, texts=held.texts
        )


async def _walk(
    database: Database, id_: str, types: list[str], change: Change, held: Held | None = None
) -> None:
    async with database.transaction() as tx:
        total = await tx.fetchval(Q.how_many, types)
        row = await tx.fetchrow(Q.one, id_)
        state = row["state"] if row["state"] == "removing" else "indexing"
        await tx.execute(Q.began, id_, state, total, tx.now)
        last = row["last_rid"]
    while last is not None:
        if held is not None:
            await held.reach(database, last)
        last = await _stretch(database, id_, types, change, last, held)


async def _stretch(
    database: Database,
    id_: str,
    types: list[str],
    change: Change,
    start: int,
    held: Held | None,
) -> int | None:
    """A step that met a writer's lock the wrong way round is done again."""
    for attempt in range(5):
        try:
            return await _batch(database, id_, types, change, start, held)
        except LianeError:
            if attempt == 4:
                raise
            await asyncio.sleep(0.05 * (attempt + 1))
    raise AssertionError


async def _batch(
    database: Database,
    id_: str,
    types: list[str],
    change: Change,
    start: int,
    held: Held | None,
) -> int | None:
    """Put right the next rows; the last row number, or None at the end."""
    async with database.transaction() as tx:
        rows = await tx.fetch(Q.stretch, start, types, BATCH)
        if not rows:
            return None
        if held is not None:
            rows = [row for row in rows if row["rid"] <= held.end]
            if not rows:
                return held.end
        rewriting = _Rewriting()
        for row in rows:
            add, remove = change(row["type"], fhir_json.loads(row["body"]))
            stored = set(row["keys"])
            if held is not None:
                remove = held.beside(row["rid"], stored, add)
            rewriting.row(row["rid"], row["at"], stored, add, remove or Keys())
        await rewriting.send(tx)
        last: int = rows[-1]["rid"]
        await tx.execute(Q.progressed, id_, len(rows), last)
    await asyncio.sleep(0)
    return last


async def _turn(database: Database, id_: str, state: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(Q.turned, id_, state, None, tx.now)


async def file_again(tx: Tx, versions: Sequence[Version]) -> None:
    """File rows just written once more, by parameters their writer did not know of."""
    rewriting = _Rewriting()
    for version in versions:
        row = await tx.fetchrow(
            "select rid, at, keys from record.resource where tenant = "
            "current_setting('liane.tenant')::smallint and type = $1 and id = $2",
            version.type,
            version.id,
        )
        if row is not None:
            keys = keys_of(tx.tenant, version.resource)
            rewriting.row(row["rid"], row["at"], set(row["keys"]), keys, Keys())
    await rewriting.send(tx)


class _Rewriting:
    """Keys to put and to remove, of several rows."""

    def __init__(self) -> None:
        self.stored: list[tuple[int, str]] = []
        self.index: list[tuple[int, int, int]] = []
        self.index_out: list[tuple[int, int, int]] = []
        self.tables: dict[str, set[tuple[Any, ...]]] = {
            f"{verb}_{what}": set()
            for verb in ("add", "drop")
            for what in ("dates", "numbers", "texts")
        }

    def row(
        self, rid: int, at: datetime | None, stored: set[int], add: Keys, gone: Keys | None
    ) -> None:
        """One row: what it has under `gone` and not under `add` goes."""
        if gone is None:
            rest = stored - add.all
            gone = Keys(all=rest, indexed=rest)
        out = gone.all - add.all
        wanted = (stored - out) | add.all
        if wanted != stored:
            self.stored.append((rid, "{" + ",".join(map(str, wanted)) + "}"))
        order = order_of(at)
        self.index += [(h, order, rid) for h in add.indexed]
        self.index_out += [(h, order, rid) for h in gone.indexed - add.indexed]
        for what in ("dates", "numbers", "texts"):
            put, drop = getattr(add, what), getattr(gone, what)
            self.tables[f"add_{what}"] |= {(*one, rid) for one in put}
            self.tables[f"drop_{what}"] |= {(*one, rid) for one in drop - put}

    async def send(self, tx: Tx) -> None:
        """Write it all."""
        if self.stored or self.index or self.index_out:
            await tx.execute(
                Q.keyed,
                *_columns(self.stored, 2),
                *_columns(sorted(self.index), 3),
                *_columns(sorted(self.index_out), 3),
            )
        for name, rows in self.tables.items():
            if rows:
                await tx.execute(Q[name], *_columns(sorted(rows), 3 if "texts" in name else 4))


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * width


async def begin_whole(tx: Tx, types: Sequence[str]) -> None:
    """Queue a walk over all resources of some types (`$reindex`)."""
    await tx.execute(Q.put, WHOLE, WHOLE, "*", list(types), [], "", "", "waiting", None, tx.now)
    await jobs.enqueue(tx, JOB, WHOLE, {"id": WHOLE})


HANDLERS = {JOB: run_job}
