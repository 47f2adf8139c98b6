"""What do the HL7 v2 tests stand on: a gateway on a free port, and a client that speaks MLLP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from liane.access.sessions import Sessions
from liane.gateways.hl7v2 import codec
from liane.gateways.hl7v2.mllp import FrameParser, frame
from liane.gateways.hl7v2.partners import LOOPBACK, ensure
from liane.gateways.hl7v2.service import Gateway
from liane.rooms import imaging, patients, record
from liane.ui.services import Services


class Client:
    """A sender: one connection, one message at a time."""

    def __init__(self, port, reader=None, writer=None):
        self.port, self.reader, self.writer = port, reader, writer
        self._parser = FrameParser()
        self._ready = []

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def post(self, message):
        self.writer.write(frame(message if isinstance(message, bytes) else message.encode()))
        await self.writer.drain()

    async def answer(self, seconds=20):
        """The next frame, or None when the other side hangs up."""
        async with asyncio.timeout(seconds):
            while not self._ready:
                data = await self.reader.read(65536)
                if not data:
                    return None
                self._ready += [found.data for found in self._parser.feed(data)]
        return self._ready.pop(0)

    async def send(self, message, seconds=20):
        """Send one message; its acknowledgement, parsed."""
        await self.post(message)
        told = await self.answer(seconds)
        assert told is not None, "the gateway hung up without an answer"
        return codec.parse(told)


def code(ack):
    """MSA-1 of an acknowledgement."""
    return ack.segment("MSA").get(1)


@dataclass
class Running:
    """A gateway of this test, and what it stands on."""

    gateway: Gateway
    port: int
    services: Services

    @property
    def database(self):
        return self.services.database

    def client(self):
        return Client(self.port)

    async def rows(self, sql="", *args):
        """Rows of the inbox."""
        async with self.database.reading() as tx:
            return await tx.fetch(f"select * from hl7v2.message {sql} order by id", *args)

    async def resources(self, kind):
        """Current resources of one type, as dictionaries."""
        from liane.fhir import json

        async with self.database.reading() as tx:
            rows = await tx.fetch("select body from record.resource where type = $1", kind)
        return [json.loads(row["body"]) for row in rows]


@pytest.fixture
async def services(database, blobs, tmp_path):
    rooms = (patients, record, imaging)
    database.projections = tuple(room.project for room in rooms if hasattr(room, "project"))
    async with database.transaction() as tx:
        await ensure(tx, LOOPBACK)
    return Services(database=database, blobs=blobs, home=tmp_path, sessions=Sessions(database))


@pytest.fixture
async def running(services):
    gateway = Gateway(services)
    port = await gateway.start("127.0.0.1", 0)
    yield Running(gateway, port, services)
    await gateway.stop()
