"""What does the gateway answer to a machine that hands in an image?

Success is said after the bytes and the index row are durable, never before; each refusal has the
status of PS3.4 table B.2-1 and a short comment for the technician's screen.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from itertools import count
from pathlib import Path

from liane.gateways.dicom import command, partners, registry
from liane.gateways.dicom.command import Answer
from liane.gateways.dicom.filing import Arrival, Desk, Source
from liane.gateways.dicom.listener import Limits, Listener, Peer, listen, within_descriptors
from liane.gateways.dicom.mapping import Expected, Mismatch
from liane.gateways.dicom.noticeboard import (
    BAD_UID,
    NO_ROOM,
    NOT_FITTING,
    NOT_STORED,
    UNKNOWN_MACHINE,
    UNREADABLE,
    Noticeboard,
)
from liane.gateways.dicom.partners import Partner
from liane.gateways.dicom.pdu import Malformed
from liane.gateways.dicom.spool import Spool
from liane.gateways.dicom.uids import is_uid
from liane.ui.services import Services

log = logging.getLogger(__name__)

PARTNERS_EVERY_SECONDS = 5.0
RECOVER_EVERY_TURNS = 12


class Reception:
    """Takes whole objects from the listener and has them filed under their partner's rules."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._partners: tuple[Partner, ...] = ()
        self._known: dict[Peer, Partner | None] = {}
        self.desk = Desk(services)
        self.board = Noticeboard(services)

    async def prepare(self) -> None:
        """Learn the partners and finish what an earlier process left."""
        await self.learn()
        await self.desk.follower.recover()

    async def learn(self) -> None:
        """Read the partners again."""
        self._partners = await partners.load(self._services.database)
        self._known.clear()

    async def keep_learning(self) -> None:
        """A changed partner counts within seconds; what some process left untold is told soon.

        While the database is away the last known partners stay.
        """
        for turn in count(1):
            await asyncio.sleep(PARTNERS_EVERY_SECONDS)
            try:
                await self.learn()
                if turn % RECOVER_EVERY_TURNS == 0:
                    await self.desk.follower.recover()
            except Exception:
                log.warning("DICOM partners could not be read again", exc_info=True)

    def admits(self, peer: Peer) -> bool:
        """Whether some partner fits address and titles."""
        known = self._partner(peer) is not None
        if not known:
            self.board.refused(peer, UNKNOWN_MACHINE)
        return known

    def _partner(self, peer: Peer) -> Partner | None:
        if peer not in self._known:
            self._known[peer] = partners.find(self._partners, peer)
        return self._known[peer]

    async def receive(
        self, peer: Peer, request: command.Request, spool: Spool, syntax: str
    ) -> Answer:
        """File one object; the answer tells the truth about its durability."""
        partner = self._partner(peer)
        if partner is None:
            self.board.refused(peer, UNKNOWN_MACHINE, "no longer a partner")
            return Answer(command.NOT_AUTHORISED, "no longer a partner")
        answer, reason = await self._received(peer, partner, request, spool, syntax)
        if reason:
            self.board.refused(peer, reason, answer.comment, partner=partner.id)
        else:
            self.board.arrived()
        return answer

    async def _received(
        self, peer: Peer, partner: Partner, request: command.Request, spool: Spool, syntax: str
    ) -> tuple[Answer, str]:
        """The answer, and why the object was refused (nothing when it was not)."""
        if not is_uid(request.sop_instance) and not partner.policy.quarantine:
            comment = "SOP instance UID breaks the rules"
            return Answer(command.CANNOT_UNDERSTAND, comment), BAD_UID
        try:
            content: bytes | Path = spool.content() if spool.is_light else (
                await asyncio.to_thread(spool.content)
            )  # fmt: skip
            if spool.failed:
                return Answer(command.OUT_OF_RESOURCES, "no room for this object"), NO_ROOM
            arrival = Arrival(
                content,
                registry.transfer_syntaxes()[syntax],
                expected=Expected(request.sop_class, request.sop_instance),
            )
            filed = await self.desk.file(arrival, Source(partner.actor, partner.policy))
        except Mismatch as problem:
            return _refused(peer, command.DOES_NOT_MATCH, str(problem)), NOT_FITTING
        except Malformed as problem:
            return _refused(peer, command.CANNOT_UNDERSTAND, str(problem)), UNREADABLE
        except Exception:
            log.exception("DICOM %s %s: object not stored", peer.address, peer.calling)
            answer = Answer(command.OUT_OF_RESOURCES, "not stored, please send again")
            return answer, NOT_STORED
        if filed.reason:
            log.warning("DICOM %s %s: kept, %s", peer.address, peer.calling, filed.reason)
        return Answer(command.SUCCESS), ""


def _refused(peer: Peer, status: int, comment: str) -> Answer:
    log.warning("DICOM %s %s: refused, %s", peer.address, peer.calling, comment)
    return Answer(status, comment)


async def serve(
    services: Services,
    host: str,
    port: int,
    ae_title: str,
    stop: asyncio.Event,
    *,
    tls: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    ready: asyncio.Future[int] | None = None,
) -> None:
    """Listen until `stop` is set; `ready` gets the port that was opened.

    Pass `tls` (with client certificates required) to speak TLS.
    """
    folder = services.home / "dicom"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.glob("arriving-*.dicom"):
        left.unlink(missing_ok=True)
    reception = Reception(services)
    await reception.prepare()
    kept = within_descriptors(limits or Limits())
    listener = Listener(reception, folder, (ae_title,), kept)
    server = await listen(listener, host, port, tls)
    background = [
        asyncio.create_task(listener.sweep()),
        asyncio.create_task(reception.keep_learning()),
        asyncio.create_task(reception.board.run()),
    ]
    if ready is not None:
        ready.set_result(server.sockets[0].getsockname()[1])
    try:
        await stop.wait()
    finally:
        server.close()
        await listener.finish()
        await reception.desk.follower.finish()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await reception.board.finish()
