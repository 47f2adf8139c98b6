"""Who gives each committed change its place in the one order?

One process of the installation at a time, chosen by an advisory lock that the server frees when
the process or its connection dies. It looks for committed batches every few milliseconds, so a
writer never pays for a notification, and a slow transaction is placed when it has committed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import asyncpg

from liane.store.changes import Q
from liane.store.database import SESSION
from liane.store.failures import LOST

log = logging.getLogger(__name__)

LEADER_LOCK = 7203
BUSY_SECONDS = 0.008
IDLE_SECONDS = 0.018
FOLLOWER_SECONDS = 1.0


async def run(dsn: str, stop: asyncio.Event) -> None:
    """Lead, or stand by to lead, until `stop`; survives restarts of the server."""
    while not stop.is_set():
        try:
            await _stand_by_and_lead(dsn, stop)
        except LOST as failure:
            log.warning("the sequencer lost the database: %s", type(failure).__name__)
            await _pause(stop, 0.3)


async def _stand_by_and_lead(dsn: str, stop: asyncio.Event) -> None:
    settings = {**SESSION, "application_name": "liane sequencer"}
    connection: Any = await asyncpg.connect(dsn, server_settings=settings, timeout=10)
    try:
        while not await connection.fetchval("select pg_try_advisory_lock($1)", LEADER_LOCK):
            if await _pause(stop, FOLLOWER_SECONDS):
                return
        announce = await connection.prepare(Q.announce)
        while not stop.is_set():
            placed = await announce.fetch()
            await _pause(stop, BUSY_SECONDS if placed else IDLE_SECONDS)
        await announce.fetch()
    finally:
        connection.terminate()


async def announce_once(connection: Any) -> int:
    """Give places now (tests, and imports that want them at once); the number of tenants told."""
    return len(await connection.fetch(Q.announce))


async def _pause(stop: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
        return True
    except TimeoutError:
        return False
