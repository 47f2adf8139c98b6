"""Who hands the events over, in order, without one dead receiver holding the others up?

Any number of worker processes share the subscriptions. A process takes those that something is
due for, a few for each host, and most places are kept for receivers that answer; each is served
one notification at a time. What was taken is written down before the next one leaves.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

from liane.gateways.subscriptions.attempts import Attempts
from liane.gateways.subscriptions.process import Process
from liane.gateways.subscriptions.state import TROUBLE, State, state_from
from liane.gateways.subscriptions.transitions import D
from liane.store import Database

log = logging.getLogger(__name__)

CHANNELS = ("rest-hook", "email")
PLACES = 48
PLACES_FAILING = 16
PLACES_OF_A_HOST = 4
IDLE_SECONDS = 0.2


class Deliverer:
    """The deliveries of one worker process."""

    def __init__(self, database: Database, process: Process, attempts: Attempts) -> None:
        self._database = database
        self._process = process
        self._attempts = attempts
        self._running: dict[asyncio.Task[None], State] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; what has been begun is finished."""
        while not stop.is_set():
            self._process.wake.clear()
            try:
                taken = await self.take() if self._process.number else 0
            except TROUBLE as failure:
                log.warning("subscriptions cannot be taken: %s", failure)
                taken = 0
            await self._wait(stop, idle=not taken)
        if self._running:
            await asyncio.wait(self._running, timeout=5)

    async def take(self) -> int:
        """Begin to serve what is due; how many were taken."""
        free, free_failing = self._free()
        if not free and not free_failing:
            return 0
        hosts = Counter(state.host for state in self._running.values())
        number = self._process.number
        async with self._database.transaction() as tx:
            rows = await tx.fetch(
                D["claim"],
                tx.now,
                number,
                list(CHANNELS),
                list(hosts),
                list(hosts.values()),
                PLACES_OF_A_HOST,
                free,
                free_failing,
            )
        for state in (state_from(row) for row in rows):
            task = asyncio.create_task(self._attempts.serve(state, number))
            self._running[task] = state
            task.add_done_callback(lambda done: self._running.pop(done, None))
        return len(rows)

    def _free(self) -> tuple[int, int]:
        failing = sum(state.failures > 0 for state in self._running.values())
        healthy = len(self._running) - failing
        return max(0, PLACES - healthy), max(0, PLACES_FAILING - failing)

    async def _wait(self, stop: asyncio.Event, *, idle: bool) -> None:
        waits: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(stop.wait()),
            asyncio.ensure_future(self._process.wake.wait()),
        ]
        running = list(self._running) if not idle else []
        await asyncio.wait(
            [*waits, *running], timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waits:
            wait.cancel()
