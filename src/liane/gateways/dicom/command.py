"""What does a machine ask with its message, and how do we answer it (PS3.7 section 9.3)?

Command sets are always implicit VR little endian and always small; they are read here without any
library, and anything odd about them is `Malformed`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from liane.gateways.dicom.pdu import Malformed

LIMIT_BYTES = 64 * 1024

C_STORE_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0030, 0x0FFF
RESPONSE = 0x8000
NO_DATA_SET = 0x0101

SUCCESS = 0x0000
NOT_AUTHORISED = 0x0124
DUPLICATE_INVOCATION = 0x0210
UNRECOGNISED_OPERATION = 0x0211
SOP_CLASS_NOT_SUPPORTED = 0x0122
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

_ELEMENT = struct.Struct("<HHL")


@dataclass(frozen=True, slots=True)
class Request:
    """One command set of a peer."""

    field: int
    message_id: int
    sop_class: str
    sop_instance: str
    has_data_set: bool
    move_originator: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with the sentence that a technician reads on the machine's console."""

    status: int
    comment: str = ""


def decode(data: bytes) -> Request:
    """The command set in `data`."""
    elements = _elements(data)
    field = _number(elements, 0x0100)
    has_data_set = _number(elements, 0x0800) != NO_DATA_SET
    # C-CANCEL names the message it cancels instead of having an identifier of its own.
    message_id = _number(elements, 0x0120 if field == C_CANCEL_RQ else 0x0110)
    return Request(
        field=field,
        message_id=message_id,
        sop_class=_text(elements, 0x0002),
        sop_instance=_text(elements, 0x1000),
        has_data_set=has_data_set,
        move_originator=_text(elements, 0x1030),
    )


def encode_answer(request: Request, answer: Answer) -> bytes:
    """The response command set to `request` (PS3.7 tables 9.3-2 and 9.3-13)."""
    elements: dict[int, bytes] = {}
    if request.sop_class:
        elements[0x0002] = _padded(request.sop_class, b"\0")
    elements[0x0100] = struct.pack("<H", request.field | RESPONSE)
    elements[0x0120] = struct.pack("<H", request.message_id)
    elements[0x0800] = struct.pack("<H", NO_DATA_SET)
    elements[0x0900] = struct.pack("<H", answer.status)
    if answer.comment:
        elements[0x0902] = _padded(answer.comment[:64], b" ")
    if request.sop_instance:
        elements[0x1000] = _padded(request.sop_instance, b"\0")
    return encode(elements)


def encode(elements: Mapping[int, bytes]) -> bytes:
    """A command set from its elements (element number -> value), group length in front."""
    body = b"".join(
        _ELEMENT.pack(0, number, len(value)) + value for number, value in sorted(elements.items())
    )
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(body)) + body


def _elements(data: bytes) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    position = 0
    while position < len(data):
        if len(data) - position < _ELEMENT.size:
            raise Malformed("command element shorter than its header")
        group, number, length = _ELEMENT.unpack_from(data, position)
        position += _ELEMENT.size
        if group != 0:
            raise Malformed("an element of another group in a command set")
        if length > len(data) - position:
            raise Malformed("command element longer than its command set")
        if number in elements:
            raise Malformed("a command element is given twice")
        elements[number] = data[position : position + length]
        position += length
    return elements


def _number(elements: Mapping[int, bytes], number: int) -> int:
    value = elements.get(number)
    if value is None or len(value) != 2:
        raise Malformed(f"command element (0000,{number:04X}) missing or of a wrong length")
    return int.from_bytes(value, "little")


def _text(elements: Mapping[int, bytes], number: int) -> str:
    return elements.get(number, b"").decode("latin-1").rstrip("\0 ")


def _padded(text: str, padding: bytes) -> bytes:
    value = text.encode("latin-1", "replace")
    return value + padding if len(value) % 2 else value
