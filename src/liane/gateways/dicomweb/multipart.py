"""How is a body of many parts cut while it is still arriving (RFC 2046 section 5.1)?

Nothing is held but the piece at hand: a part is handed on as it comes, however large it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from email.message import Message

from liane.base.errors import Invalid

HEADERS_LIMIT_BYTES = 16 * 1024
MOST_PARTS = 20_000


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A part starts: its content type, lower case, without parameters."""

    content_type: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the current part."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnds:
    """The current part is complete."""


Event = PartBegins | Piece | PartEnds


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart/related content type; raises `Invalid`."""
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        raise _bad("multipart/related with a boundary is expected")
    if not 0 < len(boundary) <= 70 or not boundary.isascii():
        raise _bad("a boundary has 1 to 70 signs")
    return boundary.encode("ascii")


async def parts(body: AsyncIterable[bytes], boundary: bytes) -> AsyncIterator[Event]:
    """The parts of `body`; raises `Invalid` when it ends too early or breaks the limits."""
    mark = b"\r\n--" + boundary
    buffer = bytearray(b"\r\n")
    source = body.__aiter__()
    await _until(buffer, source, mark, discard=True)
    for _ in range(MOST_PARTS):
        if not await _opens(buffer, source, len(mark)):
            return
        yield PartBegins(await _head(buffer, source))
        while (at := buffer.find(mark)) < 0:
            # What could be the start of the boundary stays until more is known.
            safe = len(buffer) - len(mark) + 1
            if safe > 0:
                yield Piece(bytes(buffer[:safe]))
                del buffer[:safe]
            await _more(buffer, source)
        if at:
            yield Piece(bytes(buffer[:at]))
            del buffer[:at]
        yield PartEnds()
    raise _bad("too many parts")


async def _opens(buffer: bytearray, source: AsyncIterator[bytes], mark: int) -> bool:
    """Pass the boundary; False when it was the last."""
    while len(buffer) < mark + 2:
        await _more(buffer, source)
    last = buffer[mark : mark + 2] == b"--"
    if not last:
        del buffer[:mark]
        await _until(buffer, source, b"\r\n", discard=True)
        del buffer[:2]
    return not last


async def _head(buffer: bytearray, source: AsyncIterator[bytes]) -> str:
    """The content type of the part that starts; its header lines are taken out."""
    if buffer[:2] == b"\r\n":
        del buffer[:2]
        return ""
    await _until(buffer, source, b"\r\n\r\n", discard=False)
    end = buffer.index(b"\r\n\r\n")
    lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    del buffer[: end + 4]
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.split(";", maxsplit=1)[0].strip().lower()
    return ""


async def _until(
    buffer: bytearray, source: AsyncIterator[bytes], mark: bytes, *, discard: bool
) -> None:
    """Read until `mark` is in the buffer; with `discard`, make it the start of the buffer."""
    while (at := buffer.find(mark)) < 0:
        if len(buffer) > HEADERS_LIMIT_BYTES:
            raise _bad("a boundary or the end of headers is missing")
        await _more(buffer, source)
    if discard:
        del buffer[:at]


async def _more(buffer: bytearray, source: AsyncIterator[bytes]) -> None:
    try:
        buffer += await source.__anext__()
    except StopAsyncIteration:
        raise _bad("the body ends before its last boundary") from None


def _bad(reason: str) -> Invalid:
    return Invalid(
        "dicomweb.multipart", "Corps de requête illisible.", f"The body cannot be read: {reason}."
    )
