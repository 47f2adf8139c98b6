"""How does one conversation with one machine go, from the first byte to the last?

The state table (`state`) says which action follows which event; this class carries the actions
out on a socket. It holds at most one message at a time: while an image is being made durable the
socket is not read, so a machine can never run ahead of the disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, cast

from liane.gateways.dicom import command, negotiation, pdu, state
from liane.gateways.dicom.incoming import Incoming

if TYPE_CHECKING:
    from liane.gateways.dicom.listener import Listener

log = logging.getLogger(__name__)

SERVICE_PROVIDER = 2
REASON_NOT_SPECIFIED, REASON_UNRECOGNISED, REASON_UNEXPECTED = 0, 1, 2
REASON_INVALID_PARAMETER = 6

_SMALL_BUFFER_BYTES = 8 * 1024
_RECEIVED: Final = {
    pdu.A_ASSOCIATE_RQ: "Evt6",
    pdu.A_ASSOCIATE_AC: "Evt3",
    pdu.A_ASSOCIATE_RJ: "Evt4",
    pdu.P_DATA_TF: "Evt10",
    pdu.A_RELEASE_RQ: "Evt12",
    pdu.A_RELEASE_RP: "Evt13",
    pdu.A_ABORT: "Evt16",
}


class Association(asyncio.BufferedProtocol):
    """The acceptor's side of one association."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.limits = listener.limits
        self.state = "Sta1"
        self.address = ""
        self.calling = ""
        self.called = ""
        self.deadline = float("inf")
        """When the sweeper ends this conversation (`time.monotonic`)."""
        self.agreement: negotiation.Agreement | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray(_SMALL_BUFFER_BYTES)
        self._filled = 0
        self._body = memoryview(b"")
        self._abort_reason = REASON_NOT_SPECIFIED
        self._busy = False
        self._incoming = Incoming(listener.spool)
        self._actions: dict[str, Callable[[], None]] = {
            "AE-5": self._await_request,
            "AE-6": self._screen_request,
            "AE-7": self._send_accept,
            "DT-2": self._take_data,
            "AR-2": self._agree_to_release,
            "AR-4": self._send_release_reply,
            "AR-5": self._end,
            "AA-1": self._send_abort,
            "AA-2": self._close,
            "AA-3": self._close,
            "AA-4": self._end,
            "AA-5": self._end,
            "AA-6": self._nothing,
            "AA-7": self._send_abort,
            "AA-8": self._send_abort,
        }

    # The socket -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer has connected."""
        # uvloop has transports of its own that are no subclass of asyncio.Transport.
        transport = cast("asyncio.Transport", transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        if self.listener.opened(self):
            self._happen("Evt5")
        else:
            transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes may be written."""
        del sizehint
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have arrived."""
        self._filled += nbytes
        self._read_messages()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, whoever closed it."""
        del exc
        self._transport = None
        if self.state != "Sta1":
            self._happen("Evt17")
        if not self._busy:
            self._incoming.forget()
        self.listener.closed(self)

    def expire(self) -> None:
        """The sweeper found the deadline passed: ARTIM, an idle or a dripping peer."""
        self.deadline = float("inf")
        if self.state in ("Sta2", "Sta13"):
            self._happen("Evt18")
        elif self.state != "Sta1":
            log.warning("DICOM %s %s: silent or too slow, aborted", self.address, self.calling)
            self._happen("Evt15")

    def drop(self) -> None:
        """Close the socket at once, to make room."""
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        """The gateway stops: end the conversation, unless an image is being made durable."""
        if not self._busy and self.state in ("Sta3", "Sta6", "Sta8"):
            self._happen("Evt15")
        elif self.state == "Sta2":
            self.drop()

    @property
    def is_busy(self) -> bool:
        """Whether an image is being made durable at this moment."""
        return self._busy

    # PDUs -----------------------------------------------------------------------------------

    def _read_messages(self) -> None:
        start = 0
        while not self._busy and self.state not in ("Sta1", "Sta13"):
            left = self._filled - start
            if left < pdu.HEADER_BYTES:
                break
            kind, length = pdu.read_header(self._buffer, start)
            if length > self._longest(kind):
                self._abort_reason = REASON_INVALID_PARAMETER
                self._happen("Evt19")
                break
            if left < pdu.HEADER_BYTES + length:
                self._make_room(start, pdu.HEADER_BYTES + length)
                start = 0
                break
            first = start + pdu.HEADER_BYTES
            start = first + length
            self._receive(kind, memoryview(self._buffer)[first:start])
        self._keep_rest(start)
        self._watch()

    def _longest(self, kind: int) -> int:
        """The most bytes a message of this kind may announce."""
        if kind == pdu.P_DATA_TF:
            return negotiation.MAX_PDU_BYTES
        return pdu.ASSOCIATE_LIMIT_BYTES if kind == pdu.A_ASSOCIATE_RQ else 1024

    def _make_room(self, start: int, needed: int) -> None:
        if start:
            self._move(start)
        if needed > len(self._buffer):
            bigger = bytearray(needed)
            bigger[: self._filled] = memoryview(self._buffer)[: self._filled]
            self._buffer = bigger

    def _keep_rest(self, start: int) -> None:
        if self.state in ("Sta1", "Sta13"):
            self._filled = 0
        elif start:
            self._move(start)

    def _move(self, start: int) -> None:
        rest = self._filled - start
        # Slices of a bytearray are copied before they are assigned: overlap is safe.
        self._buffer[:rest] = self._buffer[start : self._filled]
        self._filled = rest

    def _receive(self, kind: int, body: memoryview) -> None:
        self._body = body
        self._abort_reason = REASON_UNEXPECTED
        event = _RECEIVED.get(kind, "Evt19")
        if event == "Evt19":
            self._abort_reason = REASON_UNRECOGNISED
        try:
            self._happen(event)
        except pdu.Malformed as problem:
            log.warning("DICOM %s %s: %s", self.address, self.calling, problem)
            self._abort_reason = REASON_INVALID_PARAMETER
            self._happen("Evt19")
        finally:
            self._body = memoryview(b"")

    def _happen(self, event: str) -> None:
        name = state.action(self.state, event)
        before = self.state
        self._actions[name]()
        if self.state == before:
            self.state = state.NEXT_STATES[name][0]

    def _watch(self) -> None:
        """Set the moment at which this conversation has been too quiet or too slow."""
        now = time.monotonic()
        if self._busy or self.state == "Sta1":
            self.deadline = float("inf")
        elif self.state == "Sta6":
            self.deadline = now + self.limits.idle_seconds
            if self._incoming.began:
                earned = self._incoming.size_bytes / self.limits.least_bytes_per_second
                allowed = self.limits.message_seconds + earned
                self.deadline = min(self.deadline, self._incoming.began + allowed)
        elif self.state == "Sta13" and self.deadline == float("inf"):
            self.deadline = now + self.limits.artim_seconds

    # Actions of the acceptor ----------------------------------------------------------------

    def _nothing(self) -> None:
        """AA-6: ignore."""

    def _await_request(self) -> None:
        """AE-5: start ARTIM; the whole request must come before it ends."""
        self.deadline = time.monotonic() + self.limits.artim_seconds

    def _screen_request(self) -> None:
        """AE-6: reject what we cannot talk to, otherwise ask the listener and answer."""
        request = pdu.decode_associate_request(self._body)
        self.calling, self.called = request.calling, request.called
        refusal = negotiation.screen(request, self.listener.titles)
        refusal = refusal or self.listener.admitted(self)
        if refusal is not None:
            log.warning("DICOM %s %s: association refused %s", self.address, self.calling, refusal)
            self._write(pdu.encode(refusal))
            self._rest()
            return
        self.agreement = negotiation.agree(request)
        self.state = "Sta3"
        self._happen("Evt7")

    def _send_accept(self) -> None:
        """AE-7: answer every context; from now on large messages are expected."""
        assert self.agreement is not None
        self._write(pdu.encode(self.agreement.accept))

    def _agree_to_release(self) -> None:
        """AR-2: the peer has finished; so have we."""
        self.state = "Sta8"
        self._happen("Evt14")

    def _send_release_reply(self) -> None:
        """AR-4: confirm, and let the peer close."""
        self._write(pdu.encode(pdu.Release(reply=True)))
        self._rest()

    def _send_abort(self) -> None:
        """AA-1, AA-7, AA-8: say why, and let the peer close."""
        source = 0 if self._abort_reason == REASON_NOT_SPECIFIED else SERVICE_PROVIDER
        self._write(pdu.encode(pdu.Abort(source, self._abort_reason)))
        self._rest()

    def _rest(self) -> None:
        """Wait in Sta13 for the peer to close, but not for ever; read nothing more."""
        self.state = "Sta13"
        self.deadline = time.monotonic() + self.limits.artim_seconds
        if not self._busy:
            self._incoming.forget()

    def _close(self) -> None:
        """AA-2, AA-3: close the transport, whatever is still unsent."""
        self.drop()

    def _end(self) -> None:
        """AA-4, AA-5, AR-5: the transport is closed already."""

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    # Messages -------------------------------------------------------------------------------

    def _take_data(self) -> None:
        """DT-2: pieces of commands and data sets."""
        assert self.agreement is not None
        for piece in pdu.fragments(self._body):
            self._incoming.take(piece, self.agreement.contexts)
        spool = self._incoming.spool
        if self._incoming.complete:
            self._start(self._answer())
        elif spool is not None and spool.is_heavy:
            self._start(self.listener.in_thread(spool.flush))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that takes time; meanwhile the peer is not listened to."""
        self._busy = True
        if self._transport is not None:
            self._transport.pause_reading()
        self.listener.keep(work, self._finished)

    def _finished(self) -> None:
        self._busy = False
        if self._transport is None:
            self._incoming.forget()
            return
        self._transport.resume_reading()
        if self.listener.stopping:
            self.finish()
        self._read_messages()

    async def _answer(self) -> None:
        """Let the listener act on the whole message, then say what came of it."""
        assert self.agreement is not None
        request, spool, context = (
            self._incoming.request, self._incoming.spool, self._incoming.context,
        )  # fmt: skip
        assert request is not None
        try:
            answer = await self.listener.act(self, request, spool, self.agreement.contexts[context])
        finally:
            self._incoming.forget()
        if answer is not None:
            self._send_command(context, command.encode_answer(request, answer))

    def _send_command(self, context: int, data: bytes) -> None:
        assert self.agreement is not None
        limit = self.agreement.peer_max_pdu_bytes
        step = len(data) if limit == 0 else max(64, limit - pdu.HEADER_BYTES)
        starts = range(0, len(data), step)
        if self.state == "Sta6":
            self._write(
                b"".join(
                    pdu.encode_fragment(
                        context, data[at : at + step], is_command=True, is_last=at == starts[-1]
                    )
                    for at in starts
                )
            )
