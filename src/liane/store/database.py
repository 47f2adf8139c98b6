"""How does a piece of work read and write, all of it or none of it?

A `Database` is a small pool of connections of one tenant (row-level security reads it from the
session); a `Tx` is one unit of work at one instant.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import asyncpg

from liane.base.clock import Clock, SystemClock
from liane.base.errors import Unavailable
from liane.store.failures import LOST, said_plainly, unreachable
from liane.store.rids import RidBlock

if TYPE_CHECKING:
    from liane.store.versions import Version

log = logging.getLogger(__name__)

AfterCommit = Callable[[], Awaitable[None] | None]
Projection = Callable[["Tx", "Sequence[Version]"], Awaitable[None]]
"""Keeps a room's lean table in step with the versions just written, in the same transaction."""

SESSION = {
    "application_name": "liane",
    "jit": "off",
    "timezone": "UTC",
    "plan_cache_mode": "auto",
    # Solid-state disks and a warm cache: a server of the site may still have the default of 4.
    "random_page_cost": "1.1",
}
BEGIN = "begin; set local plan_cache_mode = force_generic_plan"
"""Writing asks the same few statements about any number of rows: planning each of them anew for
its arguments took a tenth of PostgreSQL's time for a message, and found the same plan."""
BEGIN_READING = "begin read only"
PLANS_FOR_VALUES = "set local plan_cache_mode = force_custom_plan"
BEGIN_SEARCHING = f"{BEGIN_READING}; {PLANS_FOR_VALUES}"
"""The planner must see the values of a search: a hash may lead to one row or to a million."""
PATIENCE_SECONDS = 4.0
"""How long a new unit of work waits for a server that is restarting."""


class Tx:
    """One unit of work: a connection inside a transaction, a tenant, one instant."""

    def __init__(self, database: Database, connection: Any, now: datetime) -> None:
        self.database = database
        self.connection: Any = connection
        self.tenant = database.tenant
        self.now = now
        self._after: list[AfterCommit] = []
        self._savepoints = 0
        self._for_values = False

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        """All rows of the answer."""
        rows: list[Any] = await self.connection.fetch(sql, *args)
        return rows

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        """The first row, or None."""
        return await self.connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first value of the first row, or None."""
        return await self.connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        """Run, and give the server's command tag."""
        tag: str = await self.connection.execute(sql, *args)
        return tag

    async def executemany(self, sql: str, rows: list[Any]) -> None:
        """Run once for each row, pipelined."""
        await self.connection.executemany(sql, rows)

    async def plan_for_values(self) -> None:
        """From now on, plan each statement for the values it is given (searches)."""
        if not self._for_values:
            await self.execute(PLANS_FOR_VALUES)
            self._for_values = True

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo only what happens inside when it fails (one entry of a batch)."""
        kept, for_values = len(self._after), self._for_values
        self._savepoints += 1
        name = f"liane_{self._savepoints}"
        await self.execute(f"savepoint {name}")
        try:
            with said_plainly():
                yield
        except BaseException:
            del self._after[kept:]
            self._for_values = for_values
            await _undo(self.connection, f"rollback to savepoint {name}")
            raise
        await self.execute(f"release savepoint {name}")

    def after_commit(self, call: AfterCommit) -> None:
        """Run `call` once the work is durable; never run when it is rolled back."""
        self._after.append(call)

    async def _announce(self) -> None:
        for call in self._after:
            try:
                outcome = call()
                if inspect.isawaitable(outcome):
                    await outcome
            except Exception:
                # The work is committed: a failing follow-up must not look like a failed write.
                log.exception("what should follow a commit failed")


class Database:
    """A pool of connections to the record of one tenant."""

    def __init__(
        self,
        pool: Any,
        dsn: str,
        tenant: int,
        clock: Clock,
        projections: Sequence[Projection] = (),
    ) -> None:
        self.dsn = dsn
        self.tenant = tenant
        self.clock = clock
        self.projections = tuple(projections)
        self.rids = RidBlock()
        self._pool = pool

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        tenant: int = 1,
        min_size: int = 1,
        max_size: int = 8,
        clock: Clock | None = None,
        projections: Sequence[Projection] = (),
    ) -> Database:
        """Connect; raises `Unavailable` when the server does not answer."""
        try:
            pool = await asyncpg.create_pool(
                dsn,
                # Refilled on demand: a floor would only fill the log during a restart.
                min_size=0,
                max_size=max_size,
                max_inactive_connection_lifetime=0,
                max_queries=1_000_000,
                statement_cache_size=512,
                max_cached_statement_lifetime=0,
                server_settings={**SESSION, "liane.tenant": str(int(tenant))},
                reset=_nothing_to_reset,
            )
            first = [await pool.acquire(timeout=30) for _ in range(max(1, min_size))]
            for connection in first:
                await pool.release(connection)
        except LOST as failure:
            raise unreachable(failure) from failure
        return cls(pool, dsn, tenant, clock or SystemClock(), projections)

    async def close(self) -> None:
        """Give the connections back to the server."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout=5)
        except TimeoutError:
            self._pool.terminate()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """One unit of work, READ COMMITTED: committed at the end, undone when anything fails."""
        async with self._work(BEGIN) as tx:
            yield tx

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """The same for questions: the server refuses any write."""
        async with self._work(BEGIN_READING) as tx:
            yield tx

    @asynccontextmanager
    async def searching(self) -> AsyncIterator[Tx]:
        """The same for searches, planned for their values from the first round trip on."""
        async with self._work(BEGIN_SEARCHING) as tx:
            tx._for_values = True  # noqa: SLF001 - the two classes are one mechanism
            yield tx

    @asynccontextmanager
    async def single(self) -> AsyncIterator[Tx]:
        """For one statement that is a transaction by itself: no BEGIN and COMMIT to wait for.
        A second statement would be another transaction.
        """
        try:
            connection = await self._pool.acquire(timeout=30)
        except TimeoutError as failure:
            raise unreachable(failure) from failure
        except LOST as failure:
            raise unreachable(failure) from failure
        tx = Tx(self, connection, self.clock.now())
        try:
            with said_plainly():
                yield tx
        finally:
            await self._release(connection)
        await tx._announce()  # noqa: SLF001 - the two classes are one mechanism

    @asynccontextmanager
    async def _work(self, begin: str) -> AsyncIterator[Tx]:
        connection = await self._begun(begin)
        tx = Tx(self, connection, self.clock.now())
        try:
            with said_plainly():
                yield tx
                await self._commit(connection)
        except BaseException:
            await _undo(connection)
            raise
        finally:
            await self._release(connection)
        await tx._announce()  # noqa: SLF001 - the two classes are one mechanism

    async def _begun(self, begin: str) -> Any:
        """A connection with an open transaction; a restarting server is waited for a little."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            connection = None
            try:
                connection = await self._pool.acquire(timeout=30)
                await connection.execute(begin)
                return connection
            except TimeoutError as failure:
                raise unreachable(failure) from failure
            except LOST as failure:
                # Nothing has been done yet, so trying again is safe.
                if connection is not None:
                    _drop(connection)
                    await self._release(connection)
                if time.monotonic() > deadline:
                    raise unreachable(failure) from failure
                await asyncio.sleep(0.1)
            except BaseException:
                if connection is not None:
                    await self._release(connection)
                raise

    async def _commit(self, connection: Any) -> None:
        try:
            await connection.execute("commit")
        except (
            OSError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,
        ) as failure:
            raise Unavailable(
                "store.outcome-unknown",
                "La base de données n'a pas répondu : l'enregistrement est peut-être fait.",
                "The database did not answer: the change may have been saved.",
                "Relisez le dossier avant de recommencer.",
                "Read the record again before you repeat.",
            ) from failure

    async def _release(self, connection: Any) -> None:
        try:
            await self._pool.release(connection)
        except LOST:
            log.warning("a database connection was lost")


async def _nothing_to_reset(connection: Any) -> None:
    """Nobody changes the session (only SET LOCAL and transaction locks), so nothing to undo."""


async def _undo(connection: Any, command: str = "rollback") -> None:
    try:
        await connection.execute(command)
    except LOST:
        _drop(connection)


def _drop(connection: Any) -> None:
    try:
        connection.terminate()
    except LOST:
        pass  # the pool has dropped it already
