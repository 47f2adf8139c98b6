"""What does an image say about itself, and is it whole (PS3.5 section 7)?

A walk over every element of a data set without decoding any: declared lengths are compared with
the bytes that are left, nesting and counts are bounded, and only the few values that identify the
image are copied out. Pixels are never looked at here.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from mmap import mmap

from liane.gateways.dicom.pdu import Malformed
from liane.gateways.dicom.registry import Encoding

MAX_DEPTH = 32
MAX_ELEMENTS = 500_000
MAX_VALUE_BYTES = 64 * 1024
"""The longest value that is copied out; identifiers and names are a thousandth of it."""

PIXEL_DATA = 0x7FE00010
UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG_FORM = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_SHORT_FORM = frozenset((
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
))  # fmt: skip

Data = bytes | bytearray | memoryview | mmap


@dataclass(frozen=True, slots=True)
class Pixels:
    """Where the pixels lie: offset of the value in the data set, its length, its fragments."""

    offset: int
    length: int
    fragments: int | None
    """None for plain samples; otherwise the number of fragments after the offset table."""


@dataclass(slots=True)
class Header:
    """The values that were asked for, as raw bytes, and where the pixels are."""

    values: dict[int, bytes] = field(default_factory=dict)
    pixels: Pixels | None = None
    has_pixel_group: bool = False
    """Whether any element of group 7FE0 is there (floating-point pixels too)."""
    elements: int = 0


def inside(sequence: int, tag: int) -> int:
    """The name of an element in the first item of a top-level sequence, for `wanted`."""
    return sequence << 32 | tag


def walk(data: Data, encoding: Encoding, wanted: Collection[int]) -> Header:
    """Walk the whole data set; raise `Malformed` at the first thing that does not add up."""
    walker = _Walker(data, encoding, frozenset(wanted))
    walker.top_level()
    return walker.header


class _Walker:
    def __init__(self, data: Data, encoding: Encoding, wanted: frozenset[int]) -> None:
        self.wanted = wanted
        self.within = 0
        self.data = data
        self.size = len(data)
        self.header = Header()
        self.explicit = encoding != "implicit"
        order = ">" if encoding == "big" else "<"
        self.short = struct.Struct(order + "HH2sH")
        self.plain = struct.Struct(order + "HHL")
        self.long = struct.Struct(order + "L")

    def top_level(self) -> None:
        position = 0
        while position < self.size:
            tag, vr, length, start = self.element(position, self.size, self.explicit)
            if tag < 0x00080000 or tag >> 16 == 0xFFFE:
                raise Malformed(f"element {_name(tag)} has no place in a data set")
            if tag >> 16 == PIXEL_DATA >> 16:
                self.header.has_pixel_group = True
            if tag == PIXEL_DATA:
                position = self.pixels(start, length)
                continue
            if tag in self.wanted:
                self.keep(tag, start, length)
            self.within = tag
            position = self.skip(tag, vr, length, start, self.size, 0, self.explicit)

    def element(self, at: int, end: int, explicit: bool) -> tuple[int, bytes, int, int]:
        """(tag, VR or b"", length, start of the value) of the element at `at`."""
        self.header.elements += 1
        if self.header.elements > MAX_ELEMENTS:
            raise Malformed("more elements than an image has")
        if end - at < 8:
            raise Malformed("truncated: element shorter than its header")
        group, number, vr, length = self.short.unpack_from(self.data, at)
        tag = group << 16 | number
        if not explicit or group == 0xFFFE:
            return tag, b"", self.plain.unpack_from(self.data, at)[2], at + 8
        if vr in _SHORT_FORM:
            return tag, vr, length, at + 8
        if vr not in _LONG_FORM and not (vr.isalpha() and vr.isupper()):
            raise Malformed(f"element {_name(tag)} has no value representation")
        if end - at < 12:
            raise Malformed("truncated: element shorter than its header")
        return tag, vr, self.long.unpack_from(self.data, at + 8)[0], at + 12

    def skip(
        self, tag: int, vr: bytes, length: int, start: int, end: int, depth: int, explicit: bool
    ) -> int:
        """The position after the value; sequences are walked through, not jumped over."""
        if length == UNDEFINED:
            if vr not in (b"", b"SQ", b"UN"):
                raise Malformed(f"element {_name(tag)} of undefined length is not a sequence")
            # Inside UN of undefined length everything is implicit (PS3.5 section 6.2.2, note 2).
            return self.sequence(start, end, depth + 1, explicit and vr != b"UN", defined=False)
        stop = start + length
        if stop > end:
            raise Malformed(f"truncated: element {_name(tag)} is longer than what is left")
        if vr == b"SQ" and length:
            self.sequence(start, stop, depth + 1, explicit, defined=True)
        return stop

    def sequence(self, at: int, end: int, depth: int, explicit: bool, *, defined: bool) -> int:
        if depth > MAX_DEPTH:
            raise Malformed(f"sequences nested deeper than {MAX_DEPTH}")
        while at < end or not defined:
            tag, _, length, start = self.element(at, end, explicit=False)
            if tag == _SEQUENCE_END and not defined:
                return start
            if tag != _ITEM:
                raise Malformed("a sequence holds something other than items")
            if length == UNDEFINED:
                at = self.item(start, end, depth, explicit, defined=False)
                continue
            at = start + length
            if at > end:
                raise Malformed("truncated: item longer than its sequence")
            self.item(start, at, depth, explicit, defined=True)
        return at

    def item(self, at: int, end: int, depth: int, explicit: bool, *, defined: bool) -> int:
        while at < end or not defined:
            tag, vr, length, start = self.element(at, end, explicit)
            if tag == _ITEM_END and not defined:
                return start
            if tag >> 16 == 0xFFFE:
                raise Malformed("a delimiter where an element should be")
            if tag == PIXEL_DATA and length == UNDEFINED:
                at, _ = self.fragments(start, end)
                continue
            name = inside(self.within, tag)
            if depth == 1 and name in self.wanted and name not in self.header.values:
                self.keep(name, start, length)
            at = self.skip(tag, vr, length, start, end, depth, explicit)
        return at

    def pixels(self, start: int, length: int) -> int:
        if self.header.pixels is not None:
            raise Malformed("pixels are given twice")
        if length != UNDEFINED:
            stop = start + length
            if stop > self.size:
                raise Malformed("truncated: pixels longer than what is left")
            self.header.pixels = Pixels(start, length, None)
            return stop
        stop, count = self.fragments(start, self.size)
        self.header.pixels = Pixels(start, stop - start, max(0, count - 1))
        return stop

    def fragments(self, at: int, end: int) -> tuple[int, int]:
        """Walk encapsulated pixels (PS3.5 annex A.4): offset table, fragments, delimiter."""
        count = 0
        while True:
            tag, _, length, start = self.element(at, end, explicit=False)
            if tag == _SEQUENCE_END:
                return start, count
            if tag != _ITEM or length == UNDEFINED:
                raise Malformed("encapsulated pixels hold something other than fragments")
            at = start + length
            if at > end:
                raise Malformed("truncated: fragment longer than what is left")
            count += 1

    def keep(self, tag: int, start: int, length: int) -> None:
        if tag in self.header.values:
            raise Malformed(f"element {_name(tag)} is given twice")
        if length <= MAX_VALUE_BYTES and start + length <= self.size:
            self.header.values[tag] = bytes(self.data[start : start + length])


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
