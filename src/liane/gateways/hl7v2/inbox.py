"""When is a message safe, and has it been here before?

A message is safe once its bytes are committed. All messages that wait, from every connection,
share one statement and one commit, so that safety costs each of them little. Nothing is
acknowledged before.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liane.base.errors import LianeError, Unavailable
from liane.base.ids import new_id
from liane.gateways.hl7v2.answers import State
from liane.store import Database, Tx
from liane.store.sql import queries
from liane.store.together import Shared

log = logging.getLogger(__name__)

Q = queries("liane.gateways.hl7v2", "inbox.sql")
MAX_BATCH_MESSAGES = 200
MAX_BATCH_BYTES = 48 * 1024 * 1024
MAX_RESOURCES_LISTED = 200


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as it arrives, before it is stored."""

    raw: bytes
    sha256: bytes
    partner: str
    sender: str
    peer: str
    control_id: str = ""
    kind: str = ""
    event: str = ""
    message_at: datetime | None = None
    batch: str = ""
    state: State = State.PENDING
    flags: tuple[str, ...] = ()
    reason_code: str = ""
    reason_fr: str = ""
    reason_en: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the message is kept; when it was here before, its fate and the answer then given."""

    id: str
    fresh: bool
    state: State
    ack: bytes | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """The fate of a message, to be written with its effects."""

    state: State
    ack: bytes | None
    resources: Sequence[str] = ()
    patient: str | None = None
    reason_code: str = ""
    reason_fr: str = ""
    reason_en: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is safe and not yet applied."""

    id: str
    partner: str
    sender: str
    peer: str
    raw: bytes
    attempts: int
    received_at: datetime


def fingerprint(raw: bytes) -> bytes:
    """SHA-256 of the exact bytes."""
    return hashlib.sha256(raw).digest()


class Inbox:
    """The one place where received bytes become durable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: list[tuple[Arrival, str, asyncio.Future[Stored]]] = []
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write what arrives."""
        self._writer = asyncio.create_task(self._write_for_ever(), name="hl7v2-inbox")

    async def stop(self) -> None:
        """Write what still waits, then end."""
        await asyncio.gather(*(future for _, _, future in self._queue), return_exceptions=True)
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)

    async def keep(self, arrival: Arrival) -> Stored:
        """Return once the message is durable. Raises `Unavailable` when it could not be kept."""
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._queue.append((arrival, new_id(), future))
        self._wake.set()
        return await future

    async def _write_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            batch = self._next_batch()
            if not batch:
                self._wake.clear()
                continue
            await self._write(batch)

    def _next_batch(self) -> list[tuple[Arrival, str, asyncio.Future[Stored]]]:
        size = count = 0
        for arrival, _, _ in self._queue[:MAX_BATCH_MESSAGES]:
            if count and size + len(arrival.raw) > MAX_BATCH_BYTES:
                break
            size += len(arrival.raw)
            count += 1
        batch, self._queue = self._queue[:count], self._queue[count:]
        return batch

    async def _write(self, batch: list[tuple[Arrival, str, asyncio.Future[Stored]]]) -> None:
        try:
            stored = await self._stored([(a, id_) for a, id_, _ in batch])
        except LianeError as problem:
            _fail(batch, problem)
        except Exception as problem:
            # The writer must outlive any failure.
            log.exception("messages could not be stored")
            _fail(batch, _not_kept(problem))
        else:
            for (_, _, future), one in zip(batch, stored, strict=True):
                if not future.done():
                    future.set_result(one)

    async def _stored(self, arrivals: list[tuple[Arrival, str]]) -> list[Stored]:
        try:
            async with self._database.single() as tx:
                return await store_arrivals(tx, arrivals)
        except Unavailable:
            # Written or not, asking again gives the same answer: the server may have restarted.
            async with self._database.transaction() as tx:
                return await store_arrivals(tx, arrivals)


def _fail(batch: list[tuple[Arrival, str, asyncio.Future[Stored]]], problem: BaseException) -> None:
    for _, _, future in batch:
        if not future.done():
            future.set_exception(problem)


def _not_kept(problem: BaseException) -> Unavailable:
    return Unavailable(
        "hl7v2.not-kept",
        "Le message n'a pas pu être enregistré.",
        "The message could not be stored.",
        "Renvoyez-le dans quelques instants.",
        "Send it again in a moment.",
        cause=type(problem).__name__,
    )


async def store_arrivals(tx: Tx, arrivals: Sequence[tuple[Arrival, str]]) -> list[Stored]:
    """Write messages under the given ids; those that were here before are told as such."""
    columns: list[list[Any]] = [
        list(column) for column in zip(*(_row(a, id_) for a, id_ in arrivals), strict=True)
    ]
    rows = await tx.fetch(Q["keep"], tx.tenant, *columns, tx.now)
    return [
        await _stored(tx, row, arrival) for row, (arrival, _) in zip(rows, arrivals, strict=True)
    ]


def _row(arrival: Arrival, message_id: str) -> tuple[Any, ...]:
    return (
        message_id,
        arrival.partner,
        arrival.sender,
        arrival.peer,
        arrival.control_id,
        arrival.sha256,
        arrival.kind,
        arrival.event,
        arrival.message_at,
        arrival.raw,
        arrival.batch,
        arrival.state.value,
        ",".join(arrival.flags),
        arrival.reason_code,
        arrival.reason_fr,
        arrival.reason_en,
    )


async def _stored(tx: Tx, row: Any, arrival: Arrival) -> Stored:
    if row["fresh"]:
        return Stored(row["id"], True, arrival.state, None, tx.now)
    if row["id"] is None:
        key = (tx.tenant, arrival.sender, arrival.control_id, arrival.sha256)
        row = await tx.fetchrow(Q["same"], *key)
    return Stored(row["id"], False, State(row["state"]), row["ack"], tx.now)


async def settle(tx: Tx, message_id: str, fate: Settlement) -> bool:
    """Write the fate of a message; False when it had been settled already."""
    if isinstance(tx, Shared):
        return bool(await tx.join(_settle_all, (message_id, fate)))
    return (await _settle_all(tx, [(message_id, fate)]))[0]


async def _settle_all(tx: Tx, fates: list[tuple[str, Settlement]]) -> list[bool]:
    rows = [
        (
            message_id,
            fate.state.value,
            fate.ack,
            ",".join(fate.resources[:MAX_RESOURCES_LISTED]),
            len(fate.resources),
            fate.patient,
            fate.reason_code,
            fate.reason_fr,
            fate.reason_en,
            ",".join(fate.flags),
        )
        for message_id, fate in fates
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    settled = await tx.fetch(Q["settle"], tx.tenant, tx.now, *columns)
    done = {row["id"] for row in settled}
    return [message_id in done for message_id, _ in fates]


async def waiting(tx: Tx, after: str = "") -> list[str]:
    """The next messages that are safe and not applied, in the order they came."""
    return [str(row["id"]) for row in await tx.fetch(Q["waiting"], tx.tenant, after)]


async def one_waiting(tx: Tx, message_id: str) -> Waiting | None:
    """That message, if it still waits."""
    row = await tx.fetchrow(Q["one_pending"], tx.tenant, message_id)
    return Waiting(**dict(row)) if row is not None else None


async def count_attempt(tx: Tx, message_id: str) -> int:
    """One more attempt at a message; how many that makes (0: it no longer waits)."""
    return int(await tx.fetchval(Q["attempt"], tx.tenant, message_id) or 0)


async def replay(tx: Tx, message_ids: Sequence[str]) -> list[str]:
    """Put messages back to be applied again; the ids that will be."""
    rows = await tx.fetch(Q["replay"], tx.tenant, list(message_ids))
    return [str(row["id"]) for row in rows]
