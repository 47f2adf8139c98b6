"""How does an image lie in a file (PS3.10 section 7.1)?

The data set stays bit for bit what came; in front stand a preamble of zeros and a few facts. The
preamble of a file from outside is never kept: it may be a program in disguise.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from liane.gateways.dicom import registry
from liane.gateways.dicom.header import Data
from liane.gateways.dicom.pdu import Malformed

MAGIC = b"DICM"
PREAMBLE_BYTES = 128
META_LIMIT_BYTES = 64 * 1024
_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2sHL")
_LONG_FORM = (b"OB", b"OW", b"UN", b"UT", b"SQ")


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What the front of a file says of the data set that follows at `offset`."""

    transfer_syntax: str
    sop_class: str
    sop_instance: str
    offset: int


def front(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Preamble and file meta information. The same object always gets the same bytes, so that
    its blob is the same too.
    """
    elements = (
        _LONG.pack(2, 0x0001, b"OB", 0, 2)
        + b"\x00\x01"
        + _uid(0x0002, sop_class)
        + _uid(0x0003, sop_instance)
        + _uid(0x0010, transfer_syntax)
        + _uid(0x0012, registry.IMPLEMENTATION_UID)
        + _text(0x0013, b"SH", registry.IMPLEMENTATION_VERSION.encode("ascii"), b" ")
    )
    length = _SHORT.pack(2, 0, b"UL", 4) + struct.pack("<L", len(elements))
    return bytes(PREAMBLE_BYTES) + MAGIC + length + elements


def is_part10(data: Data) -> bool:
    """Whether the bytes look like a DICOM file."""
    return bytes(data[PREAMBLE_BYTES : PREAMBLE_BYTES + 4]) == MAGIC


def read_front(data: Data) -> FileMeta:
    """The facts in front of a file; raises `Malformed`."""
    if not is_part10(data):
        raise Malformed("not a DICOM file: the mark DICM is missing")
    values: dict[int, str] = {}
    position, end = PREAMBLE_BYTES + 4, min(len(data), META_LIMIT_BYTES)
    while position + 8 <= end:
        group, number, vr, length = _SHORT.unpack_from(data, position)
        if group != 2:
            break
        start = position + 8
        if vr in _LONG_FORM:
            if start + 4 > end:
                raise Malformed("truncated: file meta information")
            length = int.from_bytes(data[start : start + 4], "little")
            start += 4
        if start + length > end:
            raise Malformed("truncated: file meta information")
        values[number] = bytes(data[start : start + length]).decode("latin-1").rstrip("\0 ")
        position = start + length
    if 0x0010 not in values:
        raise Malformed("the file does not say its transfer syntax")
    return FileMeta(values[0x0010], values.get(0x0002, ""), values.get(0x0003, ""), position)


def _uid(number: int, uid: str) -> bytes:
    return _text(number, b"UI", uid.encode("ascii"), b"\0")


def _text(number: int, vr: bytes, value: bytes, padding: bytes) -> bytes:
    value = value + padding if len(value) % 2 else value
    return _SHORT.pack(2, number, vr, len(value)) + value
