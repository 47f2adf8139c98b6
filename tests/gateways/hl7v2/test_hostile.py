"""Does hostile input get a clear refusal, bounded memory, and leave other senders alone?

Case numbers are those of the project's attack catalogue (C7 injection, D7 parsers, E1 and E2
network).
"""

from __future__ import annotations

import asyncio
import dataclasses
import resource
import time

import pytest

from liane.gateways.hl7v2 import codec
from liane.gateways.hl7v2.line import Limits
from liane.gateways.hl7v2.mllp import frame
from liane.gateways.hl7v2.service import Gateway

from .conftest import Running, code
from .messages import adt, msh, oru, pid

QUICK = Limits(
    first_frame_seconds=0.5,
    inside_seconds=0.5,
    write_seconds=1.0,
    connections=40,
    connections_per_address=30,
)


@pytest.fixture
async def quick(services):
    gateway = Gateway(services, QUICK)
    port = await gateway.start("127.0.0.1", 0)
    yield Running(gateway, port, services)
    await gateway.stop()


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def test_d7a_a_gigabyte_without_end_is_refused_at_the_limit_with_flat_memory(running):
    before = peak_mib()
    sent = 0
    async with running.client() as hostile, running.client() as good:
        hostile.writer.write(b"\x0bMSH|^~\\&|A|B|C|D|20260301||ORU^R01|1|P|2.5\rOBX|1|ST|a||")
        chunk = b"x" * (1024 * 1024)
        try:
            while sent < 1024:
                hostile.writer.write(chunk)
                await asyncio.wait_for(hostile.writer.drain(), 10)
                sent += 1
                if sent == 8:
                    started = time.monotonic()
                    assert code(await good.send(adt("A01", "g1", key="M1"))) == "AA"
                    assert time.monotonic() - started < 1.0
        except (ConnectionError, TimeoutError):
            pass
        assert sent < 64
        assert code(await good.send(adt("A02", "g2", key="M2"))) == "AA"
    assert peak_mib() - before < 200
    refused = [row for row in await running.rows() if row["state"] == "refused"]
    assert [row["reason_code"] for row in refused] == ["hl7v2.too-large"]
    assert len(refused[0]["raw"]) <= 64 * 1024


async def test_d7b_a_million_repetitions_are_read_and_bounded(running):
    message = (
        msh("ORU^R01", "m1")
        + "\r"
        + pid().replace("^PI||", "^PI" + "~x" * 1_000_000 + "||")
        + "\rOBR|1||F1|A\rOBX|1|NM|a||1\r"
    )
    async with running.client() as sender, running.client() as good:
        started = time.monotonic()
        await sender.post(message)
        assert code(await good.send(adt("A01", "g1", key="M1"))) == "AA"
        assert time.monotonic() - started < 2.0
        ack = codec.parse(await sender.answer(60))
    assert (code(ack), ack.segment("ERR").get(3)) == ("AE", "102")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\r\r",
        b"MSH",
        b"MSH|",
        b"MSHxxxxxx",
        b"\x00" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
        b"MSH|^~\\&\r",
        "MSH|^~\\&|é".encode("utf-16"),
    ],
)
async def test_d7c_what_is_not_a_message_is_answered_ar(running, data):
    async with running.client() as sender:
        ack = await sender.send(data)
        assert code(ack) == "AR"
        assert code(await sender.send(adt("A01", "g1", key="M1"))) == "AA"


async def test_d7d_wrong_encodings_are_flagged_and_nothing_is_lost(running):
    wrong = adt("A01", "w1", key="M1").encode("latin-1")  # declares UTF-8
    async with running.client() as sender:
        assert code(await sender.send(wrong)) == "AA"
    [row] = await running.rows()
    assert {"charset-wrong", "charset-guessed"} <= set(row["flags"])
    assert bytes(row["raw"]) == wrong
    [patient] = await running.resources("Patient")
    assert patient["name"][0]["given"] == ["Zélie"]


async def test_d7f_five_thousand_results_do_not_hold_the_line_of_others(running):
    lines = "".join(
        f"OBX|{n}|NM|{n}-1^Analyse {n}^LN||{n % 90}.{n % 10}|mmol/L|3.5 - 5.1|N|||F|||20260301110000\r"
        for n in range(5000)
    )
    large = (
        msh("ORU^R01", "l1", app="SIL")
        + "\r"
        + pid()
        + f"\rORC|RE||L9^SIL\rOBR|1||L9^SIL|GRAND^Bilan^L|||20260301110000\r{lines}"
    )
    worst = 0.0
    ticks = []

    async def tick():
        while True:
            at = time.monotonic()
            await asyncio.sleep(0.005)
            ticks.append(time.monotonic() - at)

    ticking = asyncio.create_task(tick())
    async with running.client() as sender, running.client() as good:
        sending = asyncio.create_task(sender.send(large, 120))
        await asyncio.sleep(0.05)
        n = 0
        while not sending.done():
            n += 1
            at = time.monotonic()
            assert (
                code(await good.send(adt("A08", f"s{n}", venue="V2", patient=pid("80002")), 30))
                == "AA"
            )
            worst = max(worst, time.monotonic() - at)
        assert code(await sending) == "AA"
    ticking.cancel()
    assert len(await running.resources("Observation")) == 5000
    assert n > 3
    # Limits are generous because other work may share the processor; the benchmark measures.
    assert sorted(ticks)[int(len(ticks) * 0.95)] < 0.25
    assert worst < 10.0


@pytest.mark.parametrize(
    "text",
    [
        "a|b^c~d\\e&f",
        "MSH|^~\\&|X",
        "\\X0D\\PID|1||999",
        "<script>alert(1)</script>",
        "\u202etfel",
        "x\u200by",
    ],
)
async def test_c7_what_is_data_stays_data(running, text):
    from liane.gateways.hl7v2.escapes import STANDARD, escape

    message = oru("c1").replace("|NM|", "|ST|").replace("||4.2|", f"||{escape(text, STANDARD)}|")
    async with running.client() as sender:
        assert code(await sender.send(message)) == "AA"
    [observation] = await running.resources("Observation")
    visible = text.replace("\u202e", "").replace("\u200b", "")
    assert observation["valueString"] == visible
    assert len(await running.resources("Patient")) == 1


async def test_c7c_a_header_that_redefines_delimiters_is_honoured_or_refused_as_a_whole(running):
    honoured = adt("A01", "o1", key="M1").replace("|", "!")
    async with running.client() as sender:
        assert code(await sender.send(honoured)) == "AA"
        assert (
            code(await sender.send(adt("A01", "o2", key="M1").replace("^~\\&", "^^\\&", 1))) == "AR"
        )
    [patient] = await running.resources("Patient")
    assert patient["name"][0]["family"] == "HIRONDELLE"


async def test_c8e_a_nul_never_reaches_the_database(running):
    async with running.client() as sender:
        message = adt("A01", "z1", key="M1").replace("HIRONDELLE", "HIRON\0DELLE")
        assert code(await sender.send(message)) == "AA"
        assert (
            code(await sender.send(adt("A08", "z2").replace("HIRONDELLE", "HIRON\\X00\\DELLE")))
            == "AA"
        )
    [patient] = await running.resources("Patient")
    assert patient["name"][0]["family"] == "HIRONDELLE"


async def test_a_long_control_id_does_not_break_the_inbox(running):
    async with running.client() as sender:
        ack = await sender.send(adt("A01", "c" * 100_000, key="M1"))
    assert code(ack) == "AA"
    [row] = await running.rows()
    assert len(row["control_id"]) == 200


async def test_e1b_silent_connections_are_closed_and_a_good_sender_is_served(quick):
    silent = [await asyncio.open_connection("127.0.0.1", quick.port) for _ in range(30)]
    started = time.monotonic()
    async with quick.client() as good:
        assert code(await good.send(adt("A01", "g1", key="M1"))) == "AA"
    assert time.monotonic() - started < 1.0
    for reader, _ in silent:
        # End of file, or an abrupt close for those that made room.
        try:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        except ConnectionError:
            pass


async def test_e1b_a_trickling_sender_is_closed(quick):
    reader, writer = await asyncio.open_connection("127.0.0.1", quick.port)
    writer.write(b"\x0bMSH|")
    ended = asyncio.create_task(reader.read())
    started = time.monotonic()
    while not ended.done() and time.monotonic() - started < 10:
        try:
            writer.write(b"x")
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.sleep(0.1)
    assert time.monotonic() - started < 8
    [row] = await quick.rows()
    assert (row["state"], row["reason_code"]) == ("refused", "hl7v2.cut-short")


async def test_e2a_a_flood_is_slowed_and_every_message_answered_in_order(quick):
    async with quick.client() as flood, quick.client() as good:
        frames = b"".join(frame(oru(f"f{n}", order=f"L{n}").encode()) for n in range(150))
        writing = asyncio.create_task(_write(flood.writer, frames))
        assert (
            code(await good.send(adt("A01", "g1", venue="V9", key="M1", patient=pid("80009")), 30))
            == "AA"
        )
        told = [codec.parse(await flood.answer(60)).segment("MSA") for _ in range(150)]
        await writing
    assert [m.get(2) for m in told] == [f"f{n}" for n in range(150)]
    assert {m.get(1) for m in told} == {"AA"}


async def _write(writer, data):
    writer.write(data)
    await writer.drain()


async def test_e2c_a_sender_that_reads_no_answer_harms_nobody(quick):
    limits = dataclasses.replace(QUICK)
    assert limits.write_seconds == 1.0
    async with quick.client() as deaf, quick.client() as good:
        for n in range(60):
            deaf.writer.write(frame(oru(f"n{n}", order=f"N{n}").encode()))
        assert (
            code(await good.send(adt("A01", "g1", venue="V9", key="M1", patient=pid("80009")), 30))
            == "AA"
        )
    # What the deaf sender sent before it left is applied all the same.
    for _ in range(400):
        rows = await quick.rows()
        if {row["state"] for row in rows} == {"applied"}:
            break
        await asyncio.sleep(0.3)
    assert {row["state"] for row in rows} == {"applied"}
    assert not quick.gateway.reception.in_flight


async def test_a_message_cut_short_is_kept_as_proof_and_sent_again(quick):
    async with quick.client() as sender:
        await sender.post(b"")
        assert code(codec.parse(await sender.answer())) == "AR"
        sender.writer.write(b"\x0b" + adt("A01", "t1", key="M1").encode()[:120])
    await asyncio.sleep(0.3)
    rows = [row for row in await quick.rows() if row["reason_code"] == "hl7v2.cut-short"]
    assert len(rows) == 1
    async with quick.client() as sender:
        assert code(await sender.send(adt("A01", "t1", key="M1"))) == "AA"


async def test_an_endless_ed_value_that_is_not_base64_is_refused_in_words(running):
    message = (
        oru("x1").replace("|NM|", "|ED|").replace("||4.2|", "||^TEXT^PDF^Base64^!!pas du base64!!|")
    )
    async with running.client() as sender:
        ack = await sender.send(message)
    assert code(ack) == "AE"
    assert "base64" in ack.segment("ERR").whole(8)


@pytest.mark.parametrize(
    "evil",
    ['<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "<!DOCTYPE ClinicalDocument>"],
)
async def test_d1_a_cda_with_a_doctype_is_stored_as_bytes_and_never_parsed(running, evil):
    import base64

    cda = f'{evil}<ClinicalDocument xmlns="urn:hl7-org:v3"><title>&e;</title></ClinicalDocument>'
    data = base64.b64encode(cda.encode()).decode()
    message = oru("d1").replace("|NM|", "|ED|").replace("||4.2|", f"||^TEXT^XML^Base64^{data}|")
    async with running.client() as sender:
        assert code(await sender.send(message)) == "AA"
    [document] = await running.resources("DocumentReference")
    assert "root:" not in str(document)
