"""When the gateway is killed while machines send, is every acknowledged image there and whole?"""

import contextlib
import hashlib
import os
import random
import socket
import subprocess
import sys
import time

import pytest

from tests.gateways.dicom.test_header import encoded, image
from tests.running import Installation

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]

KILLS = int(os.environ.get("LIANE_TEST_KILLS", "5"))
SENDERS = 2

_SENDER = """
import sys, warnings
warnings.simplefilter("ignore")
from tests.gateways.dicom.test_crash import numbered
from pynetdicom import AE
port, sender, first = map(int, sys.argv[1:])
ae = AE("PYTHON")
ae.add_requested_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
peer = ae.associate("127.0.0.1", port, ae_title="LIANE")
number = first
while peer.is_established:
    answer = peer.send_c_store(numbered(sender, number))
    if "Status" in answer and answer.Status == 0:
        print(number, flush=True)
    number += 1
"""


def numbered(sender, number):
    """An image whose pixels can be computed again from its name."""
    from pydicom.dataset import FileMetaDataset

    data = image(
        SOPInstanceUID=f"1.2.{sender}.{number}",
        StudyInstanceUID=f"1.2.{sender}",
        SeriesInstanceUID=f"1.2.{sender}.0",
        PatientID=f"K{sender}",
        InstanceNumber=number,
        Rows=64,
        Columns=64,
        PixelData=hashlib.sha256(f"{sender}/{number}".encode()).digest() * 256,
    )
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    return data


def send(port, sender, first):
    return subprocess.Popen(
        [sys.executable, "-c", _SENDER, str(port), str(sender), str(first)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def wait_for(port, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError("the DICOM port does not open")


@pytest.fixture
def installation(tmp_path):
    running = Installation(tmp_path / "home")
    running.start()
    yield running
    running.stop()


def rows(installation, sql):
    said = installation.command("psql", "--", "-AtF|", "-c", sql)
    return [line.split("|") for line in said.splitlines() if "|" in line or line.isdigit()]


def test_nothing_acknowledged_is_lost(installation):
    acknowledged = {sender: set() for sender in range(1, SENDERS + 1)}
    first = dict.fromkeys(acknowledged, 1)
    for _ in range(KILLS):
        wait_for(installation.dicom_port)
        senders = {n: send(installation.dicom_port, n, first[n]) for n in acknowledged}
        begun = {n: process.stdout.readline() for n, process in senders.items()}
        time.sleep(random.uniform(0.1, 1.5))
        installation.kill("gateway")
        for sender, process in senders.items():
            said, _ = process.communicate(timeout=60)
            got = {int(line) for line in (begun[sender] + said).split()}
            acknowledged[sender] |= got
            first[sender] = max([*got, first[sender]]) + 1
        installation.launch("gateway")
    wait_for(installation.dicom_port)
    time.sleep(4)
    total = sum(map(len, acknowledged.values()))
    assert total > KILLS

    index = "select sop_uid, sha256, dataset_offset, state from imaging.instance"
    stored = {uid: rest for uid, *rest in rows(installation, index)}
    for sender, numbers in acknowledged.items():
        for number in numbers:
            sha256, offset, state = stored[f"1.2.{sender}.{number}"]
            path = installation.home / "blobs" / sha256[:2] / sha256
            content = path.read_bytes()
            assert hashlib.sha256(content).hexdigest() == sha256
            assert content[int(offset) :] == encoded(numbered(sender, number))
            assert state == "current"
    told = "select count(*), sum(instance_count) from imaging.study where not stale"
    [[studies, images]] = rows(installation, told)
    assert int(studies) == SENDERS
    assert int(images) == len(stored)
    assert not list((installation.home / "dicom").glob("arriving-*"))
