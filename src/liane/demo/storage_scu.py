"""How does an imaging machine hand its pictures over (DICOM C-STORE)?

A minimal requester of its own (PS3.8 upper layer, PS3.7 C-STORE): one association, one picture at
a time, the dataset cut into the fragments the other side accepts. A library exists for this, but
only the tests depend on it; a sender of few lines keeps the demonstration an outside system.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from io import BytesIO

from pydicom import dcmread

from liane.demo.doors import Address

APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
EXPLICIT_LITTLE_ENDIAN = b"1.2.840.10008.1.2.1"
SOP_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.6.1",
)
RECEIVE_BYTES = 1 << 16
ANSWER_WITHIN_SECONDS = 60.0


class RefusedAssociationError(Exception):
    """The other side would not talk, or broke off."""


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def _presentation(number: int, sop_class: str) -> bytes:
    syntaxes = _item(0x30, sop_class.encode()) + _item(0x40, EXPLICIT_LITTLE_ENDIAN)
    return _item(0x20, bytes([number, 0, 0, 0]) + syntaxes)


def association_request(called: str, calling: str) -> bytes:
    """A-ASSOCIATE-RQ (PS3.8, 9.3.2)."""
    user = _item(0x51, struct.pack(">I", RECEIVE_BYTES)) + _item(0x52, b"2.25.20261")
    items = _item(0x10, APPLICATION_CONTEXT)
    for index, sop_class in enumerate(SOP_CLASSES):
        items += _presentation(2 * index + 1, sop_class)
    items += _item(0x50, user)
    titles = called.ljust(16).encode() + calling.ljust(16).encode()
    body = struct.pack(">HH", 1, 0) + titles + bytes(32) + items
    return struct.pack(">BBI", 1, 0, len(body)) + body


def store_command(sop_class: str, instance: str, message_id: int) -> bytes:
    """The C-STORE-RQ command set (PS3.7, 9.3.1), implicit VR little endian."""
    elements = (
        _element(0x0002, _uid(sop_class))
        + _element(0x0100, struct.pack("<H", 0x0001))
        + _element(0x0110, struct.pack("<H", message_id))
        + _element(0x0700, struct.pack("<H", 0))
        + _element(0x0800, struct.pack("<H", 0x0001))
        + _element(0x1000, _uid(instance))
    )
    return _element(0x0000, struct.pack("<I", len(elements))) + elements


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(value)) + value


def _uid(text: str) -> bytes:
    return text.encode() + (b"\0" if len(text) % 2 else b"")


class StorageLine:
    """An association with a storage provider that opens itself again after a break."""

    def __init__(self, door: Address, called: str, calling: str) -> None:
        self._door, self._called, self._calling = door, called, calling
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._accepted: set[int] = set()
        self._fragment = 16_000
        self._message_id = 0
        self._busy = False

    async def store(self, file: bytes) -> str:
        """Hand one DICOM file over; the status as four hexadecimal digits (0000: taken).

        Raises `RefusedAssociationError`, `OSError`, `EOFError` or `TimeoutError` when the line
        broke: whether the picture was taken is then unknown, and it must be sent again.
        """
        sop_class, instance, dataset = _opened(file)
        self._busy = True
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                if self._writer is None:
                    await self._associate()
                context = 2 * SOP_CLASSES.index(sop_class) + 1
                if context not in self._accepted:
                    raise RefusedAssociationError(f"{sop_class} is not accepted")
                self._message_id = self._message_id % 65_535 + 1
                await self._send(context, store_command(sop_class, instance, self._message_id), 3)
                await self._send(context, dataset, 2)
                return await self._status()
        except BaseException:
            self._hang_up()
            raise
        finally:
            self._busy = False

    async def close(self) -> None:
        """Release the association and hang up; at once when a picture is under way."""
        if self._writer is not None and self._reader is not None and not self._busy:
            with contextlib.suppress(OSError, EOFError, TimeoutError, RefusedAssociationError):
                self._writer.write(struct.pack(">BBI", 5, 0, 4) + bytes(4))
                await self._writer.drain()
                async with asyncio.timeout(2):
                    await self._pdu()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _associate(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._door.host, self._door.port)
        self._writer.write(association_request(self._called, self._calling))
        await self._writer.drain()
        kind, body = await self._pdu()
        if kind != 2:
            raise RefusedAssociationError(f"association answered by a PDU of type {kind}")
        self._accepted = set()
        at = 68
        while at + 4 <= len(body):
            item, length = body[at], int.from_bytes(body[at + 2 : at + 4], "big")
            content = body[at + 4 : at + 4 + length]
            if item == 0x21 and content[2] == 0:
                self._accepted.add(content[0])
            elif item == 0x50:
                self._read_user_information(content)
            at += 4 + length

    def _read_user_information(self, content: bytes) -> None:
        at = 0
        while at + 4 <= len(content):
            length = int.from_bytes(content[at + 2 : at + 4], "big")
            if content[at] == 0x51:
                most = int.from_bytes(content[at + 4 : at + 8], "big") or RECEIVE_BYTES
                self._fragment = max(1024, min(most, 1 << 18) - 6)
            at += 4 + length

    async def _send(self, context: int, content: bytes, flags: int) -> None:
        """P-DATA-TF: bit 0 of the header says command, bit 1 last fragment (PS3.8, E.2)."""
        if self._writer is None:
            raise EOFError
        for start in range(0, len(content), self._fragment):
            piece = content[start : start + self._fragment]
            last = start + self._fragment >= len(content)
            control = (flags & 1) | (2 if last else 0)
            header = struct.pack(">IBB", len(piece) + 2, context, control)
            self._writer.write(struct.pack(">BBI", 4, 0, len(piece) + 6) + header + piece)
            await self._writer.drain()

    async def _status(self) -> str:
        """The Status (0000,0900) of the C-STORE-RSP."""
        kind, body = await self._pdu()
        if kind != 4:
            raise RefusedAssociationError(f"C-STORE answered by a PDU of type {kind}")
        command, at = body[6:], 0
        while at + 8 <= len(command):
            element, length = struct.unpack_from("<HI", command, at + 2)
            if element == 0x0900:
                return f"{int.from_bytes(command[at + 8 : at + 10], 'little'):04X}"
            at += 8 + int(length)
        raise RefusedAssociationError("the answer has no status")

    async def _pdu(self) -> tuple[int, bytes]:
        if self._reader is None:
            raise EOFError
        header = await self._reader.readexactly(6)
        return header[0], await self._reader.readexactly(int.from_bytes(header[2:6], "big"))


def _opened(file: bytes) -> tuple[str, str, bytes]:
    """SOP class, instance and the dataset as it stands in the file (PS3.10, 7.1)."""
    head = dcmread(BytesIO(file), stop_before_pixels=True, specific_tags=["SOPClassUID"])
    meta_length = struct.unpack_from("<I", file, 140)[0]
    meta = head.file_meta
    return (
        str(meta.MediaStorageSOPClassUID),
        str(meta.MediaStorageSOPInstanceUID),
        file[144 + meta_length :],
    )
