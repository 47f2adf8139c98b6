"""Is each sender told exactly what became of its message, and is nothing applied twice?"""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liane.gateways.hl7v2 import answers, batches, codec
from liane.gateways.hl7v2.answers import Event, State
from liane.gateways.hl7v2.partners import LOOPBACK, Partner, recognise, save

from .conftest import code
from .messages import adt, msh, oru, pid


@pytest.mark.unit
@given(st.lists(st.sampled_from(list(Event)), max_size=12))
def test_no_sequence_leaves_the_table_silently(events):
    state = State.NEW
    for event in events:
        if (state, event) not in answers.RULES:
            with pytest.raises(answers.NoSuchStepError, match=f"{state} message .* {event}"):
                answers.step(state, event)
            continue
        line = answers.step(state, event)
        assert line.original in {None, "AA", "AE", "AR"}
        assert line.accept in {None, "CA", "CE", "CR"}
        state = line.state
    assert state in State


@pytest.mark.unit
def test_whatever_is_kept_can_be_replayed_and_what_is_applied_is_answered_aa():
    for state in (State.APPLIED, State.KEPT, State.HELD, State.FAILED):
        assert answers.step(state, Event.REPLAYED).state is State.PENDING
    assert answers.original_answer(State.PENDING, Event.APPLIED) == "AA"
    assert answers.original_answer(State.PENDING, Event.NOT_INTERPRETED) == "AA"
    assert answers.original_answer(State.PENDING, Event.FAILED) == "AE"
    assert answers.original_answer(State.NEW, Event.NOT_ALLOWED) == "AR"
    assert "pending --> applied" in answers.diagram()


@pytest.mark.unit
@pytest.mark.parametrize(
    ("condition", "code_", "wanted"),
    [
        ("AL", "AA", True),
        ("NE", "AA", False),
        ("ER", "AA", False),
        ("ER", "AE", True),
        ("SU", "CA", True),
        ("SU", "AE", False),
    ],
)
def test_enhanced_conditions(condition, code_, wanted):
    assert answers.wanted(condition, code_) is wanted


async def test_the_same_message_again_is_answered_as_before_and_changes_nothing(running):
    async with running.client() as sender:
        first = await sender.send(adt("A01", "d1", key="M1"))
        again = await sender.send(adt("A01", "d1", key="M1"))
    assert again.raw == first.raw
    assert len(await running.rows()) == 1
    [encounter] = await running.resources("Encounter")
    assert encounter["meta"]["versionId"] == "1"


async def test_the_same_number_with_other_bytes_is_applied_and_flagged(running):
    async with running.client() as sender:
        await sender.send(oru("d1", value="4.2"))
        assert code(await sender.send(oru("d1", value="4.3", status="C"))) == "AA"
    first, second = await running.rows()
    assert "control-id-reused" not in first["flags"]
    assert "control-id-reused" in second["flags"]
    [observation] = await running.resources("Observation")
    assert str(observation["valueQuantity"]["value"]) == "4.3"
    assert observation["status"] == "corrected"


async def test_the_same_message_on_two_lines_at_once_is_applied_once(running):
    async with running.client() as one, running.client() as two:
        answers_ = await asyncio.gather(one.send(oru("d1")), two.send(oru("d1")))
    assert [code(a) for a in answers_] == ["AA", "AA"]
    assert len(await running.rows()) == 1
    [observation] = await running.resources("Observation")
    assert observation["meta"]["versionId"] == "1"


async def test_an_event_we_do_not_interpret_is_kept_and_answered_aa(running):
    message = msh("DFT^P03", "u1") + "\r" + pid() + "\r"
    async with running.client() as sender:
        assert code(await sender.send(message)) == "AA"
    [row] = await running.rows()
    assert (row["state"], row["reason_code"]) == ("kept", "not-interpreted")
    assert "conservé" in row["reason_fr"]
    assert await running.resources("Patient") == []


async def test_an_acknowledgement_is_kept_and_never_answered(running):
    async with running.client() as sender:
        await sender.post(msh("ACK^A01", "k1") + "\rMSA|AA|77\r")
        # The first answer that comes back is that of the message which followed.
        told = await sender.send(msh("DFT^P03", "k2") + "\r" + pid() + "\r")
        assert told.segment("MSA").get(2) == "k2"
    states = {row["control_id"]: row["state"] for row in await running.rows()}
    assert states == {"k1": "answer", "k2": "kept"}


async def test_no_pid_where_one_is_needed_is_answered_ae_in_words(running):
    async with running.client() as sender:
        ack = await sender.send(msh("ORU^R01", "n1") + "\rOBR|1||F1|X^Y\r")
    assert code(ack) == "AE"
    error = ack.segment("ERR")
    assert (error.get(3), error.get(4)) == ("100", "E")
    assert "PID" in error.whole(8)
    [row] = await running.rows()
    assert (row["state"], row["reason_code"]) == ("failed", "hl7v2.no-pid")


async def test_an_old_version_gets_the_words_in_msa(running):
    async with running.client() as sender:
        ack = await sender.send("MSH|^~\\&|SIL|CHU|||20260301||ORU^R01|1|P|2.3\rOBX|1|NM|a||1\r")
    assert "patient" in ack.segment("MSA").get(3)


async def test_a_batch_gets_one_answer_with_an_acknowledgement_for_each_message(running):
    batch = (
        "FHS|^~\\&|SIL|CHU\rBHS|^~\\&|SIL|CHU\r"
        + oru("b1", order="A")
        + oru("b2", order="B")
        + "BTS|2\rFTS|1\r"
    )
    async with running.client() as sender:
        await sender.post(batch)
        told = batches.split(await sender.answer())
    assert [codec.parse(m).segment("MSA").get(2) for m in told.messages] == ["b1", "b2"]
    assert told.is_batch
    rows = await running.rows()
    assert len({row["batch"] for row in rows}) == 1
    assert rows[0]["batch"]


async def test_two_messages_in_one_frame_are_both_applied(running):
    async with running.client() as sender:
        await sender.post(oru("t1", order="A") + oru("t2", order="B"))
        told = batches.split(await sender.answer())
    assert [code(codec.parse(m)) for m in told.messages] == ["AA", "AA"]


async def test_original_mode_answers_whatever_msh_15_and_16_say(running):
    message = oru("o1").replace("^FRA^2.11|||||FRA", "^FRA^2.11|||NE|NE|FRA")
    async with running.client() as sender:
        assert code(await sender.send(message)) == "AA"


async def test_enhanced_mode_says_safe_first_and_then_what_became_of_it(running):
    async with running.database.transaction() as tx:
        await save(tx, dataclasses.replace(LOOPBACK, enhanced=True))
    await running.gateway.directory.refresh()
    async with running.client() as sender:
        asked = oru("e1").replace("^FRA^2.11|||||FRA", "^FRA^2.11|||AL|AL|FRA")
        assert code(await sender.send(asked)) == "CA"
        assert code(codec.parse(await sender.answer())) == "AA"
        errors_only = oru("e2", order="Z").replace("^FRA^2.11|||||FRA", "^FRA^2.11|||AL|ER|FRA")
        assert code(await sender.send(errors_only)) == "CA"
        plain = oru("e3", order="Y")
        assert code(await sender.send(plain)) == "AA"


@pytest.mark.unit
def test_senders_are_known_by_certificate_address_and_application():
    labo = Partner("labo", "Labo", addresses=("10.0.0.0/8",), applications=("SIL",))
    any_ = Partner("any", "Tous", addresses=("10.0.0.5",))
    card = Partner("card", "Carte", certificates=("ab" * 32,), addresses=("10.0.0.5",))
    known = (labo, any_, card)
    assert recognise(known, "10.0.0.5", "", "SIL").partner is labo
    assert recognise(known, "10.0.0.5", "", "AUTRE").partner is any_
    assert recognise(known, "10.0.0.5", "ab" * 32, "AUTRE").partner is card
    assert recognise(known, "10.9.9.9", "", "AUTRE").code == "application-unknown"
    assert recognise(known, "192.168.0.1", "", "SIL").code == "sender-unknown"
    assert recognise(known, "::ffff:10.0.0.5", "", "SIL").partner is labo
    suspended = dataclasses.replace(any_, allowed=False)
    assert recognise((suspended,), "10.0.0.5", "", "X").code == "sender-suspended"
    assert recognise((Partner("n", "N"),), "10.0.0.5", "", "X").partner is None


async def test_an_unknown_sender_is_answered_ar_and_leaves_a_trace_but_no_effect(running):
    async with running.database.transaction() as tx:
        await save(tx, dataclasses.replace(LOOPBACK, addresses=("10.0.0.1",)))
    await running.gateway.directory.refresh()
    async with running.client() as sender:
        ack = await sender.send(adt("A01", "s1", key="M1"))
        assert (code(ack), ack.segment("MSA").get(2)) == ("AR", "s1")
        for n in range(40):
            assert code(await sender.send(adt("A01", f"s{n}", key="M1"))) == "AR"
    rows = await running.rows()
    assert {row["state"] for row in rows} == {"refused"}
    assert 1 <= len(rows) <= 20
    assert await running.resources("Patient") == []
    # Once declared, the very same message is applied: its refusal was not its fate.
    async with running.database.transaction() as tx:
        await save(tx, LOOPBACK)
    await running.gateway.directory.refresh()
    async with running.client() as sender:
        assert code(await sender.send(adt("A01", "s1", key="M1"))) == "AA"


async def test_a_number_used_for_somebody_else_waits_for_the_identity_staff(running):
    async with running.client() as sender:
        assert code(await sender.send(adt("A01", "i1", key="M1"))) == "AA"
        other = oru("i2").replace(pid(), pid(family="CORBEAU", birth="20010101"))
        ack = await sender.send(other)
    assert code(ack) == "AE"
    assert ack.segment("ERR").get(3) == "204"
    row = (await running.rows())[1]
    assert (row["state"], row["reason_code"]) == ("held", "hl7v2.patient-contradiction")
    assert await running.resources("Observation") == []
