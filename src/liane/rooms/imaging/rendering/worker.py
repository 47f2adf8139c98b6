"""What does the child do with one request: a picture, the bytes of a frame, or the header?

Started by `renderer` as `python -m liane.rooms.imaging.rendering.worker FD`. Each request is a
line of JSON with an open file passed beside it; each answer a line of JSON and the bytes it
announces. Nothing else is read and nothing else is written.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import warnings
from typing import Any

import imagecodecs
import numpy as np
import pydicom

from liane.rooms.imaging.rendering import decoding, grey, headers, jail
from liane.rooms.imaging.rendering.decoding import Layout
from liane.rooms.imaging.rendering.frames import PixelPlace, Unreadable, encapsulated, native
from liane.rooms.imaging.rendering.grey import Window

Request = dict[str, Any]
Answer = tuple[dict[str, Any], bytes]


def main(descriptor: int) -> None:
    """Serve requests until the parent closes its end."""
    warnings.simplefilter("ignore")
    channel = socket.socket(fileno=descriptor)
    jail.enter()
    while True:
        message, files, _, _ = socket.recv_fds(channel, 64 * 1024, 1)
        if not message:
            return
        jail.allow_time()
        head, body = _answered(json.loads(message), files[0])
        os.close(files[0])
        line = json.dumps({**head, "size": len(body)}).encode() + b"\n"
        channel.sendall(line)
        channel.sendall(body)


def _answered(request: Request, file: int) -> Answer:
    try:
        return _WORK[request["do"]](request, file)
    except Unreadable as problem:
        return {"ok": False, "reason": str(problem)}, b""
    except Exception as problem:  # noqa: BLE001 (whatever a hostile file provokes in a decoder)
        return {"ok": False, "reason": f"{type(problem).__name__}: {problem}"[:300]}, b""


def _header(file: int) -> pydicom.Dataset:
    with os.fdopen(os.dup(file), "rb") as opened:
        opened.seek(0)
        return pydicom.dcmread(opened, stop_before_pixels=True, force=True)


def _layout(data: pydicom.Dataset, file: int, offset: int, syntax: str) -> Layout:
    allocated = int(data.get("BitsAllocated", 8))
    stored = int(data.get("BitsStored", allocated) or allocated)
    big = syntax == "1.2.840.10008.1.2.2"
    words = big and allocated == 8 and os.pread(file, 2, offset - 8) == b"OW"
    return Layout(
        rows=int(data.get("Rows", 0)),
        columns=int(data.get("Columns", 0)),
        samples=int(data.get("SamplesPerPixel", 1)),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=int(data.get("HighBit", stored - 1)),
        signed=bool(data.get("PixelRepresentation", 0)),
        planar=bool(data.get("PlanarConfiguration", 0)),
        photometric=str(data.get("PhotometricInterpretation", "MONOCHROME2")),
        swapped_bytes=words,
    )


def _stored(request: Request, file: int, layout: Layout, frames: int) -> tuple[bytes, int]:
    """The bytes of the frame as stored, and the bit they begin at."""
    place = PixelPlace(request["offset"], request["length"], request["encapsulated"])
    index = request["frame"]
    if not 0 <= index < frames:
        raise Unreadable("no such frame")
    if place.encapsulated:
        return encapsulated(file, place, index, frames), 0
    return native(file, place, index, layout.frame_bits), index * layout.frame_bits % 8


def picture(request: Request, file: int) -> Answer:
    """A frame as JPEG or PNG, windowed, reduced to `most` pixels a side."""
    syntax = request["syntax"]
    if syntax not in decoding.SHOWN:
        raise Unreadable("films and links cannot be shown as pictures")
    data = _header(file)
    layout = _layout(data, file, request["offset"], syntax)
    layout.check()
    frames = max(1, int(data.get("NumberOfFrames", 1) or 1))
    stored, first_bit = _stored(request, file, layout, frames)
    frame = decoding.decode(stored, syntax, layout, first_bit)
    window = None
    if layout.samples == 1 and layout.photometric != "PALETTE COLOR":
        wanted = Window(*request["window"]) if request.get("window") else None
        shown, window = grey.shades(frame, data, request["frame"], wanted)
    else:
        to_rgb = syntax in decoding.TO_RGB
        shown = grey.colours(frame, data, layout.photometric, decoded_to_rgb=to_rgb)
    if request.get("most"):
        shown = grey.smaller(shown, request["most"])
    shown = np.ascontiguousarray(shown)
    if request["format"] == "png":
        body = imagecodecs.png_encode(shown)
    else:
        body = imagecodecs.jpeg8_encode(shown, level=request.get("quality", 85))
    used = [window.center, window.width] if window else None
    size = list(shown.shape[:2])
    return {"ok": True, "window": used, "frames": frames, "picture": size}, bytes(body)


def frame_bytes(request: Request, file: int) -> Answer:
    """A frame exactly as stored (WADO-RS frames)."""
    data = _header(file)
    layout = _layout(data, file, request["offset"], request["syntax"])
    frames = max(1, int(data.get("NumberOfFrames", 1) or 1))
    stored, first_bit = _stored(request, file, layout, frames)
    if first_bit:
        raise Unreadable("the frame does not begin at a byte")
    return {"ok": True, "frames": frames}, stored


def metadata(request: Request, file: int) -> Answer:
    """The header as DICOM JSON (PS3.18 annex F), long values left out as links."""
    return {"ok": True}, headers.dicom_json(_header(file), request["link"])


_WORK = {"picture": picture, "frame": frame_bytes, "metadata": metadata}


if __name__ == "__main__":
    main(int(sys.argv[1]))
