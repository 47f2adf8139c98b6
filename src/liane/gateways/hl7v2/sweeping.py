"""What applies a message that is safe but whose turn was cut short, or that people replay?

At the start of the process, and every second after: whatever is pending and in nobody's hands is
applied, oldest first. A message that has brought the process down several times is set aside.
"""

from __future__ import annotations

import asyncio
import logging

from liane.base.errors import LianeError, NotFound
from liane.gateways.hl7v2 import inbox
from liane.gateways.hl7v2.answers import State
from liane.gateways.hl7v2.applying import Applier
from liane.gateways.hl7v2.codec import parse
from liane.gateways.hl7v2.inbox import Settlement, Waiting
from liane.gateways.hl7v2.partners import Directory
from liane.gateways.hl7v2.reception import Reception
from liane.store import Database, changes

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
MAX_ATTEMPTS = 5


class Sweeper:
    """Finishes what was begun, and tells the interfaces page that something happened."""

    def __init__(
        self, database: Database, applier: Applier, directory: Directory, reception: Reception
    ) -> None:
        self._database = database
        self._applier = applier
        self._directory = directory
        self._reception = reception
        self._announced = 0

    async def follow(self, stop: asyncio.Event) -> None:
        """Sweep and announce once a second until told to stop."""
        while not stop.is_set():
            try:
                swept = await self.sweep()
                await self._announce(swept)
            except LianeError as problem:
                log.warning("the inbox could not be swept: %s", problem.code)
            except Exception:
                log.exception("the inbox could not be swept")
            try:
                await asyncio.wait_for(stop.wait(), SWEEP_SECONDS)
            except TimeoutError:
                continue

    async def sweep(self, *, everything: bool = False) -> int:
        """Apply what waits and is in nobody's hands; how many messages that was."""
        after, count = "", 0
        while True:
            async with self._database.reading() as tx:
                ids = await inbox.waiting(tx, after)
            for message_id in ids:
                after = message_id
                if everything or message_id not in self._reception.in_flight:
                    await self._finish(message_id)
                    count += 1
            if not ids:
                return count

    async def _finish(self, message_id: str) -> None:
        async with self._database.transaction() as tx:
            attempts = await inbox.count_attempt(tx, message_id)
            row = await inbox.one_waiting(tx, message_id)
        if attempts == 0 or row is None:
            return
        partner = self._directory.by_id(row.partner)
        if partner is None or attempts > MAX_ATTEMPTS:
            await self._set_aside(row, gone=partner is None)
            return
        message = await asyncio.to_thread(parse, row.raw, partner.charset)
        try:
            await self._applier.apply(row.id, message, partner, row.received_at)
        except LianeError as problem:
            log.warning("message %s still waits: %s", row.id, problem.code)

    async def _set_aside(self, row: Waiting, *, gone: bool) -> None:
        problem = _partner_gone() if gone else _gives_up()
        fate = Settlement(
            State.FAILED,
            None,
            reason_code=problem.code,
            reason_fr=f"{problem.fr} {problem.advice_fr}",
            reason_en=f"{problem.en} {problem.advice_en}",
        )
        async with self._database.transaction() as tx:
            await inbox.settle(tx, row.id, fate)

    async def _announce(self, swept: int) -> None:
        """One fact a second at most for the open interfaces pages, however many messages."""
        seen = self._reception.counters.received + swept
        if not swept and seen == self._announced:
            return
        self._announced = self._reception.counters.received
        async with self._database.transaction() as tx:
            await changes.append(tx, "interfaces", None, None, {"topics": ["interfaces"]})


def _partner_gone() -> LianeError:
    return NotFound(
        "hl7v2.partner-gone",
        "Le partenaire qui a envoyé ce message n'est plus déclaré.",
        "The partner that sent this message is no longer declared.",
        "Déclarez-le de nouveau sur la page Interfaces, puis rejouez le message.",
        "Declare it again on the interfaces page, then replay the message.",
    )


def _gives_up() -> LianeError:
    return LianeError(
        "hl7v2.gives-up",
        "Ce message a interrompu le service plusieurs fois ; il est mis de côté.",
        "This message interrupted the service several times; it is set aside.",
        "Prévenez le support ; le message est conservé et pourra être rejoué.",
        "Tell support; the message is kept and can be replayed.",
    )
