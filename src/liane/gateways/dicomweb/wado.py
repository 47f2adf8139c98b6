"""How do images leave over HTTP (PS3.18 sections 10.4 and 10.4.1.1.5)?

As stored, bit for bit: nothing is transcoded here. Frames and pictures come from the limited child
process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from secrets import token_hex
from typing import Any

from liane.base.errors import Invalid, LianeError
from liane.gateways.dicomweb.authority import Caller
from liane.rooms.imaging import reads
from liane.rooms.imaging.rendering.renderer import Picture, renderer_of

Row = Mapping[str, Any]

_FRAME_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
_BIG_ENDIAN, _LITTLE_ENDIAN = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1"


class NotAcceptable(LianeError):
    """The image cannot be given in the form that is asked for."""

    http_status = 406
    fhir_code = "not-supported"


def check_accept(accept: str, rows: Sequence[Row]) -> None:
    """Raise `NotAcceptable` when a transfer syntax other than the stored one is demanded."""
    wanted = [
        part.partition("=")[2].strip(' "')
        for part in accept.replace(",", ";").split(";")
        if part.strip().lower().startswith("transfer-syntax=")
    ]
    stored = {row["transfer_syntax"] for row in rows}
    if wanted and "*" not in wanted and not stored <= set(wanted):
        raise NotAcceptable(
            "dicomweb.transfer-syntax",
            "Ces images ne sont données que telles qu’elles ont été reçues.",
            "These images are given only as they were received.",
            "Demandez transfer-syntax=*.",
            "Ask for transfer-syntax=*.",
        )


def new_boundary() -> str:
    """A boundary that no image holds."""
    return f"liane-{token_hex(16)}"


async def objects(caller: Caller, rows: Sequence[Row], boundary: str) -> AsyncIterator[bytes]:
    """The files of `rows` as multipart/related, each verified against its hash as it leaves."""
    for row in rows:
        yield _part(boundary, "application/dicom", row["transfer_syntax"])
        async for chunk in caller.services.blobs.stream(row["sha256"]):
            yield chunk
    yield f"\r\n--{boundary}--\r\n".encode()


async def frames(caller: Caller, row: Row, numbers: Sequence[int], boundary: str) -> bytes:
    """Frames of one object, counted from 1 (PS3.18 section 10.4.1.1.6)."""
    renderer = renderer_of(caller.services)
    body = bytearray()
    syntax = row["transfer_syntax"]
    for number in numbers:
        data = await renderer.frame(reads.stored(row), number - 1)
        if syntax == _BIG_ENDIAN:
            data = _swapped(data, row["bits"] // 8)
        kind = _FRAME_TYPES.get(syntax, "application/octet-stream")
        told = _LITTLE_ENDIAN if syntax == _BIG_ENDIAN else syntax
        body += _part(boundary, kind, told) + data
    return bytes(body) + f"\r\n--{boundary}--\r\n".encode()


async def metadata(caller: Caller, rows: Sequence[Row], base: str) -> AsyncIterator[bytes]:
    """The headers of `rows` as one JSON array."""
    renderer = renderer_of(caller.services)
    yield b"["
    for index, row in enumerate(rows):
        link = (
            f"{base}/studies/{row['study_uid']}/series/{row['series_uid']}"
            f"/instances/{row['sop_uid']}"
        )
        header = await renderer.metadata(row["sha256"], link)
        yield (b"," if index else b"") + header
    yield b"]"


async def rendered(
    caller: Caller, row: Row, frame: int, query: Mapping[str, str], accept: str
) -> Picture:
    """A frame as JPEG or PNG, with `window` and `viewport` (PS3.18 section 10.4.1.1.4)."""
    return await renderer_of(caller.services).picture(
        reads.stored(row),
        frame=frame - 1,
        window=_window(query.get("window", "")),
        most=_viewport(query.get("viewport", "")),
        kind="png" if "image/png" in accept and "image/jpeg" not in accept else "jpeg",
    )


def frame_numbers(text: str) -> list[int]:
    """`1,2,3`; raises `Invalid`."""
    parts = text.split(",")
    if len(parts) > 100 or not all(part.isdecimal() and len(part) < 7 for part in parts):
        raise Invalid("dicomweb.frames", "Numéros d’images illisibles.", "Bad frame numbers.")
    return [int(part) for part in parts]


def _window(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        center, width = (float(part) for part in text.split(",")[:2])
    except ValueError:
        center, width = 0.0, 0.0
    if not (abs(center) < 1e7 and 0 < width < 1e7):
        raise Invalid("dicomweb.window", "Fenêtrage illisible.", "This window cannot be read.")
    return center, width


def _viewport(text: str) -> int | None:
    sides = [part for part in text.split(",")[:2] if part.isdecimal() and len(part) < 6]
    return max((int(side) for side in sides), default=0) or None


def _part(boundary: str, kind: str, syntax: str) -> bytes:
    """What stands in front of one part; built from fixed words and checked UIDs only."""
    return (f"\r\n--{boundary}\r\nContent-Type: {kind}; transfer-syntax={syntax}\r\n\r\n").encode()


def _swapped(data: bytes, size: int) -> bytes:
    """Samples of `size` bytes in the other order of bytes."""
    if size < 2 or len(data) % size:
        return data
    turned = bytearray(len(data))
    for at in range(size):
        turned[at::size] = data[size - 1 - at :: size]
    return bytes(turned)
