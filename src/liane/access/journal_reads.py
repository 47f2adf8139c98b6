"""How does a read leave its trace without each reader waiting for a commit of its own?

Group commit: while one batch is being committed, the reads that arrive wait together and form the
next batch. A reader is released only when the batch that holds its entries is durable; if the
commit fails, every reader of the batch gets the error and no answer leaves the house.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from liane.access.actor import Actor
from liane.access.journal import Act, Columns, columns_of, insert_columns
from liane.store import Database

BATCH_LIMIT = 2_000
"""Entries in one transaction; a longer queue makes more than one batch."""


class ReadJournal:
    """The reads of one process waiting for their common commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[list[Columns], asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def record(self, actor: Actor, acts: Iterable[Act]) -> None:
        """Return once the entries are committed. Raises what the commit raised."""
        at = self._database.clock.now()
        entries = [columns_of(self._database.tenant, at, actor, act) for act in acts]
        if not entries:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, done))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        await done

    async def _flush(self) -> None:
        while self._waiting:
            batch = self._take()
            try:
                async with self._database.transaction() as tx:
                    await insert_columns(tx, [entry for entries, _ in batch for entry in entries])
            except BaseException as failure:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(_told(failure))
                if not isinstance(failure, Exception):
                    self._abandon(failure)
                    raise
                continue
            for _, done in batch:
                if not done.done():
                    done.set_result(None)

    def _take(self) -> list[tuple[list[Columns], asyncio.Future[None]]]:
        total = 0
        for position, (entries, _) in enumerate(self._waiting):
            total += len(entries)
            if total >= BATCH_LIMIT:
                batch = self._waiting[: position + 1]
                del self._waiting[: position + 1]
                return batch
        batch, self._waiting = self._waiting, []
        return batch

    def _abandon(self, failure: BaseException) -> None:
        """The process stops: whoever still waits must not be left hanging."""
        for _, done in self._waiting:
            if not done.done():
                done.set_exception(_told(failure))
        self._waiting.clear()


def _told(failure: BaseException) -> Exception:
    return failure if isinstance(failure, Exception) else ConnectionAbortedError("shutting down")


_of_database: WeakKeyDictionary[Database, ReadJournal] = WeakKeyDictionary()


def reads_of(database: Database) -> ReadJournal:
    """The one queue of reads of this database in this process."""
    journal = _of_database.get(database)
    if journal is None:
        journal = _of_database.setdefault(database, ReadJournal(database))
    return journal
