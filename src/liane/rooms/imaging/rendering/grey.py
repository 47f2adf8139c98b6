"""How dark or bright is each value on the screen (PS3.3 section C.11)?

Runs in the child only. Rescale, then window, then inversion; colours by their own ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Window:
    """Which values are spread over the greys, in the units of the image (HU for CT)."""

    center: float
    width: float


def for_frame(data: Dataset, index: int, keyword: str, group: str) -> Any:
    """An attribute of the object, or of this frame's functional groups (enhanced objects)."""
    if keyword in data:
        return data.get(keyword)
    frames: Sequence[Dataset] = data.get("PerFrameFunctionalGroupsSequence") or []
    shared: Sequence[Dataset] = data.get("SharedFunctionalGroupsSequence") or []
    for groups in [*frames[index : index + 1], *shared[:1]]:
        inner = groups.get(group) or []
        if inner and keyword in inner[0]:
            return inner[0].get(keyword)
    return None


def shades(frame: Array, data: Dataset, index: int, wanted: Window | None) -> tuple[Array, Window]:
    """Eight-bit greys of a monochrome frame, and the window that was used."""
    values = _rescaled(frame, data, index)
    window = wanted or _own_window(data, index) or _whole_range(values, data)
    width = max(window.width, 1e-6)
    if width > 1:
        # The linear function of C.11.2.1.2.1: half a value and one value are its definition.
        spread = (values - (window.center - 0.5)) / (width - 1) + 0.5
    else:
        spread = (values - window.center) / width + 0.5
    greys = np.clip(spread * 255, 0, 255)
    if str(data.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        greys = 255 - greys
    return np.asarray(np.rint(greys), np.uint8), window


def colours(frame: Array, data: Dataset, photometric: str, *, decoded_to_rgb: bool) -> Array:
    """Eight-bit RGB of a colour frame."""
    if photometric == "PALETTE COLOR":
        coloured = apply_color_lut(frame.astype(np.uint16), data)[..., :3]
        return np.asarray(coloured >> (8 if _is_deep(data) else 0), np.uint8)
    bits = int(data.get("BitsStored", 8))
    eight = frame if bits <= 8 else frame >> (bits - 8)
    eight = np.clip(eight, 0, 255)[..., :3]
    if photometric.startswith("YBR_FULL") and not decoded_to_rgb:
        return _from_ybr(eight)
    return np.asarray(eight, np.uint8)


def _is_deep(data: Dataset) -> bool:
    """Whether a palette really holds 16-bit values: some say 16 and write 8."""
    entries = int(data.RedPaletteColorLookupTableDescriptor[0]) or 65536
    every = apply_color_lut(np.arange(entries, dtype=np.uint16), data)
    return bool(every.max() > 255)


def _rescaled(frame: Array, data: Dataset, index: int) -> Array:
    if "ModalityLUTSequence" in data:
        return np.asarray(apply_modality_lut(frame, data), np.float32)
    group = "PixelValueTransformationSequence"
    slope = for_frame(data, index, "RescaleSlope", group)
    intercept = for_frame(data, index, "RescaleIntercept", group)
    values: Array = frame.astype(np.float32)
    if slope is not None and intercept is not None:
        values = values * np.float32(slope) + np.float32(intercept)
    return values


def _own_window(data: Dataset, index: int) -> Window | None:
    center = _first(for_frame(data, index, "WindowCenter", "FrameVOILUTSequence"))
    width = _first(for_frame(data, index, "WindowWidth", "FrameVOILUTSequence"))
    if center is None or width is None or width <= 0:
        return None
    return Window(center, width)


def _first(value: Any) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if value else None
    return None if value is None else float(value)


def _whole_range(values: Array, data: Dataset) -> Window:
    """From the darkest to the brightest value, padding left out."""
    padding = data.get("PixelPaddingValue")
    shown = values if padding is None else values[values != float(padding)]
    if shown.size == 0:
        shown = values
    low, high = float(shown.min()), float(shown.max())
    return Window((low + high) / 2, max(high - low, 1.0))


def _from_ybr(frame: Array) -> Array:
    """ITU-R BT.601 full range (PS3.3 section C.7.6.3.1.2)."""
    luma, blue, red = (frame[..., plane].astype(np.float32) for plane in range(3))
    blue, red = blue - 128, red - 128
    rgb = np.stack(
        (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue), axis=-1
    )
    return np.asarray(np.clip(np.rint(rgb), 0, 255), np.uint8)


def smaller(picture: Array, most: int) -> Array:
    """The picture reduced by a whole factor so that no side exceeds `most`: means of blocks."""
    rows, columns = picture.shape[:2]
    factor = -(-max(rows, columns) // most)
    if factor <= 1:
        return picture
    # A side shorter than the factor (a strip) keeps its own length.
    down, across = min(factor, rows), min(factor, columns)
    cut = picture[: rows // down * down, : columns // across * across]
    blocks = cut.reshape(rows // down, down, columns // across, across, *picture.shape[2:])
    return np.asarray(np.rint(blocks.mean(axis=(1, 3))), np.uint8)
