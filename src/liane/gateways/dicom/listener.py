"""Who listens at the DICOM port, how many may talk at once, and who stops whom?

One listener per port. Silent sockets are closed after a few seconds, each address has its share,
and when too many silent sockets wait the oldest silent one makes room: a scanner that speaks at
once always gets in.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from liane.gateways.dicom import command, negotiation, pdu, registry
from liane.gateways.dicom.association import Association
from liane.gateways.dicom.command import Answer
from liane.gateways.dicom.spool import Spool

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one peer, and all of them together, may ask of the gateway."""

    artim_seconds: float = 5.0
    """From the connection to the whole association request; and for the final close."""
    idle_seconds: float = 60.0
    """Longest silence on an association."""
    message_seconds: float = 60.0
    least_bytes_per_second: float = 4096.0
    """A message may last `message_seconds` plus its size at this rate."""
    silent_sockets: int = 2000
    silent_sockets_per_address: int = 64
    associations: int = 128
    associations_per_address: int = 32


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as far as the conversation tells."""

    address: str
    calling: str
    called: str


class Desk(Protocol):
    """Where whole objects are handed in."""

    def admits(self, peer: Peer) -> bool:
        """Whether this machine may talk to us at all."""
        ...

    async def receive(
        self, peer: Peer, request: command.Request, spool: Spool, syntax: str
    ) -> Answer:
        """Make one object durable, then say what came of it."""
        ...


class Listener:
    """The DICOM port: its conversations, limits and end."""

    def __init__(
        self, desk: Desk, folder: Path, titles: Sequence[str], limits: Limits | None = None
    ) -> None:
        self.titles = tuple(titles)
        self.limits = limits or Limits()
        self.stopping = False
        self._desk = desk
        self._folder = folder
        self._silent: dict[Association, None] = {}
        self._silent_at: dict[str, dict[Association, None]] = {}
        self._talking: dict[Association, None] = {}
        self._work: set[asyncio.Task[None]] = set()

    # Called by associations -----------------------------------------------------------------

    def opened(self, one: Association) -> bool:
        """A socket was opened; make room for it at the cost of the oldest silent one."""
        if self.stopping:
            return False
        same = self._silent_at.setdefault(one.address, {})
        if len(same) >= self.limits.silent_sockets_per_address:
            self._make_room(next(iter(same)))
        elif len(self._silent) >= self.limits.silent_sockets:
            self._make_room(next(iter(self._silent)))
        self._silent[one] = None
        self._silent_at.setdefault(one.address, {})[one] = None
        return True

    def _make_room(self, oldest: Association) -> None:
        self._no_longer_silent(oldest)
        oldest.drop()

    def _no_longer_silent(self, one: Association) -> None:
        self._silent.pop(one, None)
        same = self._silent_at.get(one.address, {})
        same.pop(one, None)
        if not same:
            self._silent_at.pop(one.address, None)

    def closed(self, one: Association) -> None:
        """A socket is gone."""
        self._no_longer_silent(one)
        self._talking.pop(one, None)

    def admitted(self, one: Association) -> pdu.AssociateReject | None:
        """Whether this peer may have an association now; None is yes."""
        peer = Peer(one.address, one.calling, one.called)
        if not self._desk.admits(peer):
            return negotiation.CALLING_TITLE_NOT_RECOGNISED
        if len(self._talking) >= self.limits.associations:
            return negotiation.TEMPORARY_CONGESTION
        same = Counter(other.address for other in self._talking)[one.address]
        if same >= self.limits.associations_per_address:
            return negotiation.LOCAL_LIMIT_EXCEEDED
        self._no_longer_silent(one)
        self._talking[one] = None
        return None

    def spool(self) -> Spool:
        """A place for a data set that starts to arrive."""
        return Spool(self._folder)

    async def in_thread(self, work: Callable[[], None]) -> None:
        """Run something that blocks on the disk."""
        await asyncio.get_running_loop().run_in_executor(None, work)

    def keep(self, work: Coroutine[Any, Any, None], then: Callable[[], None]) -> None:
        """Run `work` to its end even when the peer leaves; call `then` afterwards."""
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)

        def finished(done: asyncio.Task[None]) -> None:
            self._work.discard(done)
            if not done.cancelled() and done.exception() is not None:
                log.error("DICOM message failed", exc_info=done.exception())
            then()

        task.add_done_callback(finished)

    async def act(
        self,
        one: Association,
        request: command.Request,
        spool: Spool | None,
        context: tuple[str, str],
    ) -> Answer | None:
        """Do what the message asks (PS3.7 section 9.1); None needs no answer."""
        abstract, syntax = context
        if request.field == command.C_CANCEL_RQ:
            return None
        if request.field == command.C_ECHO_RQ and abstract == registry.VERIFICATION:
            return Answer(command.SUCCESS)
        if request.field != command.C_STORE_RQ or abstract == registry.VERIFICATION:
            return Answer(command.UNRECOGNISED_OPERATION)
        if request.sop_class != abstract:
            return Answer(command.SOP_CLASS_NOT_SUPPORTED, "class differs from the context's")
        if spool is None:
            return Answer(command.CANNOT_UNDERSTAND, "C-STORE without a data set")
        if spool.failed:
            return Answer(command.OUT_OF_RESOURCES, "no room for this object")
        peer = Peer(one.address, one.calling, one.called)
        return await self._desk.receive(peer, request, spool, syntax)

    # Called by the process ------------------------------------------------------------------

    async def sweep(self) -> None:
        """End conversations that are silent, dripping or overdue; for ever."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            for one in [*self._silent, *self._talking]:
                if one.deadline < now:
                    one.expire()

    async def finish(self, patience_seconds: float = 5.0) -> None:
        """Take nothing new, let what is being made durable end, close the rest."""
        self.stopping = True
        for one in [*self._silent, *self._talking]:
            one.finish()
        if self._work:
            await asyncio.wait(self._work, timeout=patience_seconds)
        await asyncio.sleep(0)
        for one in [*self._silent, *self._talking]:
            one.drop()


def within_descriptors(limits: Limits) -> Limits:
    """The limits this process can keep: every socket is an open file, and files are rationed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * (limits.silent_sockets + limits.associations)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    most = max(64, soft // 2 - limits.associations)
    return replace(limits, silent_sockets=min(limits.silent_sockets, most))


async def listen(
    listener: Listener, host: str, port: int, tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Open the port. The kernel's queue is long: bursts of connections are normal at a shift."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: Association(listener), host, port, ssl=tls, backlog=1024, reuse_address=True
    )
