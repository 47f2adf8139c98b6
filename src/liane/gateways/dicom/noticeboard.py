"""How does the interfaces page learn what the DICOM port received and turned away?

Once a second at most, however many images: one fact for the open pages, and the refusals of that
second added up by machine and reason. Nothing here delays an answer to a machine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from liane.base.text import visible
from liane.gateways.dicom.listener import Peer
from liane.store import changes
from liane.store.sql import queries
from liane.ui.services import Services

log = logging.getLogger(__name__)

Q = queries("liane.gateways.dicom", "interfaces.sql")

EVERY_SECONDS = 1.0
MOST_KINDS = 500
"""Kinds of refusal remembered between two tellings: a flood from many addresses stays bounded."""
FORGET_EVERY = 3600

UNKNOWN_MACHINE = "unknown-machine"
NOT_FITTING = "not-fitting"
UNREADABLE = "unreadable"
BAD_UID = "bad-uid"
NO_ROOM = "no-room"
NOT_STORED = "not-stored"
REASONS = (UNKNOWN_MACHINE, NOT_FITTING, UNREADABLE, BAD_UID, NO_ROOM, NOT_STORED)
"""Why something was turned away; each has its words in the messages (`dicom.refused.…`)."""

Kind = tuple[str, str, str]


@dataclass(slots=True)
class _Refused:
    peer: Peer
    detail: str
    times: int = 0


class Noticeboard:
    """Gathers what happened and tells it once a second."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._refused: dict[Kind, _Refused] = {}
        self._news = asyncio.Event()

    def arrived(self) -> None:
        """An image was filed, in a chart or not."""
        self._news.set()

    def refused(self, peer: Peer, reason: str, detail: str = "", *, partner: str = "") -> None:
        """A machine (or one of its objects) was turned away."""
        kind = (partner, peer.address, reason)
        if kind not in self._refused and len(self._refused) >= MOST_KINDS:
            return
        known = self._refused.setdefault(kind, _Refused(peer, detail))
        known.peer, known.detail = peer, detail
        known.times += 1
        self._news.set()

    async def run(self) -> None:
        """Tell for ever; while the database is away what was gathered stays."""
        told = 0
        while True:
            await self._news.wait()
            told += await self._told(forget=told % FORGET_EVERY == 0)
            await asyncio.sleep(EVERY_SECONDS)

    async def finish(self) -> None:
        """Tell what is left, when the port closes."""
        await self._told(forget=False)

    async def _told(self, *, forget: bool) -> bool:
        try:
            await self.tell(forget=forget)
        except Exception:
            log.warning("the interfaces page could not be told", exc_info=True)
            return False
        return True

    async def tell(self, *, forget: bool = False) -> None:
        """Write what was gathered, if anything was."""
        if not self._news.is_set():
            return
        self._news.clear()
        gathered, self._refused = self._refused, {}
        try:
            async with self._services.database.transaction() as tx:
                if gathered:
                    rows = orjson.dumps(list(_rows(gathered))).decode()
                    await tx.execute(Q["count_refusals"], tx.tenant, tx.now, rows)
                if forget:
                    await tx.execute(Q["forget_refusals"], tx.tenant, tx.now)
                await changes.append(tx, "interfaces", None, None, {"topics": ["interfaces"]})
        except BaseException:
            self._gather_again(gathered)
            raise

    def _gather_again(self, gathered: dict[Kind, _Refused]) -> None:
        for kind, one in gathered.items():
            known = self._refused.setdefault(kind, _Refused(one.peer, one.detail))
            known.times += one.times
        self._news.set()


def _rows(gathered: dict[Kind, _Refused]) -> Iterable[dict[str, object]]:
    # One order for all processes: two that count the same machines never wait for each other.
    for (partner, address, reason), one in sorted(gathered.items(), key=lambda item: item[0]):
        yield {
            "partner": partner,
            "address": visible(address)[:64],
            "reason": reason,
            "calling": visible(one.peer.calling)[:16],
            "called": visible(one.peer.called)[:16],
            "detail": visible(one.detail)[:200],
            "times": one.times,
        }
