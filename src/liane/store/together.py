"""How do several small pieces of work share one transaction, and its round trips?

Messages that arrive at the same moment each ask the database the same few questions. Here they ask
them together: every piece runs as if alone, and where all of them wait, what they wait for is done
for all in one statement. They are committed together or not at all; when one of them fails, each
is done again by itself, so that no message pays for the fault of another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from liane.base.errors import Unavailable
from liane.store.database import AfterCommit, Database, Tx

T = TypeVar("T")
Piece = Callable[[Tx], Awaitable[T]]
Joint = Callable[[Tx, list[Any]], Awaitable[list[Any]]]
"""Does for many what each asked for: one answer for each request, in their order."""

AT_MOST = 8
"""Pieces in one transaction: more would make the first wait for the last."""
SIDE_BY_SIDE = 3
"""Transactions at once: while the server works for some, this process works for another."""


class CannotShare(Exception):
    """The piece needs a transaction of its own."""


class Shared(Tx):
    """What one piece sees of the transaction that it shares."""

    def __init__(self, company: _Company) -> None:
        base = company.base
        super().__init__(base.database, base.connection, base.now)
        self._company = company
        self.touched = False
        """Whether anything was done that must be undone when this piece fails."""

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        """All rows; the connection serves one piece at a time."""
        self.touched = True
        async with self._company.lock:
            return await self._company.base.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        """The first row, or None."""
        self.touched = True
        async with self._company.lock:
            return await self._company.base.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first value of the first row, or None."""
        self.touched = True
        async with self._company.lock:
            return await self._company.base.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        """Run together with the same statement of the others; the command tag is not known."""
        await self.join(_statement(sql), args)
        return ""

    async def executemany(self, sql: str, rows: list[Any]) -> None:
        """Run once for each row."""
        self.touched = True
        async with self._company.lock:
            await self._company.base.executemany(sql, rows)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Not here: it would undo what the others do meanwhile."""
        raise CannotShare
        yield

    def after_commit(self, call: AfterCommit) -> None:
        """Run `call` once the work of all is durable."""
        self._company.base.after_commit(call)

    def claim(self, name: str) -> None:
        """Be the only one here to work on `name`: a lock of the database does not keep apart those
        who share a transaction. Raises `CannotShare` when another piece has claimed it.
        """
        if self._company.claims.setdefault(name, self) is not self:
            self.touched = True
            raise CannotShare(name)

    async def join(self, joint: Joint, request: Any, *, changes: bool = True) -> Any:
        """Have `request` served with those of the others; `changes` is False for a question."""
        self.touched = self.touched or changes
        return await self._company.join(joint, request)


_STATEMENTS: dict[str, Joint] = {}


def _statement(sql: str) -> Joint:
    """The joint way of one statement: sent once for each piece, in one round trip."""
    if sql not in _STATEMENTS:

        async def run(tx: Tx, requests: list[Any]) -> list[Any]:
            if len(requests) == 1:
                await tx.execute(sql, *requests[0])
            else:
                await tx.executemany(sql, requests)
            return [None] * len(requests)

        _STATEMENTS[sql] = run
    return _STATEMENTS[sql]


@dataclass(slots=True)
class _Company:
    """Those who share one transaction."""

    base: Tx
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    at_work: int = 0
    waiting: dict[Joint, list[tuple[Any, asyncio.Future[Any]]]] = field(default_factory=dict)
    count: int = 0
    claims: dict[str, Shared] = field(default_factory=dict)

    async def join(self, joint: Joint, request: Any) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(joint, []).append((request, future))
        self.count += 1
        await self._serve_when_all_wait()
        return await future

    async def one_less(self) -> None:
        self.at_work -= 1
        await self._serve_when_all_wait()

    async def _serve_when_all_wait(self) -> None:
        if self.count < self.at_work or not self.count:
            return
        waiting, self.waiting, self.count = self.waiting, {}, 0
        for joint, asked in waiting.items():
            await self._serve(joint, asked)

    async def _serve(self, joint: Joint, asked: list[tuple[Any, asyncio.Future[Any]]]) -> None:
        try:
            async with self.lock:
                answers = await joint(self.base, [request for request, _ in asked])
        except Exception as failure:  # noqa: BLE001 - handed to every piece that asked
            for _, future in asked:
                if not future.done():
                    future.set_exception(failure)
            return
        for (_, future), answer in zip(asked, answers, strict=True):
            if not future.done():
                future.set_result(answer)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What became of one piece: its value, or the error that concerns it alone."""

    value: T | None = None
    error: Exception | None = None


async def together(
    database: Database,
    pieces: Sequence[Piece[T]],
    contexts: Sequence[Context] | None = None,
) -> list[Outcome[T]]:
    """Do all pieces in one transaction; raises, with nothing done, when one of them fails after
    it has changed something. One that fails before is told so in its outcome.
    """
    async with database.transaction() as base:
        company = _Company(base, at_work=len(pieces))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(_one(company, piece), context=context)
                    for piece, context in zip(pieces, contexts or map(_copied, pieces), strict=True)
                ]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _copied(_: object) -> Context:
    return copy_context()


async def _one(company: _Company, piece: Piece[T]) -> Outcome[T]:
    tx = Shared(company)
    try:
        outcome = Outcome(value=await piece(tx))
    except Exception as failure:
        if tx.touched:
            raise
        outcome = Outcome(error=failure)
    await company.one_less()
    return outcome


@dataclass(frozen=True, slots=True)
class _Asked:
    """A piece that waits, who waits for it, and in which context it is to run."""

    piece: Piece[Any]
    future: asyncio.Future[Any]
    context: Context

    def tell(self, outcome: Outcome[Any]) -> None:
        """Give the outcome to whoever asked, if still there."""
        if self.future.done():
            return
        if outcome.error is not None:
            self.future.set_exception(outcome.error)
        else:
            self.future.set_result(outcome.value)


_ROUNDS: WeakKeyDictionary[Database, Rounds] = WeakKeyDictionary()


def rounds_of(database: Database) -> Rounds:
    """The rounds of one database, for those who share them."""
    if database not in _ROUNDS:
        _ROUNDS[database] = Rounds(database)
    return _ROUNDS[database]


class Rounds:
    """Does pieces of work as they come: alone when nothing else waits, else together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: list[_Asked] = []
        self._workers: set[asyncio.Task[None]] = set()
        self._at_work = 0

    async def run(self, piece: Piece[T]) -> T:
        """Do `piece` in a transaction; returns once it is committed. It may be done again from its
        beginning, after everything it did was undone.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(_Asked(piece, future, copy_context()))
        if self._at_work < SIDE_BY_SIDE:
            self._at_work += 1
            worker = asyncio.create_task(self._work(), name="rounds")
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return await future

    async def _work(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:AT_MOST], self._queue[AT_MOST:]
                await self._round(batch)
        finally:
            self._at_work -= 1

    async def _round(self, batch: list[_Asked]) -> None:
        if len(batch) == 1:
            await self._alone(batch[0])
            return
        pieces, contexts = [one.piece for one in batch], [one.context for one in batch]
        try:
            outcomes = await together(self._database, pieces, contexts)
        except Unavailable as failure:
            # It may be committed: only the callers know how to look.
            for one in batch:
                one.tell(Outcome(error=failure))
        except Exception:  # noqa: BLE001 - nothing is done; whose fault it was shows when alone
            await asyncio.gather(*(self._alone(one) for one in batch))
        else:
            for one, outcome in zip(batch, outcomes, strict=True):
                one.tell(outcome)

    async def _alone(self, asked: _Asked) -> None:
        async def work() -> Any:
            async with self._database.transaction() as tx:
                return await asked.piece(tx)

        try:
            value = await asyncio.create_task(work(), context=asked.context)
        except Exception as failure:  # noqa: BLE001 - handed to whoever asked
            asked.tell(Outcome(error=failure))
        else:
            asked.tell(Outcome(value=value))
