"""How does the record leave in stretches, at the speed of the database, under the gate?

PostgreSQL sends type, patient and stored text by COPY; nothing is parsed. Its CSV form with signs
that JSON text cannot hold leaves every byte as it is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from liane.access.actor import Actor
from liane.fhir import definitions
from liane.gateways.fhir.operations.export_asking import Ask
from liane.gateways.fhir.operations.limits import visible
from liane.store import Database
from liane.store.sql import queries

Q = queries("liane.gateways.fhir", "export.sql")

HAND_OVER_BYTES = 1 << 20
"""Bytes gathered before they are handed to the thread that files them."""
SEPARATOR = b"\x02"
Take = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows between two row numbers, or those of some patients."""

    after: int = 0
    upto: int = 0
    patients: tuple[str, ...] | None = None


def statement(
    name: str, ask: Ask, actor: Actor, at: datetime, stretch: Stretch | None = None
) -> tuple[str, list[Any]]:
    """The query `name` of export.sql with its arguments."""
    since = datetime.fromisoformat(ask.since) if ask.since else datetime(1, 1, 1, tzinfo=UTC)
    args: list[Any] = [at, list(ask.types), since]
    alias = "r" if name == "stretch" else "h"
    sql = Q[name].replace("{at}", "$1::timestamptz").replace("{types}", "$2::text[]")
    sql = sql.replace("{since}", "$3::timestamptz")
    if stretch is not None:
        every = len(ask.types) == len(definitions.types())
        typed = "$2::text[] is not null" if every else "(r.type || '') = any($2::text[])"
        order = "order by r.rid" if stretch.patients is None else ""
        sql = sql.replace("{place}", _place(stretch, args)).replace("{typed}", typed)
        sql = sql.replace("{order}", order)
    return sql.replace("{limit}", _limit(ask, actor, args, f"{alias}.patient", alias)), args


def _place(stretch: Stretch, args: list[Any]) -> str:
    if stretch.patients is not None:
        args.append(list(stretch.patients))
        return f"r.patient = any(${len(args)}::text[])"
    args.extend((stretch.after, stretch.upto))
    return f"r.rid > ${len(args) - 1}::bigint and r.rid <= ${len(args)}::bigint"


def _limit(ask: Ask, actor: Actor, args: list[Any], patient: str, alias: str) -> str:
    """Who may see the row: the same limit as in a search, for every type at once."""
    tests = []
    if ask.reach != "system":
        tests.append(f"{patient} is not null")
    if ask.patients is not None and alias == "h":
        args.append(list(ask.patients))
        tests.append(f"{patient} = any(${len(args)}::text[])")
    seen = visible(actor, ask.types, alias, args)
    if seen != "true":
        tests.append(seen)
    return " and ".join(tests) or "true"


async def copy_out(database: Database, sql: str, args: list[Any], take: Take) -> None:
    """Send the rows of `sql` to `take`, in a thread, whole lines at a time.

    While one piece is being filed the next one comes in; never more than a few pieces are held.
    """
    waiting: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=2)
    filing = asyncio.create_task(_file(waiting, take))
    gathered: list[bytes] = []
    size = 0

    async def output(part: bytes) -> None:
        nonlocal size
        gathered.append(part)
        size += len(part)
        if size >= HAND_OVER_BYTES:
            await _hand_over(waiting, filing, b"".join(gathered))
            gathered.clear()
            size = 0

    try:
        async with database.reading() as tx:
            await tx.connection.copy_from_query(
                sql, *args, output=output, format="csv", delimiter="\x02", quote="\x01"
            )
        if gathered:
            await _hand_over(waiting, filing, b"".join(gathered))
        await _hand_over(waiting, filing, None)
        await filing
    finally:
        filing.cancel()


async def _hand_over(
    waiting: asyncio.Queue[bytes | None], filing: asyncio.Task[None], piece: bytes | None
) -> None:
    """Put the piece in the queue, unless the filing has failed."""
    putting = asyncio.create_task(waiting.put(piece))
    await asyncio.wait({putting, filing}, return_when=asyncio.FIRST_COMPLETED)
    if filing.done() and not putting.done():
        putting.cancel()
        await filing


async def _file(waiting: asyncio.Queue[bytes | None], take: Take) -> None:
    while (piece := await waiting.get()) is not None:
        await asyncio.to_thread(take, piece)
