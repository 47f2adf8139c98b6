"""Handing over: nothing lost, nothing changed between two tries, whatever breaks."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from liane.demo.chance import chance
from liane.demo.happenings import (
    blood_sample,
    end_of_stage,
    housekeeping,
    movement,
    round_of_signs,
)
from liane.demo.hospital import Hospital
from liane.demo.ledger import Ledger, Parcel
from liane.demo.load import LoadOrder, _parcels
from liane.demo.mllp import END, START, MllpLine
from liane.demo.people import population

NOW = datetime(2026, 11, 22, 2, 12, tzinfo=UTC)
MESSAGE = b"MSH|^~\\&|GAM|CHU|LIANE|GHT|20261122||ADT^A01|C42|D|2.5\r"


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path / "x.ledger")
    yield made
    made.close()


async def serve(behaviour):
    """A peer that reads whole frames; `behaviour(number, frame)` gives the bytes to answer or
    None to hang up."""
    frames = []

    async def talk(reader, writer):
        try:
            while True:
                frame = await reader.readuntil(END)
                frames.append(frame)
                answer = behaviour(len(frames), frame)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1], frames


def ack(code, control_id="C42"):
    return START + f"MSH|^~\\&|LIANE|GHT\rMSA|{code}|{control_id}\r".encode() + END


async def test_a_message_is_sent_again_unchanged_until_it_is_answered():
    server, port, frames = await serve(lambda number, _: None if number < 3 else ack("AA"))
    line = MllpLine("127.0.0.1", port)
    answer = await line.send(MESSAGE, patience_seconds=10)
    await line.close()
    server.close()
    assert (answer.code, line.repeated) == ("AA", 2)
    assert frames == [START + MESSAGE + END] * 3


async def test_an_answer_to_another_message_is_not_taken_for_ours():
    server, port, _ = await serve(lambda n, _: ack("AA", "OTHER") if n == 1 else ack("AE"))
    line = MllpLine("127.0.0.1", port)
    assert (await line.send(MESSAGE, patience_seconds=10)).code == "AE"
    await line.close()
    server.close()


async def test_patience_ends_when_nobody_answers(unused_tcp_port_of_ours):
    line = MllpLine("127.0.0.1", unused_tcp_port_of_ours)
    with pytest.raises(TimeoutError):
        await line.send(MESSAGE, patience_seconds=0.5)


@pytest.fixture
async def unused_tcp_port_of_ours():
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    return port


def test_what_was_promised_and_not_answered_is_handed_over_again(ledger, tmp_path):
    ledger.promise([Parcel("A", "hl7", "p1", b"one"), Parcel("B", "hl7", "p1", b"two")])
    ledger.answered("A", "AA")
    ledger.close()
    again = Ledger(tmp_path / "x.ledger")
    assert [(one.control_id, one.payload) for one in again.waiting()] == [("B", b"two")]
    lines = {line.control_id: line for line in again.lines()}
    assert (lines["A"].code, lines["B"].code) == ("AA", None)
    assert len(lines["A"].sha256) == 64


def test_the_hospital_is_the_same_after_it_was_written_down(ledger):
    people = population(NOW.date())
    hospital = Hospital.at_the_start(people, NOW)
    draw = chance("test")
    hospital.hours = 3.0
    lodger = hospital.lodgers[100]
    parcels = blood_sample(hospital, lodger, draw, NOW)
    parcels += end_of_stage(hospital, hospital.lodgers[120], draw, NOW)
    ledger.promise(parcels, hospital.changes())
    again = Hospital.from_state(people, ledger.states())
    assert again.lodgers == hospital.lodgers
    assert (again.hours, again.count) == (hospital.hours, hospital.count)
    assert hospital.changes().keys() == {"clock"}


def test_nobody_lies_in_a_bed_that_is_taken():
    hospital = Hospital.at_the_start(population(NOW.date()), NOW)
    draw = chance("full")
    from liane.demo.happenings import emergency_arrival, planned_arrival

    for _ in range(200):
        emergency_arrival(hospital, draw, NOW)
        planned_arrival(hospital, draw, NOW)
    beds = [one.bed for one in hospital.lodgers.values() if one.bed]
    assert len(beds) == len(set(beds))


def test_every_happening_has_a_number_of_its_own_and_expects_what_it_says():
    hospital = Hospital.at_the_start(population(NOW.date()), NOW)
    draw = chance("numbers")
    seen = []
    for number in range(60, 110):
        lodger = hospital.lodgers[number]
        seen += blood_sample(hospital, lodger, draw, NOW)
        seen += round_of_signs(hospital, hospital.lodgers[number], draw, NOW)
    ids = [one.control_id for one in seen]
    assert len(ids) == len(set(ids))
    reports = [one for one in seen if one.expects.get("what") == "report"]
    assert all(one.expects["values"] for one in reports)
    leaving = hospital.lodgers[200]
    move = hospital.leave(leaving, NOW)
    told = movement(hospital, hospital.people[200], move, NOW).expects
    assert (told["event"], told["action"]) == ("A03", "INSERT")
    assert 200 not in hospital.lodgers


def test_a_load_order_shares_people_among_connections_and_never_repeats_a_number():
    lanes = _parcels(NOW, LoadOrder(100, 4, 2), "0000001")
    ids = [one.control_id for lane in lanes for one in lane]
    assert len(ids) == len(set(ids)) == 200
    people = [{one.lane for one in lane} for lane in lanes]
    for index, first in enumerate(people):
        assert all(first.isdisjoint(other) for other in people[index + 1 :])


def test_a_bed_that_was_left_is_cleaned_before_anybody_lies_in_it_again(ledger):
    people = population(NOW.date())
    hospital = Hospital.at_the_start(people, NOW)
    lodger = hospital.lodgers[100]
    unit, bed = lodger.place
    hospital.leave(lodger, NOW)
    assert bed not in hospital.free_beds(unit)
    ledger.promise([], hospital.changes())
    assert Hospital.from_state(people, ledger.states()).dirty == hospital.dirty
    states = []
    for _ in range(40):
        hospital.hours += 0.1
        for parcel in housekeeping(hospital):
            [resource] = json.loads(parcel.payload)
            assert resource["id"] == lodger.bed
            states.append(resource["operationalStatus"]["code"])
    assert states == ["H", "U"]
    assert bed in hospital.free_beds(unit)


def test_a_movement_taken_back_leaves_the_other_bed_to_clean():
    hospital = Hospital.at_the_start(population(NOW.date()), NOW)
    lodger = hospital.lodgers[100]
    unit, _ = lodger.place
    other = hospital.free_beds(unit)[0]
    hospital.transfer(lodger, unit, other, NOW)
    hospital.put_back(lodger)
    assert hospital.dirty.keys() == {other.location_id}
    assert hospital.lodgers[100].bed == lodger.bed


async def test_a_message_that_was_kept_and_not_applied_is_sent_again(monkeypatch):
    monkeypatch.setattr("liane.demo.mllp.AE_PAUSES_SECONDS", (0.01, 0.01))
    server, port, frames = await serve(lambda number, _: ack("AE" if number < 3 else "AA"))
    line = MllpLine("127.0.0.1", port)
    assert (await line.send_until_applied(MESSAGE)).code == "AA"
    await line.close()
    server.close()
    assert frames == [START + MESSAGE + END] * 3
