"""Which process serves which subscription, and is it still alive?

Each process has a number and holds the advisory lock (7212, number) on a connection of its own.
The server frees the lock the moment the process or its connection dies, so what it served can be
taken over at once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Any

import asyncpg

from liane.store import Database
from liane.store.database import SESSION
from liane.store.failures import LOST

log = logging.getLogger(__name__)

LOCKS = 7212
CHANNEL = "liane_subscriptions"


class Process:
    """One process among those that serve subscriptions. `number` 0: not known to be alive."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.number = 0
        self.known = asyncio.Event()
        self.wake = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Hold a number until `stop`; after a lost connection, another one."""
        while not stop.is_set():
            try:
                await self._hold(stop)
            except LOST as failure:
                log.warning("subscriptions: the database was lost: %s", type(failure).__name__)
            finally:
                self.number = 0
                self.known.clear()
            if not stop.is_set():
                await asyncio.sleep(0.3)

    async def _hold(self, stop: asyncio.Event) -> None:
        settings = {**SESSION, "application_name": "liane subscriptions"}
        connection: Any = await asyncpg.connect(
            self._database.dsn, server_settings=settings, timeout=10
        )
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            number = secrets.randbelow(2**31 - 2) + 1
            await connection.execute("select pg_advisory_lock($1, $2)", LOCKS, number)
            await connection.add_listener(CHANNEL, self._heard)
            self.number = number
            self.known.set()
            while not (stop.is_set() or lost.is_set()):
                await _first(stop, lost, 10.0)
                if not (stop.is_set() or lost.is_set()):
                    await connection.fetchval("select 1", timeout=5)
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        if str(payload) == str(self._database.tenant):
            self.wake.set()


async def _first(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
