"""Does the gateway refuse what hurts, and go on serving others at once?"""

import asyncio
import contextlib
import resource
import struct
import time
from pathlib import Path

import pytest

from liane.gateways.dicom import command, pdu, registry
from liane.gateways.dicom.command import Answer
from liane.gateways.dicom.listener import Limits, Listener, listen
from tests.gateways.dicom.test_header import CT, encoded, image

ABORT, REJECT, RELEASED = 7, 3, 6


class Shelf:
    """A desk that keeps what it is handed in memory: here only the conversation is tried."""

    def __init__(self):
        self.taken = []

    def admits(self, peer):
        return peer.calling != "STRANGER"

    async def receive(self, peer, request, spool, syntax):
        content = spool.content()
        self.taken.append(content if isinstance(content, bytes) else content.read_bytes())
        return Answer(command.SUCCESS)


class Door:
    def __init__(self, listener, server, shelf):
        self.listener, self.server, self.shelf = listener, server, shelf
        self.number = server.sockets[0].getsockname()[1]

    async def connect(self, address=None):
        local = (address, 0) if address else None
        return Peer(*await asyncio.open_connection("127.0.0.1", self.number, local_addr=local))

    async def associated(self, **how):
        peer = await self.connect(how.pop("address", None))
        peer.send(request(**how))
        kind, body = await peer.message()
        assert kind == 2, (kind, body)
        return peer


class Peer:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, data):
        self.writer.write(data)

    async def message(self, seconds=5):
        async with asyncio.timeout(seconds):
            kind, length = struct.unpack(">BxL", await self.reader.readexactly(6))
            return kind, await self.reader.readexactly(length)

    async def ended(self, seconds=5):
        """The kinds of messages until the other side closes."""
        kinds = []
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kinds.append((await self.message(seconds))[0])
        return kinds

    async def status(self):
        kind, body = await self.message()
        assert kind == 4, kind
        [piece] = pdu.fragments(memoryview(body))
        return int.from_bytes(command._elements(bytes(piece.data))[0x0900], "little")

    def store(self, data, uid="1.2.3.4", step=16000):
        self.send(pdu.encode_fragment(1, store_command(uid), is_command=True))
        for at in range(0, len(data), step):
            last = at + step >= len(data)
            self.send(pdu.encode_fragment(1, data[at : at + step], is_command=False, is_last=last))

    def close(self):
        self.writer.close()


def request(calling="SCANNER", called="LIANE", **user):
    return pdu.encode_associate_request(
        pdu.AssociateRequest(
            called,
            calling,
            (
                pdu.ProposedContext(1, CT, (registry.EXPLICIT_LITTLE,)),
                pdu.ProposedContext(3, registry.VERIFICATION, (registry.IMPLICIT_LITTLE,)),
            ),
            pdu.UserInformation(**{"max_pdu_bytes": 16384, "implementation_uid": "1.2.3", **user}),
        )
    )


def store_command(uid="1.2.3.4", sop_class=CT, message=1):
    def padded(text):
        value = text.encode()
        return value + b"\0" * (len(value) % 2)

    return command.encode(
        {
            0x0002: padded(sop_class),
            0x0100: b"\x01\0",
            0x0110: message.to_bytes(2, "little"),
            0x0700: b"\0\0",
            0x0800: b"\0\0",
            0x1000: padded(uid),
        }
    )


ECHO = command.encode(
    {0x0002: b"1.2.840.10008.1.1\0", 0x0100: b"\x30\0", 0x0110: b"\1\0", 0x0800: b"\x01\x01"}
)


async def good_peer_is_served(door, seconds=1.0, address="127.0.0.9"):
    began = time.perf_counter()
    peer = await door.associated(address=address)
    peer.send(pdu.encode_fragment(3, ECHO, is_command=True))
    assert await peer.status() == 0
    peer.close()
    assert time.perf_counter() - began < seconds


@pytest.fixture
async def open_door(tmp_path):
    opened = []

    async def open_one(**limits):
        shelf = Shelf()
        listener = Listener(shelf, tmp_path, ("LIANE",), Limits(**limits))
        server = await listen(listener, "127.0.0.1", 0)
        opened.append((listener, server, asyncio.create_task(listener.sweep())))
        return Door(listener, server, shelf)

    yield open_one
    for listener, server, sweeping in opened:
        server.close()
        await listener.finish(0.1)
        sweeping.cancel()


async def test_an_image_in_many_small_pieces_arrives_whole(open_door):
    door = await open_door()
    peer = await door.associated()
    data = encoded(image())
    for step in (1, 7, 100, 16000):
        peer.store(data, step=step)
        assert await peer.status() == 0
    assert door.shelf.taken == [data] * 4
    peer.send(struct.pack(">BxL", 5, 4) + bytes(4))
    assert (await peer.message())[0] == RELEASED


async def test_a_message_cut_at_any_byte_of_the_stream_is_the_same(open_door):
    door = await open_door()
    peer = await door.connect()
    stream = request() + pdu.encode_fragment(3, ECHO, is_command=True)
    for at in range(len(stream)):
        peer.send(stream[at : at + 1])
        if at % 50 == 0:
            await asyncio.sleep(0)
    assert (await peer.message())[0] == 2
    assert await peer.status() == 0
    peer.close()


@pytest.mark.parametrize(
    "first",
    [
        pdu.encode_fragment(1, b"abc", is_command=True),
        struct.pack(">BxL", 5, 4) + bytes(4),
        struct.pack(">BxL", 2, 4) + bytes(4),
        struct.pack(">BxL", 9, 4) + bytes(4),
        struct.pack(">BxL", 1, 4) + bytes(4),
        struct.pack(">BxL", 1, 0xFFFFFFFF),
        struct.pack(">BxL", 4, 0xFFFFFFFF),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["data before association", "release", "accept", "unknown", "empty request",
         "4 GB request", "4 GB data", "HTTP"],
)  # fmt: skip
async def test_anything_but_a_request_at_first_is_aborted(open_door, first):
    door = await open_door(artim_seconds=0.5)
    peer = await door.connect()
    began = time.perf_counter()
    peer.send(first)
    assert (await peer.message())[0] == ABORT
    assert time.perf_counter() - began < 0.3
    assert await peer.ended() == []
    await good_peer_is_served(door)


@pytest.mark.parametrize(
    "bad",
    [
        struct.pack(">BxL", 4, 0xFFFFFFFF) + b"x" * 100,
        struct.pack(">BxL", 4, 300 * 1024),
        struct.pack(">BxL", 4, 6) + b"\0\0\0\2\1\3",
        pdu.encode_fragment(9, ECHO, is_command=True),
        pdu.encode_fragment(1, b"data first", is_command=False),
        pdu.encode_fragment(1, b"\0" * 7, is_command=True),
        pdu.encode_fragment(1, store_command(), is_command=True) * 2,
        pdu.encode_fragment(1, store_command(), is_command=True)
        + pdu.encode_fragment(3, b"other context", is_command=False),
        struct.pack(">BxL", 4, 0),
        request(),
    ],
    ids=["4 GB", "over maximum", "empty command", "context not accepted", "data set first",
         "command cut", "command twice", "context changed", "no value", "request twice"],
)  # fmt: skip
async def test_broken_messages_abort_only_their_own_association(open_door, bad):
    door = await open_door(artim_seconds=0.5)
    other = await door.associated(address="127.0.0.7")
    peer = await door.associated()
    peer.send(bad)
    assert (await peer.message())[0] == ABORT
    assert await peer.ended() == []
    other.store(encoded(image()))
    assert await other.status() == 0
    other.close()


async def test_an_endless_command_is_aborted_with_bounded_memory(open_door):
    door = await open_door(artim_seconds=0.5)
    peer = await door.associated()
    for _ in range(20):
        peer.send(pdu.encode_fragment(1, b"\0" * 16000, is_command=True, is_last=False))
    assert ABORT in await peer.ended()


async def test_an_announced_giant_takes_no_memory(open_door):
    door = await open_door(message_seconds=0.5, idle_seconds=0.5, artim_seconds=0.5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peer = await door.associated()
    peer.send(pdu.encode_fragment(1, store_command(), is_command=True))
    peer.send(struct.pack(">BxL", 4, 262144) + struct.pack(">LBB", 262140, 1, 0) + b"x" * 1000)
    assert ABORT in await peer.ended()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


async def test_a_dripping_peer_is_ended(open_door):
    door = await open_door(message_seconds=0.7, least_bytes_per_second=1e6, artim_seconds=0.5)
    peer = await door.associated()
    peer.send(pdu.encode_fragment(1, store_command(), is_command=True))

    async def drip():
        while True:
            peer.send(pdu.encode_fragment(1, b"x", is_command=False, is_last=False))
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip())
    assert ABORT in await peer.ended()
    dripping.cancel()


async def test_a_dripping_request_is_ended(open_door):
    door = await open_door(artim_seconds=0.5)
    peer = await door.connect()

    async def drip():
        for one in request():
            peer.send(bytes((one,)))
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    await peer.ended()
    dripping.cancel()


async def test_silent_associations_are_ended(open_door):
    door = await open_door(idle_seconds=0.3, artim_seconds=0.3)
    peer = await door.associated()
    assert ABORT in await peer.ended()


async def test_silent_sockets_never_keep_a_good_peer_out(open_door):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    count = 10_000 if hard >= 30_000 else 400
    door = await open_door(artim_seconds=30)
    idle = []
    try:
        for start in range(0, count, 200):
            idle += await asyncio.gather(
                *(door.connect(f"127.0.{1 + (start + n) // 200}.{1 + n}") for n in range(200)),
                return_exceptions=True,
            )
        await good_peer_is_served(door)
        await good_peer_is_served(door, address="127.0.1.1")
        assert len(door.listener._silent) <= door.listener.limits.silent_sockets
    finally:
        for one in idle:
            if isinstance(one, Peer):
                one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_one_address_cannot_take_every_association(open_door):
    door = await open_door(associations_per_address=2)
    kept = [await door.associated(address="127.0.0.7") for _ in range(2)]
    peer = await door.connect("127.0.0.7")
    peer.send(request())
    assert await peer.message() == (REJECT, bytes((0, 2, 3, 2)))
    await good_peer_is_served(door)
    for one in kept:
        one.close()


async def test_a_machine_that_is_no_partner_is_rejected(open_door):
    door = await open_door()
    peer = await door.connect()
    peer.send(request(calling="STRANGER"))
    assert await peer.message() == (REJECT, bytes((0, 1, 1, 3)))


async def test_an_operation_we_do_not_offer_is_answered_not_aborted(open_door):
    door = await open_door()
    peer = await door.associated()
    find = command.encode(
        {0x0002: CT.encode() + b"\0", 0x0100: b"\x20\0", 0x0110: b"\1\0", 0x0800: b"\x01\x01"}
    )
    peer.send(pdu.encode_fragment(1, find, is_command=True))
    assert await peer.status() == command.UNRECOGNISED_OPERATION
    peer.store(encoded(image()))
    assert await peer.status() == 0


async def test_a_peer_with_a_tiny_maximum_gets_small_pieces(open_door):
    door = await open_door()
    peer = await door.associated(max_pdu_bytes=70)
    peer.send(pdu.encode_fragment(1, store_command(uid="1." * 31 + "1"), is_command=True))
    peer.send(pdu.encode_fragment(1, b"x", is_command=False))
    kind, body = await peer.message()
    assert (kind, len(body) <= 70) == (4, True)


# On the real record ------------------------------------------------------------------------------


async def real(port):
    peer = Peer(*await asyncio.open_connection("127.0.0.1", port.number))
    peer.send(request())
    assert (await peer.message())[0] == 2
    return peer


@pytest.mark.parametrize(
    ("uid", "data", "status"),
    [
        ("../../../tmp/x", lambda: encoded(image()), 0xC000),
        ("1.2.3.5", lambda: encoded(image()), 0xA900),
        ("1.2.3.4", lambda: encoded(image(StudyInstanceUID=None)), 0xA900),
        ("1.2.3.4", lambda: encoded(image())[:-9], 0xC000),
        ("1.2.3.4", lambda: b"MZ" + b"\x90" * 200, 0xC000),
        ("1.2.3.4", lambda: encoded(image(Rows=65535, Columns=65535)), 0xC000),
        ("1.2.3.4", lambda: b"", 0xA900),
    ],
    ids=["path", "other UID", "no study", "cut", "program", "pixel flood", "empty"],
)
async def test_a_refused_image_leaves_nothing_and_the_association_goes_on(port, uid, data, status):
    peer = await real(port)
    content = data()
    if content:
        peer.store(content, uid)
    else:
        peer.send(pdu.encode_fragment(1, store_command(uid), is_command=True))
        peer.send(pdu.encode_fragment(1, b"", is_command=False))
    assert await peer.status() == status
    assert await port.instances() == []
    peer.store(encoded(image(SOPInstanceUID="1.2.3.77")), "1.2.3.77")
    assert await peer.status() == 0
    peer.close()
    assert len(await port.instances()) == 1
    assert not [path for path in Path(port.services.home).rglob("*") if "passwd" in path.name]


async def test_a_quarantine_partner_may_send_names_that_break_the_rules(services, run_port):
    async with run_port() as port:
        async with services.database.transaction() as tx:
            await tx.execute("update imaging.partner set quarantine = true")
        await asyncio.sleep(5.5)
        data = image()
        data["SOPInstanceUID"]._value = "1.2.CT/4"
        peer = await real(port)
        peer.store(encoded(data), "1.2.CT/4")
        assert await peer.status() == 0
        [row] = await port.instances()
        assert row["given_uid"] == "1.2.CT/4"
        assert row["sop_uid"].startswith("2.25.")
        assert await port.stored(row) == encoded(data)
        peer.close()


async def test_a_full_disk_is_said_and_nothing_is_lost(port, monkeypatch):
    async def full(*_args, **_how):
        raise OSError(28, "No space left on device")

    peer = await real(port)
    with monkeypatch.context() as patched:
        patched.setattr(type(port.services.blobs), "put", full)
        peer.store(encoded(image()))
        assert await peer.status() == 0xA700
    assert await port.instances() == []
    peer.store(encoded(image()))
    assert await peer.status() == 0
    peer.close()
