"""Where in the file lies one frame, and what are its bytes (PS3.5 annex A.4)?

Runs in the child only. Reads no more of the file than the frame needs.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

_ITEM = struct.Struct("<HHL")
LONGEST_FRAME_BYTES = 512 * 1024 * 1024


class Unreadable(Exception):
    """The frame cannot be shown; the message says why, in words for the log."""


@dataclass(frozen=True, slots=True)
class PixelPlace:
    """Where the pixels lie in the file (as the index knows it)."""

    offset: int
    length: int
    encapsulated: bool


def native(file: int, place: PixelPlace, index: int, bits: int) -> bytes:
    """Frame `index` of plain samples, `bits` per frame; a bit-packed frame is shifted into place
    by the caller, who gets whole bytes.
    """
    first_bit = index * bits
    start, end = first_bit // 8, (first_bit + bits + 7) // 8
    if end > place.length:
        raise Unreadable("fewer pixels than promised")
    if end - start > LONGEST_FRAME_BYTES:
        raise Unreadable("frame too large to show")
    return _read(file, place.offset + start, end - start)


def encapsulated(file: int, place: PixelPlace, index: int, frames: int) -> bytes:
    """The compressed bytes of frame `index`."""
    table, items = _fragments(file, place)
    if frames <= 1:
        chosen = items
    elif len(items) == frames:
        chosen = items[index : index + 1]
    elif len(table) == frames:
        end = table[index + 1] if index + 1 < frames else None
        chosen = [
            item for item in items if table[index] <= item[2] and (end is None or item[2] < end)
        ]
    else:
        raise Unreadable("the fragments do not tell where a frame begins")
    if not chosen or sum(length for _, length, _ in chosen) > LONGEST_FRAME_BYTES:
        raise Unreadable("no such frame, or too large to show")
    return b"".join(_read(file, at, length) for at, length, _ in chosen)


def _fragments(file: int, place: PixelPlace) -> tuple[list[int], list[tuple[int, int, int]]]:
    """(offset table, fragments as (position, length, offset from the first fragment's item))."""
    position, end = place.offset, place.offset + place.length
    table: list[int] = []
    items: list[tuple[int, int, int]] = []
    base = -1
    while position + 8 <= end:
        group, element, length = _ITEM.unpack(_read(file, position, 8))
        if (group, element) != (0xFFFE, 0xE000):
            break
        if position + 8 + length > end:
            raise Unreadable("fragment longer than the pixels")
        if base < 0:
            raw = _read(file, position + 8, min(length, 4 * 1_000_000))
            table = [number for (number,) in struct.iter_unpack("<L", raw[: len(raw) // 4 * 4])]
            base = position + 8 + length
        else:
            items.append((position + 8, length, position - base))
        position += 8 + length
    return table, items


def _read(file: int, offset: int, length: int) -> bytes:
    data = os.pread(file, length, offset)
    if len(data) != length:
        raise Unreadable("the file ends early")
    return data
