"""Where does one message end and the next begin on a line that never stops?

MLLP (HL7 v2.5.1 appendix C, transport specification release 1): each frame is <VT> message
<FS><CR>. The parser takes bytes as they arrive, in any pieces, looks at each byte once, and never
holds more than one frame of at most `limit_bytes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

START = 0x0B
END = 0x1C
MAX_FRAME_BYTES = 32 * 1024 * 1024
MAX_NOISE_BYTES = 64 * 1024
_HEADERS = (b"MSH", b"FHS", b"BHS", b"\xef\xbb\xbf")


class Outcome(StrEnum):
    """What the parser found."""

    FRAME = "frame"
    TRUNCATED = "truncated"
    TOO_LARGE = "too-large"
    NOISE = "noise"


@dataclass(frozen=True, slots=True)
class Found:
    """One finding: a whole frame, the beginning of an abandoned one, or a reason to hang up."""

    outcome: Outcome
    data: bytes


def frame(message: bytes) -> bytes:
    """`message` ready for the line."""
    return b"\x0b" + message + b"\x1c\r"


class FrameParser:
    """Cuts a stream of bytes into frames. After TOO_LARGE or NOISE it accepts nothing more."""

    def __init__(self, limit_bytes: int = MAX_FRAME_BYTES) -> None:
        self._limit = limit_bytes
        self._buffer = bytearray()
        self._scanned = 0
        self._inside = False
        self._noise = 0
        self.closed = False

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._inside

    @property
    def held_bytes(self) -> int:
        """How much memory the unfinished frame takes."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Found]:
        """Everything that became complete with these bytes."""
        if self.closed:
            return []
        self._buffer += data
        found: list[Found] = []
        while not self.closed:
            one = self._inside_frame() if self._inside else self._between_frames()
            if one is None:
                break
            if one.outcome is not Outcome.NOISE or self.closed:
                found.append(one)
        return found

    def finish(self) -> list[Found]:
        """What is left when the peer goes silent or hangs up: a frame that only lacks its last
        carriage return counts as whole.
        """
        rest = bytes(self._buffer)
        inside, self._inside = self._inside, False
        self._buffer.clear()
        self._scanned = 0
        if not inside or not rest:
            return []
        if rest[-1] == END:
            return [Found(Outcome.FRAME, rest[:-1])]
        return [Found(Outcome.TRUNCATED, rest)]

    @property
    def awaits_last_return(self) -> bool:
        """Whether the frame ends with <FS> and only the <CR> is missing."""
        return self._inside and bool(self._buffer) and self._buffer[-1] == END

    def _between_frames(self) -> Found | None:
        start = self._buffer.find(START)
        skipped = self._buffer[: start if start >= 0 else len(self._buffer)]
        self._noise += len(skipped.strip(b"\r\n\0 "))
        if start < 0:
            self._buffer.clear()
        else:
            del self._buffer[: start + 1]
            self._inside = True
            self._scanned = 0
        if self._noise > MAX_NOISE_BYTES:
            return self._close(Outcome.NOISE, bytes(skipped[:1024]))
        return Found(Outcome.NOISE, b"") if self._inside else None

    def _inside_frame(self) -> Found | None:
        end = self._find_end()
        if end >= 0:
            data = bytes(self._buffer[:end])
            following = bytes(self._buffer[end + 1 : end + 2])
            del self._buffer[: end + (2 if following in (b"\r", b"\n") else 1)]
            self._inside, self._scanned, self._noise = False, 0, 0
            if len(data) > self._limit:
                return self._close(Outcome.TOO_LARGE, data[:4096])
            return self._restarted(data) or Found(Outcome.FRAME, data)
        if len(self._buffer) > self._limit:
            return self._close(Outcome.TOO_LARGE, bytes(self._buffer[:4096]))
        return None

    def _find_end(self) -> int:
        """Where the frame ends. A lone <FS> inside a value is a byte like another: cutting there
        would acknowledge half a message.
        """
        while True:
            end = self._buffer.find(END, self._scanned)
            if end < 0 or end + 1 >= len(self._buffer):
                self._scanned = len(self._buffer) if end < 0 else end
                return -1
            if self._buffer[end + 1] in b"\r\n\x0b":
                return end
            self._scanned = end + 1

    def _restarted(self, data: bytes) -> Found | None:
        """A sender that gave up half-way and began again: only the second attempt is whole."""
        again = max(data.rfind(b"\x0b" + header) for header in _HEADERS)
        if again < 0:
            return None
        self._buffer[:0] = b"\x0b" + data[again + 1 :] + b"\x1c\r"
        return Found(Outcome.TRUNCATED, data[:again])

    def _close(self, outcome: Outcome, sample: bytes) -> Found:
        self.closed = True
        self._buffer = bytearray()
        return Found(outcome, sample)
