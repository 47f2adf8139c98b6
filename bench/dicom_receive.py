"""How fast are images received, durable and indexed, compared with other receivers?

The same images, the same sender (dcmtk `storescu` with TCP_NODELAY=1), one after the other on this
machine: Liane's gateway with its database, pynetdicom's example receiver in the form its
documentation shows (write the file, fsync), and Orthanc where it is installed (with
TCP_NODELAY=1 and its synchronous storage). Prints images/s, CPU milliseconds per image (children
and database included) and the ratios to Liane.

    python bench/dicom_receive.py [--images 200] [--associations 1,4] [--passes 3]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

ROOT = Path(__file__).resolve().parent.parent
STORESCU = "/usr/bin/storescu"
ORTHANC = "/usr/sbin/Orthanc"
TICKS = os.sysconf("SC_CLK_TCK")

_PYNETDICOM = """
import os, sys
from pathlib import Path
from pydicom.filewriter import write_file_meta_info
from pynetdicom import AE, evt, AllStoragePresentationContexts, _config
_config.UNRESTRICTED_STORAGE_SERVICE = True
folder = Path(sys.argv[2])
def store(event):
    path = folder / f"{event.request.MessageID}-{os.urandom(8).hex()}"
    with open(path, "wb") as file:
        file.write(b"\\0" * 128 + b"DICM")
        write_file_meta_info(file, event.file_meta)
        file.write(event.request.DataSet.getvalue())
        file.flush()
        os.fsync(file.fileno())
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    return 0
ae = AE("PEER")
ae.maximum_pdu_size = 131072
ae.supported_contexts = AllStoragePresentationContexts
ae.start_server(("127.0.0.1", int(sys.argv[1])), evt_handlers=[(evt.EVT_C_STORE, store)])
"""


@dataclass(frozen=True)
class Receiver:
    """A running receiver: where it listens, what it is called, whose CPU counts."""

    name: str
    title: str
    port: int
    processes: Callable[[], list[int]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise SystemExit(f"nothing listens at {port}")


def children_of(root: int) -> list[int]:
    """`root` and everything it started, by /proc."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = stat.read_text().rpartition(")")[2].split()
            parents.setdefault(int(words[1]), []).append(int(stat.parent.name))
    found, ahead = [], [root]
    while ahead:
        one = ahead.pop()
        found.append(one)
        ahead += parents.get(one, [])
    return found


def cpu_seconds(processes: list[int]) -> float:
    total = 0.0
    for one in processes:
        with contextlib.suppress(OSError, IndexError):
            words = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(words[n]) for n in (11, 12, 13, 14)) / TICKS
    return total


def make_images(folder: Path, count: int) -> list[Path]:
    """A CT-like examination: 512 x 512, 16 bits, noise over a body."""
    chance = np.random.default_rng(7)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    body = np.where((x / 0.8) ** 2 + (y / 0.6) ** 2 < 1, 1040, 24).astype(np.float32)
    study, series = generate_uid(), generate_uid()
    files = []
    for number in range(1, count + 1):
        data = Dataset()
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, generate_uid()
        data.StudyInstanceUID, data.SeriesInstanceUID = study, series
        data.PatientID, data.PatientName = f"BENCH{os.getpid()}", "BANC^ESSAI"
        data.Modality, data.InstanceNumber = "CT", number
        data.StudyDate, data.StudyTime = "20260101", "120000"
        data.ImagePositionPatient = [0, 0, number]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.Rows = data.Columns = 512
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        data.SamplesPerPixel, data.PixelRepresentation = 1, 0
        data.PhotometricInterpretation = "MONOCHROME2"
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        pixels = np.clip(body + chance.normal(0, 12, body.shape), 0, 4095).astype("<u2")
        data.PixelData = pixels.tobytes()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"{number:05d}.dcm"
        dcmwrite(path, data, enforce_file_format=True)
        files.append(path)
    return files


def renewed(files: list[Path], folder: Path) -> list[Path]:
    """Copies with names never sent before: a repetition must not be a duplicate."""
    from pydicom import dcmread

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    study, series = generate_uid(), generate_uid()
    made = []
    for file in files:
        data = dcmread(file)
        data.SOPInstanceUID = generate_uid()
        data.StudyInstanceUID, data.SeriesInstanceUID = study, series
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        dcmwrite(folder / file.name, data, enforce_file_format=True)
        made.append(folder / file.name)
    return made


def send(receiver: Receiver, files: list[Path], associations: int) -> tuple[float, float]:
    """(seconds, CPU seconds of the receiver) to send `files` over so many associations."""
    before = cpu_seconds(receiver.processes())
    began = time.perf_counter()
    senders = [
        subprocess.Popen(
            [STORESCU, "-R", "-x=", "-pdu", "131072", "-aec", receiver.title, "127.0.0.1",
             str(receiver.port), *map(str, files[n::associations])],
            env={**os.environ, "TCP_NODELAY": "1"},
        )
        for n in range(associations)
    ]  # fmt: skip
    if any(sender.wait() for sender in senders):
        raise SystemExit(f"{receiver.name}: an image was refused")
    seconds = time.perf_counter() - began
    return seconds, cpu_seconds(receiver.processes()) - before


@contextlib.contextmanager
def liane(home: Path) -> Iterator[Receiver]:
    """The gateway process of this project with a durable database of its own."""
    sys.path.insert(0, str(ROOT))
    from tests.running import Installation

    installation = Installation(home)
    installation.start()
    keeper = installation.keeper.pid

    def processes() -> list[int]:
        return children_of(installation.processes["gateway"].pid) + children_of(keeper)

    try:
        wait_for(installation.dicom_port)
        yield Receiver("Liane", "LIANE", installation.dicom_port, processes)
    finally:
        installation.stop()


@contextlib.contextmanager
def program(name: str, title: str, port: int, words: list[str]) -> Iterator[Receiver]:
    process = subprocess.Popen(
        words,
        env={**os.environ, "TCP_NODELAY": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(port)
        yield Receiver(name, title, port, lambda: children_of(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def orthanc_words(folder: Path, port: int) -> list[str]:
    """Orthanc with synchronous storage and nothing else changed."""
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "HttpServerEnabled": False,
        "SyncStorageArea": True,
        "Plugins": [],
        "DicomAlwaysAllowStore": True,
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings))
    return [ORTHANC, str(file)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--associations", default="1,4")
    parser.add_argument("--passes", type=int, default=3)
    given = parser.parse_args()
    if not Path(STORESCU).exists():
        raise SystemExit("dcmtk (Debian package) is needed to send")
    work = Path(tempfile.mkdtemp(prefix="liane-bench-"))
    counts = [int(text) for text in given.associations.split(",")]
    results: dict[tuple[str, int], list[tuple[float, float]]] = {}
    try:
        (work / "images").mkdir()
        files = make_images(work / "images", given.images)
        with contextlib.ExitStack() as stack:
            receivers = [stack.enter_context(liane(work / "home"))]
            (work / "peer").mkdir()
            port = free_port()
            words = [sys.executable, "-c", _PYNETDICOM, str(port), str(work / "peer")]
            receivers.append(stack.enter_context(program("pynetdicom", "PEER", port, words)))
            if Path(ORTHANC).exists():
                (work / "orthanc").mkdir()
                port = free_port()
                words = orthanc_words(work / "orthanc", port)
                receivers.append(stack.enter_context(program("Orthanc", "ORTHANC", port, words)))
            for _ in range(given.passes):
                for count in counts:
                    for receiver in random.sample(receivers, len(receivers)):
                        fresh = renewed(files, work / "fresh")
                        measured = send(receiver, fresh, count)
                        results.setdefault((receiver.name, count), []).append(measured)
                        time.sleep(2)
            report(results, counts, given.images)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def report(
    results: dict[tuple[str, int], list[tuple[float, float]]], counts: list[int], images: int
) -> None:
    """Medians of all passes, and the ratios to Liane."""
    for count in counts:
        print(f"\n{count} association(s), {images} images of 0.5 MB, durable before Success")
        figures = {
            name: (
                statistics.median(images / seconds for seconds, _ in measured),
                statistics.median(1000 * used / images for _, used in measured),
            )
            for (name, of), measured in results.items()
            if of == count
        }
        ours = figures["Liane"]
        for name, (rate, cpu) in figures.items():
            print(
                f"  {name:<11} {rate:7.1f} images/s   {cpu:6.2f} ms CPU/image   "
                f"Liane / {name}: speed {ours[0] / rate:4.2f}x, CPU {ours[1] / cpu:4.2f}x"
            )


if __name__ == "__main__":
    main()
