"""How is one connection read and answered without letting it harm the others?

Bytes are read only while there is room: a sender that floods is slowed by TCP itself. Silent and
trickling connections are closed. Frames that wait together become durable together; answers go
out in the order the frames came.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Protocol

from liane.gateways.hl7v2.batches import Delivery
from liane.gateways.hl7v2.mllp import Found, FrameParser, Outcome, frame
from liane.gateways.hl7v2.reception import Kept, Peer, Reception

log = logging.getLogger(__name__)

READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one connection, and all of them together, may ask of the gateway."""

    frame_bytes: int = 32 * 1024 * 1024
    first_frame_seconds: float = 15.0
    """From the connection to its first whole frame begun: silent sockets are closed."""
    inside_seconds: float = 30.0
    """Longest silence inside a frame."""
    least_bytes_per_second: float = 2048.0
    """A frame may last `inside_seconds` plus its size at this rate."""
    idle_seconds: float = 3600.0
    last_return_seconds: float = 0.25
    write_seconds: float = 30.0
    waiting_frames: int = 32
    waiting_bytes: int = 8 * 1024 * 1024
    connections: int = 1000
    connections_per_address: int = 128
    unfinished_bytes: int = 256 * 1024 * 1024
    """All unfinished frames larger than 1 MiB together."""


class House(Protocol):
    """What a line needs to know of the whole gateway."""

    limits: Limits
    reception: Reception

    def has_room(self, line: Line) -> bool:
        """Whether this line may read more of a large frame now."""
        ...


class Line:
    """One connection of one peer."""

    def __init__(
        self,
        house: House,
        peer: Peer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.peer = peer
        self.proven = False
        self.opened = time.monotonic()
        self._house = house
        self._limits = house.limits
        self._reader = reader
        self._writer = writer
        self._parser = FrameParser(house.limits.frame_bytes)
        self._frame_began = self.opened
        self._waiting: list[Found] = []
        self._waiting_bytes = 0
        self._changed = asyncio.Condition()
        self._ended = False

    @property
    def held_bytes(self) -> int:
        """Memory of the unfinished frame."""
        return self._parser.held_bytes

    async def run(self) -> None:
        """Read and answer until the peer leaves, misbehaves or goes silent."""
        answering = asyncio.create_task(self._answer_all())
        reading = asyncio.create_task(self._read_all())
        try:
            await asyncio.wait({answering, reading}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                # What was received before the peer left is still answered (or at least applied).
                await asyncio.wait({answering}, timeout=self._limits.write_seconds)
        finally:
            for task in (answering, reading):
                task.cancel()
            await asyncio.gather(answering, reading, return_exceptions=True)

    def close(self) -> None:
        """Hang up at once."""
        self._writer.transport.abort()

    async def drain_and_close(self) -> None:
        """Read nothing more; what was received is still answered."""
        self._reader.feed_eof()

    async def _read_all(self) -> None:
        try:
            while not self._parser.closed:
                data = await self._read()
                if data is None:
                    break
                was_inside = self._parser.inside
                found = self._parser.feed(data)
                if self._parser.inside and (found or not was_inside):
                    self._frame_began = time.monotonic()
                await self._hand_over(found)
            await self._hand_over(self._parser.finish())
        except (OSError, TimeoutError):
            await self._hand_over(self._parser.finish())
        finally:
            async with self._changed:
                self._ended = True
                self._changed.notify_all()

    async def _read(self) -> bytes | None:
        """The next bytes; None when the peer left or was silent for too long."""
        while not self._house.has_room(self):
            await asyncio.sleep(0.05)
            if time.monotonic() > self._frame_deadline():
                return None
        try:
            async with asyncio.timeout(self._patience()):
                return await self._reader.read(READ_BYTES) or None
        except TimeoutError:
            if self._parser.awaits_last_return:
                await self._hand_over(self._parser.finish())
                return b""
            return None

    def _frame_deadline(self) -> float:
        allowed = self.held_bytes / self._limits.least_bytes_per_second
        return self._frame_began + self._limits.inside_seconds + allowed

    def _patience(self) -> float:
        limits = self._limits
        if self._parser.awaits_last_return:
            return limits.last_return_seconds
        if self._parser.inside:
            left = self._frame_deadline() - time.monotonic()
            return max(0.01, min(limits.inside_seconds, left))
        if not self.proven:
            return max(0.01, self.opened + limits.first_frame_seconds - time.monotonic())
        return limits.idle_seconds

    async def _hand_over(self, found: list[Found]) -> None:
        """Give findings to the answering side; wait while too much is unanswered."""
        for one in found:
            self.proven = self.proven or one.outcome is Outcome.FRAME
            async with self._changed:
                while self._waiting and (
                    len(self._waiting) >= self._limits.waiting_frames
                    or self._waiting_bytes > self._limits.waiting_bytes
                ):
                    await self._changed.wait()
                self._waiting.append(one)
                self._waiting_bytes += len(one.data)
                self._changed.notify_all()

    async def _answer_all(self) -> None:
        while True:
            async with self._changed:
                while not self._waiting and not self._ended:
                    await self._changed.wait()
                batch, self._waiting = self._waiting, []
                self._waiting_bytes = 0
                self._changed.notify_all()
            if not batch:
                return
            await self._answer(batch)

    async def _answer(self, batch: list[Found]) -> None:
        """Everything that waits becomes durable in one go, then is applied one by one."""
        reception = self._house.reception
        kept = await asyncio.gather(
            *(reception.keep(f.data, self.peer) for f in batch if f.outcome is Outcome.FRAME)
        )
        try:
            await self._answer_in_order(batch, list(kept))
        finally:
            # Whatever was not reached (the peer has gone) is safe, and left to the sweeper.
            for _, messages in kept:
                reception.release(messages)

    async def _answer_in_order(
        self, batch: list[Found], kept: list[tuple[Delivery, list[Kept]]]
    ) -> None:
        reception = self._house.reception
        whole = iter(kept)
        for found in batch:
            if found.outcome is Outcome.FRAME:
                cut, messages = next(whole)
                await reception.answer(cut, messages, self._say)
            elif found.outcome is Outcome.TOO_LARGE:
                limit = self._limits.frame_bytes
                await self._say(await reception.refuse_too_large(found.data, self.peer, limit))
            elif found.outcome is Outcome.NOISE:
                await self._say(await reception.refuse_noise(found.data, self.peer))
            else:
                await reception.keep_truncated(found.data, self.peer)

    async def _say(self, answer: bytes) -> None:
        """Send an answer. A peer that reads nothing is hung up on; its messages are safe."""
        if self._writer.is_closing():
            return
        self._writer.write(frame(answer))
        try:
            async with asyncio.timeout(self._limits.write_seconds):
                await self._writer.drain()
        except (OSError, TimeoutError):
            log.warning("the answer could not be delivered to %s", self.peer.address)
            self.close()
