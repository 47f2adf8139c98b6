"""A DICOM port on a real record, an observer on the wire, and other people's programs to send."""

import asyncio
import contextlib
import os
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from liane.access.actor import SYSTEM
from liane.access.sessions import Sessions
from liane.gateways.dicom import partners, service
from liane.gateways.dicom.listener import Limits
from liane.rooms import imaging, patients
from liane.rooms.patients import register_identity
from liane.ui.services import Services

STORESCU, ECHOSCU = "/usr/bin/storescu", "/usr/bin/echoscu"

_WITH_PYNETDICOM = """
import sys, warnings
warnings.simplefilter("ignore")
from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE
port, path = int(sys.argv[1]), sys.argv[2]
data = dcmread(path, force=True)
ae = AE("PYTHON")
ae.add_requested_context(data.SOPClassUID, UID(data.file_meta.TransferSyntaxUID))
peer = ae.associate("127.0.0.1", port, ae_title="LIANE")
if not peer.is_established:
    sys.exit("no association")
if not peer.accepted_contexts:
    sys.exit("no context")
answer = peer.send_c_store(data)
peer.release()
print("%04x" % answer.Status if answer else "none")
"""


@dataclass
class Port:
    """A running gateway."""

    number: int
    services: Services

    async def instances(self):
        async with self.services.database.reading() as tx:
            rows = await tx.fetch("select * from imaging.instance order by received_at")
        return [dict(row) for row in rows]

    async def studies(self):
        async with self.services.database.reading() as tx:
            rows = await tx.fetch("select * from imaging.study order by first_at")
        return [dict(row) for row in rows]

    async def stored(self, row):
        """The data set of an instance, as it lies in the blob."""
        return (await self.services.blobs.read(row["sha256"]))[row["dataset_offset"] :]

    async def until(self, condition, seconds=10):
        """Wait until `condition()` (awaited) is true."""
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.05)


@pytest.fixture
def services(database, blobs, tmp_path):
    database.projections = (patients.project, imaging.project)
    return Services(database=database, blobs=blobs, home=tmp_path, sessions=Sessions(database))


@contextlib.asynccontextmanager
async def running(services, limits=None):
    async with services.database.transaction() as tx:
        await partners.introduce_loopback(tx)
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        service.serve(services, "127.0.0.1", 0, "LIANE", stop, limits=limits, ready=ready)
    )
    done, _ = await asyncio.wait([serving, ready], return_when=asyncio.FIRST_COMPLETED)
    if serving in done:
        await serving
    try:
        yield Port(ready.result(), services)
    finally:
        stop.set()
        await serving


@pytest.fixture
async def port(services):
    async with running(services) as opened:
        yield opened


@pytest.fixture
def run_port(services):
    """Open a port with limits of the test's own."""
    return lambda **limits: running(services, Limits(**limits))


@dataclass
class Wire:
    """What an observer between peer and gateway saw: data sets put together on its own."""

    number: int = 0
    data_sets: list[bytes] = field(default_factory=list)
    _server: object = None

    async def start(self, target):
        async def connected(reader, writer):
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", target)
            await asyncio.gather(
                self._watch(reader, to_writer),
                self._copy(to_reader, writer),
                return_exceptions=True,
            )

        self._server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.number = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()

    async def _watch(self, reader, writer):
        pieces = []
        try:
            while True:
                head = await reader.readexactly(6)
                kind, length = struct.unpack(">BxL", head)
                body = await reader.readexactly(length)
                at = 0
                while kind == 4 and at < length:
                    size, _, flags = struct.unpack_from(">LBB", body, at)
                    if not flags & 1:
                        pieces.append(body[at + 6 : at + 4 + size])
                        if flags & 2:
                            self.data_sets.append(b"".join(pieces))
                            pieces = []
                    at += 4 + size
                writer.write(head + body)
                await writer.drain()
        except asyncio.IncompleteReadError as end:
            writer.write(end.partial)
        finally:
            writer.close()

    async def _copy(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


@pytest.fixture
async def wire(port):
    observer = Wire()
    await observer.start(port.number)
    yield observer
    await observer.stop()


async def run(*words):
    """Run a program; (exit status, everything it said)."""
    process = await asyncio.create_subprocess_exec(
        *map(str, words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TCP_NODELAY": "1"},
    )
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, said.decode(errors="replace")


@pytest.fixture
def dcmtk():
    if not Path(STORESCU).exists():
        pytest.skip("dcmtk (Debian package) is not installed")

    async def send(number, *files, options=(), called="LIANE", calling="DCMTK"):
        return await run(
            STORESCU, "-v", *options, "-aec", called, "-aet", calling, "127.0.0.1", number, *files
        )

    return send


@pytest.fixture
def pynetdicom_process():
    """pynetdicom in a process of its own: its settings are global to a process."""

    async def send(number, file):
        return await run(sys.executable, "-c", _WITH_PYNETDICOM, number, file)

    return send


@pytest.fixture
def person(services):
    """Register somebody with an IPP of the university hospital."""

    async def register(number="80001", family="MARTIN", given="CLAIRE", birth="1948-03-14"):
        patient = {
            "resourceType": "Patient",
            "identifier": [
                {
                    "use": "official",
                    "type": {
                        "coding": [
                            {
                                "code": "PI",
                                "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                            }
                        ]
                    },
                    "system": "urn:oid:1.2.250.1.999.1.1",
                    "value": number,
                }
            ],
            "name": [{"use": "official", "family": family, "given": [given]}],
            "birthDate": birth,
            "gender": "female",
        }
        async with services.database.transaction() as tx:
            made = await register_identity(tx, SYSTEM("test"), patient, source="test", at=tx.now)
        return made.patient_id

    return register
