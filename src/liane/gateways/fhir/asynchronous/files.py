"""How is a file of many resources written so that a killed run can go on where it was?

Each file is one gzip member. At a checkpoint the compressor is flushed in full, so that what
follows stands alone: a later run cuts the file there and goes on. Folders lie below `LIANE_HOME`,
which the nodes of an installation share, as they share the blobs.
"""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from liane.base.safe_file import server_path, sync_folder

LEVEL = 4
ROLL_BYTES = 1 << 30
"""Bytes before compression after which a file ends and the next one begins."""
CHUNK_BYTES = 256 * 1024
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_NO_NAME = -zlib.MAX_WBITS


def folder_of(home: Path, request: str) -> Path:
    """Where the files of a request lie."""
    return server_path(home / "requests", request)


def remove(home: Path, request: str) -> None:
    """Delete the files of a request."""
    shutil.rmtree(folder_of(home, request), ignore_errors=True)


@dataclass(slots=True)
class Told:
    """What a checkpoint keeps of one file."""

    name: str
    type: str
    kind: str = "output"
    count: int = 0
    size: int = 0
    """Bytes on the disk."""
    plain: int = 0
    """Bytes before compression."""
    crc: int = 0
    closed: bool = False


class _Open:
    """One file being written."""

    def __init__(self, folder: Path, told: Told) -> None:
        self.told = told
        path = folder / told.name
        draft = path.with_suffix(".part")
        if told.size:
            # A copy: a run that was overtaken may still hold the former file.
            with path.open("rb") as former, draft.open("wb") as fresh:
                _copy(former, fresh, told.size)
        else:
            draft.write_bytes(_HEADER)
            told.size = len(_HEADER)
        draft.replace(path)
        self._file = path.open("ab")
        self._compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, _NO_NAME)

    def write(self, lines: bytes, count: int) -> None:
        told = self.told
        told.count += count
        told.plain += len(lines)
        told.crc = zlib.crc32(lines, told.crc)
        self._put(self._compressor.compress(lines))

    def checkpoint(self) -> None:
        self._put(self._compressor.flush(zlib.Z_FULL_FLUSH))
        self._compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, _NO_NAME)
        self._sync()

    def close(self) -> None:
        self._put(self._compressor.flush(zlib.Z_FINISH))
        self._put(struct.pack("<II", self.told.crc, self.told.plain & 0xFFFFFFFF))
        self.told.closed = True
        self._sync()
        self._file.close()

    def abandon(self) -> None:
        self._file.close()

    def _put(self, part: bytes) -> None:
        self._file.write(part)
        self.told.size += len(part)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


class Files:
    """The files of one request; `state` is what a checkpoint keeps of them."""

    def __init__(self, folder: Path, state: list[Mapping[str, Any]]) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._all = [Told(**told) for told in state]
        self._open: dict[tuple[str, str], _Open] = {}
        self._touched: set[tuple[str, str]] = set()

    def write(self, type_: str, lines: bytes, count: int, kind: str = "output") -> None:
        """Add whole lines of one type of resource."""
        place = (kind, type_)
        file = self._open.get(place) or self._opened(place)
        file.write(lines, count)
        self._touched.add(place)
        if file.told.plain >= ROLL_BYTES:
            file.close()
            del self._open[place]
            self._touched.discard(place)

    def checkpoint(self) -> list[dict[str, Any]]:
        """Make all of it durable; the state to keep."""
        for place in self._touched:
            self._open[place].checkpoint()
        self._touched.clear()
        sync_folder(self._folder)
        return [asdict(told) for told in self._all]

    def close(self) -> list[dict[str, Any]]:
        """End every file; the state to keep."""
        for told in self._all:
            place = (told.kind, told.type)
            if not told.closed and place not in self._open:
                self._open[place] = _Open(self._folder, told)
        for file in self._open.values():
            file.close()
        self._open.clear()
        self._touched.clear()
        sync_folder(self._folder)
        return [asdict(told) for told in self._all]

    def abandon(self) -> None:
        """Let the files go without ending them."""
        for file in self._open.values():
            file.abandon()
        self._open.clear()

    @property
    def count(self) -> int:
        """Resources written, errors apart."""
        return sum(told.count for told in self._all if told.kind != "error")

    def _opened(self, place: tuple[str, str]) -> _Open:
        kind, type_ = place
        told = next(
            (t for t in self._all if (t.kind, t.type) == place and not t.closed),
            None,
        )
        if told is None:
            number = 1 + sum((t.kind, t.type) == place for t in self._all)
            told = Told(f"{kind}-{type_}-{number}.ndjson.gz".lower(), type_, kind)
            self._all.append(told)
        self._open[place] = file = _Open(self._folder, told)
        return file


def _copy(former: BinaryIO, fresh: BinaryIO, size: int) -> None:
    left = size
    while left:
        part = former.read(min(left, CHUNK_BYTES))
        if not part:
            raise OSError("a file of the request is shorter than it was")
        fresh.write(part)
        left -= len(part)


def packed(path: Path) -> Iterator[bytes]:
    """The file as it lies on the disk."""
    with path.open("rb") as file:
        while part := file.read(CHUNK_BYTES):
            yield part


def plain(path: Path) -> Iterator[bytes]:
    """The lines of the file, unpacked bit by bit."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for part in packed(path):
        rest = part
        while rest:
            if found := unpacker.decompress(rest, CHUNK_BYTES):
                yield found
            rest = unpacker.unconsumed_tail
    if rest := unpacker.flush():
        yield rest
