"""A stay reads the same whatever the order in which its movement messages came."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liane.rooms.patients.rules.movements import Fact, Stay, fact_of, history, implied_action
from liane.rooms.patients.rules.values import Attending, Identifier, Movement, Place

pytestmark = pytest.mark.unit

DAY = datetime(2026, 3, 2, tzinfo=UTC)
WARD_A, WARD_B = Place("uf-1", "loc-1", None, "bed-1"), Place("uf-2", "loc-2", None, "bed-2")


def fact(event, hour, *, key=None, action=None, place=None, said=None, **more) -> Fact:
    movement = Movement(
        patient_id="p",
        venue=Identifier("s", "v"),
        event=event,
        at=DAY + timedelta(hours=hour),
        message_at=DAY + timedelta(hours=said if said is not None else hour),
        source="GAM",
        key=key,
        action=action,
        **more,
    )
    return fact_of(movement, place)


def every_order(facts: list[Fact]) -> Stay:
    stays = {history(order) for order in itertools.permutations(facts)}
    assert len(stays) == 1
    return stays.pop()


def places(stay: Stay) -> list[tuple[str | None, float, float | None]]:
    def hours(at):
        return None if at is None else (at - DAY) / timedelta(hours=1)

    return [(s.place.bed, hours(s.start), hours(s.end)) for s in stay.segments]


def test_admission_transfer_and_discharge_make_one_history_in_any_order() -> None:
    stay = every_order(
        [
            fact("A01", 8, key="1", place=WARD_A),
            fact("A02", 12, key="2", place=WARD_B),
            fact("A03", 20, key="3"),
        ]
    )
    assert stay.status == "finished"
    assert places(stay) == [("bed-1", 8, 12), ("bed-2", 12, 20)]


def test_a_cancelled_transfer_leaves_the_patient_where_the_patient_was() -> None:
    stay = every_order(
        [
            fact("A01", 8, key="1", place=WARD_A),
            fact("A02", 12, key="2", place=WARD_B),
            fact("A12", 12, key="2", action="CANCEL", place=WARD_A, said=13),
        ]
    )
    assert (stay.status, places(stay)) == ("in-progress", [("bed-1", 8, None)])


def test_an_update_moves_a_past_movement() -> None:
    stay = every_order(
        [
            fact("A01", 8, key="1", place=WARD_A),
            fact("A02", 12, key="2", place=WARD_B),
            fact("Z99", 10, key="2", action="UPDATE", original_event="A02", place=WARD_B, said=14),
        ]
    )
    assert places(stay) == [("bed-1", 8, 10), ("bed-2", 10, None)]


def test_an_update_said_before_the_insert_it_follows_still_wins() -> None:
    early = fact("Z99", 10, key="2", action="UPDATE", original_event="A02", place=WARD_B, said=14)
    stay = history([early, fact("A01", 8, key="1", place=WARD_A)])
    assert places(stay)[-1] == ("bed-2", 10, None)


def test_a_cancel_of_the_middle_movement_joins_its_neighbours() -> None:
    stay = every_order(
        [
            fact("A01", 8, key="1", place=WARD_A),
            fact("A02", 10, key="2", place=WARD_B),
            fact("A02", 12, key="3", place=WARD_A),
            fact("A12", 10, key="2", action="CANCEL", said=15),
        ]
    )
    assert places(stay) == [("bed-1", 8, None)]


def test_a_cancelled_discharge_reopens_the_stay() -> None:
    stay = every_order(
        [
            fact("A01", 8, key="1", place=WARD_A),
            fact("A03", 12, key="2"),
            fact("A13", 12, key="2", action="CANCEL", said=13),
        ]
    )
    assert (stay.status, stay.end) == ("in-progress", None)


def test_a_cancelled_admission_calls_the_stay_off_with_its_transfers() -> None:
    stay = every_order(
        [
            fact("A01", 8, key="1", place=WARD_A),
            fact("A02", 10, key="2", place=WARD_B),
            fact("A11", 8, key="1", action="CANCEL", said=11),
        ]
    )
    assert stay.status == "cancelled"
    assert not stay.segments
    assert not stay.present


def test_an_announced_patient_is_expected_then_present_then_expected_again() -> None:
    announced = fact("A05", 30, key="1", place=WARD_A, said=1)
    admitted = fact("A01", 8, key="2", place=WARD_A)
    taken_back = fact("A11", 8, key="2", action="CANCEL", said=9)
    assert history([announced]).expected
    assert every_order([announced, admitted]).present
    stay = every_order([announced, admitted, taken_back])
    assert stay.expected
    assert stay.expected_start == DAY + timedelta(hours=30)
    assert every_order([announced, fact("A38", 30, key="1", said=2)]).status == "cancelled"


def test_leave_and_return() -> None:
    admitted, leave = fact("A01", 8, key="1", place=WARD_A), fact("A21", 10, key="2")
    back = fact("A22", 14, key="3", place=WARD_A)
    assert every_order([admitted, leave]).status == "onleave"
    assert every_order([admitted, leave, back]).status == "in-progress"
    assert (
        every_order([admitted, leave, back, fact("A53", 14, key="3", said=15)]).status == "onleave"
    )
    assert every_order([admitted, leave, fact("A52", 10, key="2", said=11)]).status == "in-progress"


def test_class_and_attending_follow_the_last_movement_that_says_them() -> None:
    first, second = Attending("1", "Dr Un"), Attending("2", "Dr Deux")
    stay = every_order(
        [
            fact("A04", 8, key="1", place=WARD_A, encounter_class="EMER", attending=first),
            fact("A06", 10, key="2", place=WARD_B),
            fact("A54", 11, key="3", attending=second),
        ]
    )
    assert (stay.encounter_class, stay.attending) == ("IMP", second)
    taken_back = fact("A55", 11, key="3", said=12, action="CANCEL")
    stay = history(
        [
            fact("A04", 8, key="1", attending=first),
            fact("A54", 11, key="3", attending=second),
            taken_back,
        ]
    )
    assert stay.attending == first


def test_a_sender_without_movement_identifiers_is_understood() -> None:
    stay = every_order(
        [
            fact("A01", 8, place=WARD_A),
            fact("A02", 10, place=WARD_B),
            fact("A12", 11),
            fact("A03", 15),
        ]
    )
    assert (stay.status, places(stay)) == ("finished", [("bed-1", 8, 15)])
    assert every_order([fact("A01", 8, place=WARD_A), fact("A11", 9)]).status == "cancelled"


def test_a_cancel_alone_waits_for_its_movement() -> None:
    stay = history([fact("A11", 8, key="1", action="CANCEL", said=9)])
    assert (stay.status, stay.anomalies) == ("cancelled", ("cancel-before-insert",))
    stay = every_order(
        [fact("A11", 8, key="1", action="CANCEL", said=9), fact("A01", 8, key="1", place=WARD_A)]
    )
    assert (stay.status, stay.anomalies) == ("cancelled", ())


def test_a_movement_after_the_discharge_is_told_and_not_drawn() -> None:
    stay = every_order(
        [
            fact("A01", 8, key="1", place=WARD_A),
            fact("A03", 9, key="2"),
            fact("A02", 12, key="3", place=WARD_B),
        ]
    )
    assert stay.anomalies == ("movement-after-discharge",)
    assert places(stay) == [("bed-1", 8, 9)]


def test_a_mere_update_of_the_file_does_not_make_a_patient_present() -> None:
    assert history([fact("A08", 8, place=WARD_A)]).status == "unknown"


EVENTS = [
    "A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A11", "A12", "A13", "A21", "A22",
    "A38", "A52", "A53", "A54", "A55", "Z99",
]  # fmt: skip


@st.composite
def received(draw) -> Fact:
    event = draw(st.sampled_from(EVENTS))
    return fact(
        event,
        draw(st.integers(0, 6)),
        key=draw(st.sampled_from([None, "1", "2", "3"])),
        action=draw(st.sampled_from(["INSERT", "UPDATE", "CANCEL", implied_action(event)])),
        place=draw(st.sampled_from([None, WARD_A, WARD_B])),
        said=draw(st.integers(0, 6)),
        original_event=draw(st.sampled_from([None, "A01", "A02"])),
        attending=draw(st.sampled_from([None, Attending("1"), Attending("2")])),
        encounter_class=draw(st.sampled_from([None, "IMP", "EMER"])),
    )


@given(st.lists(received(), max_size=9), st.randoms())
@settings(max_examples=400, deadline=None)
def test_any_order_and_any_repetition_give_the_same_stay(
    facts: list[Fact], chance: random.Random
) -> None:
    told = history(facts)
    shuffled = facts + chance.sample(facts, k=len(facts) // 2)
    chance.shuffle(shuffled)
    assert history(shuffled) == told


@given(st.lists(received(), max_size=9))
@settings(max_examples=300, deadline=None)
def test_segments_never_overlap_and_end_with_the_stay(facts: list[Fact]) -> None:
    stay = history(facts)
    for earlier, later in itertools.pairwise(stay.segments):
        assert earlier.end == later.start
        assert earlier.start < later.start
    if stay.segments:
        assert stay.segments[-1].end == stay.end
    assert stay.present == (stay.status in {"in-progress", "onleave"})
