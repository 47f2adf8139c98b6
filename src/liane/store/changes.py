"""What has changed since I last looked, in an order that never shifts?

Changes are written with their cause and get a position after the commit (`sequencer`). A reader
keeps the last position it has seen and asks for what follows; a notification only wakes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from liane.fhir import json as fhir_json
from liane.store.database import SESSION, Tx
from liane.store.failures import LOST
from liane.store.sql import queries

log = logging.getLogger(__name__)

Q = queries("liane.store", "changes.sql")

CHANNEL = "liane_changes"
HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Change:
    """One fact of the feed. For a resource: its version; for others `facts` says what."""

    position: int
    type: str
    id: str | None
    version: int | None
    deleted: bool
    patient: str | None
    at: datetime | None
    written_at: datetime
    facts: dict[str, Any] | None


async def append(
    tx: Tx,
    type: str,  # noqa: A002 - the words of the feed
    id: str | None,  # noqa: A002
    patient: str | None,
    facts: dict[str, Any],
) -> None:
    """Announce, with this commit, a fact that is not a resource."""
    await tx.execute(Q.append, tx.tenant, type, id, patient, tx.now, fhir_json.dumps(facts))


async def read_since(tx: Tx, position: int, limit: int = 500) -> list[Change]:
    """What follows `position`, in order; an empty list means there is nothing yet."""
    rows = await tx.fetch(Q.since, position, limit)
    return [Change(*(*row[:8], _facts(row["facts"]))) for row in rows]


def _facts(text: str | None) -> dict[str, Any] | None:
    return None if text is None else fhir_json.loads(text)


async def current_position(tx: Tx) -> int:
    """The position of the latest change that readers may see."""
    position: int = await tx.fetchval(Q.position)
    return position


async def listen(
    dsn: str, stop: asyncio.Event, on_position: Callable[[int], None], *, tenant: int = 1
) -> None:
    """Call `on_position` with the latest position whenever the feed grows, until `stop`.

    Reconnects by itself. After a reconnection, and every 15 seconds, the position is read from
    the table, so a lost notification delays a reader but never loses a change.
    """
    while not stop.is_set():
        try:
            await _listen_once(dsn, stop, on_position, tenant)
        except LOST as failure:
            log.warning("the change feed is not heard: %s", type(failure).__name__)
            await _pause(stop, 0.5)


async def _listen_once(
    dsn: str, stop: asyncio.Event, on_position: Callable[[int], None], tenant: int
) -> None:
    settings = {**SESSION, "application_name": "liane listen", "liane.tenant": str(tenant)}
    connection: Any = await asyncpg.connect(dsn, server_settings=settings, timeout=10)

    def heard(_connection: Any, _pid: int, _channel: str, payload: object) -> None:
        mine, _, position = str(payload).partition(":")
        if mine == str(tenant):
            on_position(int(position))

    try:
        await connection.add_listener(CHANNEL, heard)
        while not stop.is_set():
            on_position(await connection.fetchval(Q.position, timeout=10))
            await _pause_or_close(stop, connection)
    finally:
        connection.terminate()


async def _pause_or_close(stop: asyncio.Event, connection: Any) -> None:
    """Wait for the heartbeat, the end, or the loss of the connection."""
    lost = asyncio.Event()

    def closed(_connection: Any) -> None:
        lost.set()

    connection.add_termination_listener(closed)
    try:
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, lost)]
        await asyncio.wait(waits, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
    finally:
        connection.remove_termination_listener(closed)
    if lost.is_set() and not stop.is_set():
        raise ConnectionResetError("the listening connection was lost")


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        pass
