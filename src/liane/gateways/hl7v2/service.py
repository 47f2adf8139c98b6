"""Who listens at the HL7 v2 port, how many may talk at once, and how does it begin and end?

At the start, messages that were safe but not applied are applied first, in the order they came.
At the end, what was received is answered, then the port closes.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from liane.base.errors import LianeError
from liane.gateways.hl7v2.applying import Applier
from liane.gateways.hl7v2.inbox import Inbox
from liane.gateways.hl7v2.line import Limits, Line
from liane.gateways.hl7v2.partners import LOOPBACK, Directory, ensure
from liane.gateways.hl7v2.reception import Peer, Reception
from liane.gateways.hl7v2.sweeping import Sweeper
from liane.ui.services import Services

__all__ = ["LOOPBACK", "Gateway", "Limits", "ensure", "serve", "tls_context"]

log = logging.getLogger(__name__)

LARGE_FRAME_BYTES = 1024 * 1024


class Gateway:
    """The HL7 v2 port of this process."""

    def __init__(self, services: Services, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        database = services.database
        self._inbox = Inbox(database)
        self._applier = Applier(database, services.blobs)
        self.directory = Directory(database)
        self.reception = Reception(database, self._inbox, self._applier, self.directory)
        self.sweeper = Sweeper(database, self._applier, self.directory, self.reception)
        self._lines: dict[Line, asyncio.Task[Any]] = {}
        self._server: asyncio.Server | None = None
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Apply what waits, then listen; the port actually used (for port 0)."""
        await self.directory.refresh()
        self._inbox.start()
        await self.sweeper.sweep(everything=True)
        self._tasks = [
            asyncio.create_task(self.directory.follow(self._stop), name="hl7v2-partners"),
            asyncio.create_task(self.sweeper.follow(self._stop), name="hl7v2-sweeper"),
        ]
        self._server = await asyncio.start_server(
            self._connected, host, port, ssl=tls, backlog=512, limit=512 * 1024
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port, answer what was received, end."""
        self._stop.set()
        if self._server is not None:
            self._server.close()
        for line in list(self._lines):
            await line.drain_and_close()
        if self._lines:
            await asyncio.wait(set(self._lines.values()), timeout=5)
        for line in list(self._lines):
            line.close()
        await self._inbox.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def has_room(self, line: Line) -> bool:
        """Large unfinished frames share one allowance, so that memory stays bounded."""
        if line.held_bytes < LARGE_FRAME_BYTES:
            return True
        held = sum(other.held_bytes for other in self._lines)
        return held < self.limits.unfinished_bytes

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _peer(writer)
        line = Line(self, peer, reader, writer)
        if not self._admitted(line):
            log.warning("too many connections from %s: one was refused", peer.address)
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._lines[line] = task
        try:
            await line.run()
        except (OSError, asyncio.CancelledError):
            pass
        except Exception:
            log.exception("a connection from %s failed", peer.address)
        finally:
            self._lines.pop(line, None)
            writer.close()

    def _admitted(self, line: Line) -> bool:
        """When the house is full, the oldest connection that has never sent a message leaves."""
        addresses = Counter(other.peer.address for other in self._lines)
        full = len(self._lines) >= self.limits.connections
        crowded = addresses[line.peer.address] >= self.limits.connections_per_address
        if not full and not crowded:
            return True
        idle = [
            other
            for other in self._lines
            if not other.proven and (full or other.peer.address == line.peer.address)
        ]
        if not idle:
            return False
        min(idle, key=lambda other: other.opened).close()
        return True


def _peer(writer: asyncio.StreamWriter) -> Peer:
    name = writer.get_extra_info("peername")
    address = str(name[0]) if isinstance(name, tuple) else ""
    tls = writer.get_extra_info("ssl_object")
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    return Peer(address, hashlib.sha256(certificate).hexdigest() if certificate else "")


def tls_context(certificate: Path, authority: Path | None = None) -> ssl.SSLContext:
    """TLS for the port: our certificate and key (one PEM file); with an authority, partners
    must show a certificate that it signed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate)
    if authority:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def serve(
    services: Services,
    host: str,
    port: int,
    stop: asyncio.Event,
    *,
    tls_certificate: Path | None = None,
    tls_authority: Path | None = None,
    ready: Callable[[int], None] | None = None,
    limits: Limits | None = None,
) -> None:
    """Listen until `stop` is set. A database that is not there yet is waited for."""
    gateway = Gateway(services, limits)
    tls = tls_context(tls_certificate, tls_authority) if tls_certificate else None
    deadline = time.monotonic() + 60
    while True:
        try:
            bound = await gateway.start(host, port, tls)
            break
        except LianeError as problem:
            if stop.is_set() or time.monotonic() > deadline:
                raise
            log.warning("HL7 v2 waits for the database: %s", problem.code)
            await gateway.stop()
            gateway = Gateway(services, limits)
            await asyncio.sleep(0.5)
    if ready is not None:
        ready(bound)
    try:
        await stop.wait()
    finally:
        await gateway.stop()
