"""How do the stored bytes of a frame become numbers, in every encoding we accept?

Runs in the child only. Dimensions promised by the header are checked before anything is decoded,
and those of the result afterwards.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from liane.rooms.imaging.rendering.frames import Unreadable

Array = npt.NDArray[Any]
MOST_PIXELS = 128 * 1024 * 1024

_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
_LOSSLESS_JPEG = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_JPEG_2000 = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 92, 93, 201, 202, 203))
_RLE = "1.2.840.10008.1.2.5"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_PLAIN_ENCAPSULATED = "1.2.840.10008.1.2.1.98"
_DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


@dataclass(frozen=True, slots=True)
class Layout:
    """The image pixel module of one object (PS3.3 section C.7.6.3)."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: bool
    photometric: str
    swapped_bytes: bool = False
    """8-bit samples written as 16-bit words of big endian."""

    @property
    def frame_bits(self) -> int:
        """Bits of one plain frame."""
        samples = 2 if self.photometric.endswith("_422") else self.samples
        return self.rows * self.columns * samples * self.bits_allocated

    def check(self) -> None:
        """Refuse what is not an image of a plausible size, before any memory is taken."""
        if not (self.rows > 0 and self.columns > 0 and self.samples in (1, 3, 4)):
            raise Unreadable("not a picture")
        if self.rows * self.columns * self.samples > MOST_PIXELS:
            raise Unreadable("more pixels than a screen can show")
        if self.bits_allocated not in (1, 8, 16, 32):
            raise Unreadable(f"{self.bits_allocated} bits per sample cannot be shown")


def decode(data: bytes, syntax: str, layout: Layout, first_bit: int = 0) -> Array:
    """The frame as rows x columns (x samples), in the sample values the standard defines."""
    layout.check()
    if syntax == _DEFLATED_FRAMES:
        data, syntax = _inflated(data, (layout.frame_bits + 7) // 8), _PLAIN_ENCAPSULATED
    decoder = _DECODERS.get(syntax)
    if decoder is None:
        return _plain(data, syntax, layout, first_bit)
    frame = np.asarray(decoder(data, layout))
    expected = (layout.rows, layout.columns)
    if frame.shape[:2] != expected or frame.ndim > 3:
        raise Unreadable(f"the picture is {frame.shape}, its header says {expected}")
    return _sample_values(frame, layout)


def _plain(data: bytes, syntax: str, layout: Layout, first_bit: int) -> Array:
    if layout.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        count = layout.rows * layout.columns * layout.samples
        return bits[first_bit : first_bit + count].reshape(layout.rows, layout.columns)
    order = ">" if syntax == _BIG_ENDIAN else "<"
    kind = np.dtype(f"{order}u{layout.bits_allocated // 8}")
    if layout.swapped_bytes and len(data) % 2 == 0:
        data = np.frombuffer(data, ">u2").astype("<u2").tobytes()
    values = np.frombuffer(data, kind)
    if layout.photometric.endswith("_422"):
        return _spread(values, layout)
    shape: tuple[int, ...] = (layout.rows, layout.columns)
    if layout.samples > 1 and layout.planar:
        planes = values[: shape[0] * shape[1] * layout.samples].reshape(layout.samples, *shape)
        return _sample_values(np.moveaxis(planes, 0, 2), layout)
    if layout.samples > 1:
        shape = (*shape, layout.samples)
    return _sample_values(values[: int(np.prod(shape))].reshape(shape), layout)


def _spread(values: Array, layout: Layout) -> Array:
    """Y1 Y2 Cb Cr of each pixel pair as full samples (PS3.3 section C.7.6.3.1.2)."""
    pairs = values[: layout.rows * layout.columns * 2].reshape(layout.rows, -1, 4)
    full = np.empty((layout.rows, pairs.shape[1] * 2, 3), values.dtype)
    full[:, 0::2, 0], full[:, 1::2, 0] = pairs[:, :, 0], pairs[:, :, 1]
    for plane in (1, 2):
        full[:, 0::2, plane] = full[:, 1::2, plane] = pairs[:, :, plane + 1]
    return full


def _sample_values(frame: Array, layout: Layout) -> Array:
    """Only the stored bits, with their sign: the others may hold overlays (PS3.5 section 8.1)."""
    if frame.dtype.kind == "f" or layout.bits_allocated == 1:
        return frame
    stored, spare = layout.bits_stored, layout.high_bit + 1 - layout.bits_stored
    width = frame.dtype.itemsize * 8
    if not 0 < stored <= width or not 0 <= spare < width:
        return frame
    if frame.dtype.kind == "i" and not spare:
        return frame
    values: Array = frame.astype(np.int64) >> spare & ((1 << stored) - 1)
    if layout.signed:
        values = np.where(values >> (stored - 1) & 1, values - (1 << stored), values)
    return values.astype(np.int32 if stored < 32 or layout.signed else np.int64)


def _inflated(data: bytes, limit: int) -> bytes:
    """A deflated frame, never longer than its header says."""
    inflater = zlib.decompressobj(-15)
    plain = inflater.decompress(data, limit)
    if len(plain) < limit:
        raise Unreadable("deflated frame shorter than promised")
    return plain


def _jpeg(data: bytes, layout: Layout) -> Any:
    if layout.samples == 1:
        return imagecodecs.jpeg_decode(data)
    stored = "RGB" if layout.photometric == "RGB" else "YCBCR"
    return imagecodecs.jpeg8_decode(data, colorspace=stored, outcolorspace="RGB")


def _rle(data: bytes, layout: Layout) -> Any:
    """Segments of PackBits, most significant byte first (PS3.5 annex G)."""
    count = int.from_bytes(data[:4], "little")
    size = layout.bits_allocated // 8
    pixels = layout.rows * layout.columns
    if count != layout.samples * size or len(data) < 64:
        raise Unreadable("the RLE segments do not fit the image")
    starts = [int.from_bytes(data[4 + 4 * n : 8 + 4 * n], "little") for n in range(count)]
    planes = np.zeros((layout.samples, size, pixels), np.uint8)
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < count else len(data)
        if not 64 <= start < end <= len(data):
            raise Unreadable("an RLE segment lies outside its frame")
        # PackBits grows 64 times at most, and the frame's length is bounded: no bomb fits in.
        segment = imagecodecs.packbits_decode(data[start:end])
        plane = np.frombuffer(segment, np.uint8)[:pixels]
        if len(plane) != pixels:
            raise Unreadable("an RLE segment is shorter than the image")
        planes[number // size, size - 1 - number % size] = plane
    samples = np.ascontiguousarray(np.moveaxis(planes, 1, 2)).view(f"<u{size}")[..., 0]
    shaped = samples.reshape(layout.samples, layout.rows, layout.columns)
    return shaped[0] if layout.samples == 1 else np.moveaxis(shaped, 0, 2)


Decoder = Callable[[bytes, Layout], Any]
_DECODERS: dict[str, Decoder] = {
    **dict.fromkeys(_JPEG, _jpeg),
    **dict.fromkeys(_LOSSLESS_JPEG, lambda data, _: imagecodecs.ljpeg_decode(data)),
    **dict.fromkeys(_JPEG_LS, lambda data, _: imagecodecs.jpegls_decode(data)),
    **dict.fromkeys(_JPEG_2000, lambda data, _: imagecodecs.jpeg2k_decode(data)),
    _RLE: _rle,
}
TO_RGB = frozenset(_JPEG)
"""Syntaxes whose decoder turns luminance and colour differences into RGB by itself."""
SHOWN = frozenset(
    (*_DECODERS, _PLAIN_ENCAPSULATED, _DEFLATED_FRAMES, _BIG_ENDIAN,
     "1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
)  # fmt: skip
"""Transfer syntaxes whose pictures can be shown; films (MPEG, HEVC) cannot."""
