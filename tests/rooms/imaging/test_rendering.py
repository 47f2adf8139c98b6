"""Are pictures right in every encoding, and does a hostile image break only its own child?"""

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence

from liane.base.errors import Invalid
from liane.gateways.dicom import part10, registry
from liane.gateways.dicom.filing import Arrival, _examine
from liane.rooms.imaging.rendering.renderer import Renderer, Stored
from liane.rooms.imaging.values import Policy
from tests.gateways.dicom.test_header import encoded, image

J2K, JLS, RLE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5"
HTJ2K = "1.2.840.10008.1.2.4.201"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
GREYS = (np.arange(64 * 48).reshape(48, 64) * 37 % 4096).astype("<u2")


def _deflated(array):
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(array.tobytes()) + squeezer.flush()


class Folder:
    """The blobs that a renderer needs: a name leads to an open file."""

    def open(self, name):
        return Path(name).open("rb")


class House:
    blobs = Folder()


@pytest.fixture
async def renderer():
    made = Renderer(House())
    yield made
    await made.close()


def placed(tmp_path, data, syntax="1.2.840.10008.1.2.1"):
    """`data` as it would be stored, and where its pixels lie."""
    arrival = Arrival(encoded(data, syntax), registry.transfer_syntaxes()[syntax])
    instance, front = _examine(arrival, Policy("test"))
    path = tmp_path / "image.dcm"
    path.write_bytes(front + arrival.content)
    return Stored(
        str(path),
        syntax,
        instance.pixel_offset,
        instance.pixel_length,
        instance.fragments is not None,
    )


def grey_image(pixels=None, **changes):
    rows, columns = GREYS.shape
    return image(
        Rows=rows,
        Columns=columns,
        PixelData=GREYS.tobytes() if pixels is None else pixels,
        **changes,
    )


def window_over(low, high):
    """A window that spreads exactly low..high over the greys."""
    return ((low + high + 1) / 2, high - low + 1.0)


async def shades_of(renderer, stored, frame=0):
    picture = await renderer.picture(stored, frame=frame, window=window_over(0, 4095), kind="png")
    return imagecodecs.png_decode(picture.body)


EXPECTED = np.rint(GREYS.astype(np.float64) / 4095 * 255)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (registry.IMPLICIT_LITTLE, None),
        (registry.EXPLICIT_LITTLE, None),
        (J2K, lambda a: imagecodecs.jpeg2k_encode(a, reversible=True, level=0)),
        (JLS, imagecodecs.jpegls_encode),
        (HTJ2K, lambda a: imagecodecs.htj2k_encode(a, reversible=True)),
        (DEFLATED_FRAMES, _deflated),
    ],
    ids=["implicit", "explicit", "J2K", "JPEG-LS", "HTJ2K", "deflated frame"],
)
async def test_lossless_encodings_show_the_same_greys(renderer, tmp_path, syntax, encode):
    pixels = None if encode is None else encapsulate([bytes(encode(GREYS))])
    shown = await shades_of(renderer, placed(tmp_path, grey_image(pixels), syntax))
    assert np.abs(shown.astype(int) - EXPECTED).max() <= 1


async def test_big_endian_shows_the_same_greys(renderer, tmp_path):
    # pydicom writes pixel bytes as given: they must be big endian already.
    data = grey_image(GREYS.astype(">u2").tobytes())
    shown = await shades_of(renderer, placed(tmp_path, data, registry.EXPLICIT_BIG))
    assert np.abs(shown.astype(int) - EXPECTED).max() <= 1


async def test_rle_shows_the_same_greys(renderer, tmp_path):
    segments = [imagecodecs.packbits_encode(np.ascontiguousarray(GREYS >> 8).astype(np.uint8).tobytes()),
                imagecodecs.packbits_encode((GREYS & 255).astype(np.uint8).tobytes())]  # fmt: skip
    segments = [one + b"\0" * (len(one) % 2) for one in segments]
    head = struct.pack("<16L", 2, 64, 64 + len(segments[0]), *[0] * 13)
    pixels = encapsulate([head + b"".join(segments)])
    shown = await shades_of(renderer, placed(tmp_path, grey_image(pixels), RLE))
    assert np.abs(shown.astype(int) - EXPECTED).max() <= 1


async def test_inverted_and_signed_and_rescaled(renderer, tmp_path):
    shown = await shades_of(
        renderer, placed(tmp_path, grey_image(PhotometricInterpretation="MONOCHROME1"))
    )
    assert np.abs(shown.astype(int) - (255 - EXPECTED)).max() <= 1
    signed = (GREYS.astype(int) - 2048).astype("<i2").tobytes()
    data = grey_image(
        signed,
        PixelRepresentation=1,
        BitsStored=16,
        HighBit=15,
        RescaleSlope=1,
        RescaleIntercept=2048,
    )
    assert (
        np.abs((await shades_of(renderer, placed(tmp_path, data))).astype(int) - EXPECTED).max()
        <= 1
    )


async def test_overlays_in_spare_bits_do_not_show(renderer, tmp_path):
    marked = (GREYS | 0xF000).astype("<u2").tobytes()
    shown = await shades_of(renderer, placed(tmp_path, grey_image(marked)))
    assert np.abs(shown.astype(int) - EXPECTED).max() <= 1


async def test_each_frame_is_the_one_asked_for(renderer, tmp_path):
    frames = [(np.full_like(GREYS, value)) for value in (0, 2048, 4095)]
    plain = grey_image(b"".join(one.tobytes() for one in frames), NumberOfFrames=3)
    packed = grey_image(
        encapsulate([bytes(imagecodecs.jpegls_encode(one)) for one in frames]), NumberOfFrames=3
    )
    for data, syntax in ((plain, registry.EXPLICIT_LITTLE), (packed, JLS)):
        stored = placed(tmp_path, data, syntax)
        seen = [int((await shades_of(renderer, stored, n)).mean()) for n in range(3)]
        assert seen == [0, 128, 255]
        with pytest.raises(Invalid):
            await renderer.picture(stored, frame=3)


async def test_thumbnails_are_small(renderer, tmp_path):
    data = image(Rows=2000, Columns=1500, PixelData=bytes(2000 * 1500 * 2))
    picture = await renderer.picture(placed(tmp_path, data), most=256)
    assert max(picture.rows, picture.columns) <= 256
    assert picture.body[:2] == b"\xff\xd8"


BOMBS = {
    "J2K of 60000 x 60000": (
        J2K,
        b"\xff\x4f\xff\x51\x00\x29\x00\x00"
        + struct.pack(">8L", 60000, 60000, 0, 0, 60000, 60000, 0, 0)
        + b"\x00\x01\x0f\x01\x01\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x05\x04\x04\x00\x01\xff\x90\x00\x0a"
        + b"\0\0\0\0\0\0\0\1\xff\x93\xff\xd9",
    ),
    "JPEG-LS of 65535 x 65535": (
        JLS,
        b"\xff\xd8\xff\xf7\x00\x0b\x10\xff\xff\xff\xff\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00"
        + b"\0" * 64,
    ),
    "RLE offsets": (RLE, struct.pack("<16L", 2, 64, 0xFFFFFFF0, *[0] * 13) + b"\x81\0" * 1000),
    "RLE count": (RLE, struct.pack("<16L", 15, *range(64, 79)) + b"\x81\0" * 100),
    "deflated frame": (DEFLATED_FRAMES, zlib.compress(bytes(50_000_000), 9)[2:-4]),
    "noise": (J2K, os.urandom(5000)),
    "empty": (J2K, b""),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_pixel_bombs_break_nobody(renderer, tmp_path, name):
    syntax, content = BOMBS[name]
    good = placed(tmp_path / "..", grey_image())
    fragments = encapsulate([content]) if content else b"\xfe\xff\0\xe0\0\0\0\0" * 2
    stored = placed(tmp_path, grey_image(fragments), syntax)
    began = time.perf_counter()
    if name == "deflated frame":
        await renderer.picture(stored)
    else:
        with pytest.raises(Invalid):
            await renderer.picture(stored)
    assert time.perf_counter() - began < 12
    assert (await renderer.picture(good)).body


async def test_rows_and_columns_that_lie_are_refused(renderer, tmp_path):
    for rows, columns in ((65535, 65535), (0, 64), (49, 64)):
        content = encapsulate([bytes(imagecodecs.jpegls_encode(GREYS))])
        data = image(Rows=rows, Columns=columns, PixelData=content)
        with pytest.raises(Invalid):
            await renderer.picture(placed(tmp_path, data, JLS))


async def test_a_palette_shorter_than_its_values_breaks_nobody(renderer, tmp_path):
    data = image(
        Rows=4, Columns=4, BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=b"\xff" * 16
    )
    data.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [65535, 0, 16])
        setattr(data, f"{colour}PaletteColorLookupTableData", b"\0\0")
    with pytest.raises(Invalid):
        await renderer.picture(placed(tmp_path, data))


async def test_a_header_of_deep_sequences_breaks_nobody(renderer, tmp_path):
    deep = image()
    for _ in range(30):
        inner = pydicom.Dataset()
        inner.OtherPatientIDsSequence = deep.get("OtherPatientIDsSequence", Sequence([]))
        deep.OtherPatientIDsSequence = Sequence([inner])
    path = tmp_path / "deep.dcm"
    path.write_bytes(part10.front("1.2", "1.2.3.4", "1.2.840.10008.1.2.1") + encoded(deep))
    assert json.loads(await renderer.metadata(str(path), "x"))["00100020"]["Value"] == ["80001"]


def test_the_child_can_do_nothing_else(tmp_path):
    tried = tmp_path / "tried.py"
    tried.write_text(
        "import os, socket, subprocess, sys\n"
        "from liane.rooms.imaging.rendering import jail\n"
        "jail.enter()\n"
        "def refused(work):\n"
        "    try: work()\n"
        "    except (OSError, MemoryError): return True\n"
        "    return False\n"
        f"path = {str(tmp_path / 'written')!r}\n"
        "def write():\n"
        "    with open(path, 'w') as file: file.write('x')\n"
        "print(refused(lambda: socket.socket()), refused(lambda: subprocess.run(['/bin/true'])),\n"
        "      refused(os.fork), refused(lambda: bytearray(3 << 30)), refused(lambda: os.kill(1, 0)),\n"
        "      refused(lambda: os.unlink(__file__)))\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "print(refused(write))\n"
    )
    done = subprocess.run([sys.executable, tried], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True"] * 7, done.stderr
    assert tried.exists()


async def test_a_child_that_hangs_is_replaced(renderer, tmp_path, monkeypatch):
    from liane.rooms.imaging.rendering import renderer as module

    stored = placed(tmp_path, grey_image())
    # Its start may take a while on a busy machine; only what follows must be given up soon.
    await renderer.picture(stored)
    monkeypatch.setattr(module, "REQUEST_SECONDS", 1.0)
    child = renderer._free.get_nowait()
    child._socket.settimeout(1.0)
    renderer._free.put_nowait(child)
    os.kill(child._process.pid, 19)
    with pytest.raises(Invalid):
        await renderer.picture(stored)
    assert child._process.poll() is not None
    monkeypatch.setattr(module, "REQUEST_SECONDS", 15.0)
    assert (await renderer.picture(stored)).body


async def test_many_at_once_share_the_children(renderer, tmp_path):
    stored = placed(tmp_path, grey_image())
    pictures = await asyncio.gather(*(renderer.picture(stored) for _ in range(30)))
    assert len({picture.body for picture in pictures}) == 1
    assert socket.socketpair  # the children live on socket pairs, closed by `close`


def shared_files():
    root = Path(__file__).resolve().parents[3].parent / "shared" / "data"
    folder = Path(os.environ.get("LIANE_SHARED_DATA", root)) / "dicom-pydicom-data"
    return sorted(folder.rglob("*.dcm"))


@pytest.mark.parametrize("file", shared_files() or [None], ids=lambda f: f.name if f else "absent")
async def test_shared_images_are_shown_as_other_decoders_see_them(renderer, tmp_path, file):
    if file is None:
        pytest.skip("shared data set 'dicom-pydicom-data' not found (LIANE_SHARED_DATA)")
    content = file.read_bytes()
    if not part10.is_part10(content):
        pytest.skip("not a DICOM file (PS3.10)")
    meta = part10.read_front(content)
    arrival = Arrival(content, registry.transfer_syntaxes()[meta.transfer_syntax], meta.offset)
    instance, _ = _examine(arrival, Policy("test"))
    place = instance.pixel_offset - instance.dataset_offset + meta.offset
    stored = Stored(
        str(file),
        meta.transfer_syntax,
        place,
        instance.pixel_length,
        instance.fragments is not None,
    )
    picture = await renderer.picture(stored, kind="png")
    shown = imagecodecs.png_decode(picture.body)
    assert shown.shape[:2] == (instance.rows, instance.columns)
    assert shown.std() > 0.5, "a blank picture"
    data = pydicom.dcmread(file)
    if meta.transfer_syntax == J2K and instance.frames == 1 and shown.ndim == 2:
        reference = imagecodecs.jpeg2k_decode(
            next(generate_frames(data.PixelData, number_of_frames=1))
        )
        low, high = (
            picture.window[0] - picture.window[1] / 2,
            picture.window[0] + picture.window[1] / 2,
        )
        values = reference.astype(float) * float(data.get("RescaleSlope", 1)) + float(
            data.get("RescaleIntercept", 0)
        )
        inside = (values > low + 1) & (values < high - 1)
        if data.PhotometricInterpretation == "MONOCHROME1":
            shown = 255 - shown
        expected = (values - low) / (high - low) * 255
        assert np.abs(shown[inside] - expected[inside]).max() < 3
