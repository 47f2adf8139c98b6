"""The values of the demonstration: plausible, correlated, the same each time."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from liane.demo.course import analyte, illness, laboratory_value
from liane.demo.people import present
from liane.demo.signs import Signs, news2, signs_at
from liane.demo.tables import table

pytestmark = pytest.mark.unit
TODAY = date(2026, 11, 22)
LIMITS = {"potassium": (1.8, 8.5), "sodium": (110, 165), "hemoglobin": (4, 21), "ph": (6.9, 7.7),
          "creatinine": (15, 900), "crp": (0, 520), "platelets": (4, 900), "glucose": (1.5, 45)}  # fmt: skip


@pytest.mark.parametrize("key", sorted(table("analytes")))
def test_no_value_leaves_what_a_living_person_can_have(key):
    low, high = LIMITS.get(key, (0, 40_000))
    for person in present(TODAY)[::7]:
        assert person.stay is not None
        for hours in (0.5, 12, 30, 70, 150):
            value = laboratory_value(person, person.stay.story, key, hours)
            assert low <= value <= high, (person.id, person.stay.story, hours, value)


def test_the_crp_of_a_resolving_infection_follows_and_falls():
    people = [
        one
        for one in present(TODAY)
        if one.stay and one.stay.story == "pneumopathie" and one.number > 25
    ]
    assert people
    for person in people:
        first, late = (laboratory_value(person, "pneumopathie", "crp", hour) for hour in (6, 140))
        assert late < first / 2


def test_the_creatinine_of_a_kidney_injury_is_high_while_potassium_is_high():
    people = [
        one
        for one in present(TODAY)
        if one.stay and one.number > 25 and one.stay.story == "insuffisance_renale_aigue"
    ]
    for person in people:
        assert laboratory_value(person, "insuffisance_renale_aigue", "creatinine", 5) > 200
        assert laboratory_value(person, "insuffisance_renale_aigue", "potassium", 5) > 4.6


def test_two_samples_a_few_minutes_apart_resemble_one_another():
    for person in present(TODAY)[30::40]:
        assert person.stay is not None
        before, after = (
            laboratory_value(person, person.stay.story, "sodium", hours) for hours in (20, 20.2)
        )
        assert abs(before - after) < 1


def test_the_flag_and_the_decimals_are_those_of_the_laboratory():
    potassium = analyte("potassium", "F")
    assert [potassium.flag(v) for v in (2.7, 3.4, 4.0, 5.2, 6.0)] == ["LL", "L", "N", "H", "HH"]
    assert potassium.written(4) == "4.0"
    assert (analyte("hemoglobin", "F").low, analyte("hemoglobin", "M").low) == (11.5, 13.0)


def test_the_stay_of_the_sketch_reads_as_drawn():
    jeanne = present(TODAY)[12]
    hours = table("dubreuil")["labs"]["hours"]
    values = [laboratory_value(jeanne, "sepsis_urinaire", "crp", hour) for hour in hours]
    assert values == [96, 82, 54, 41, 48, 184]
    scores = [
        news2(signs_at(jeanne, "sepsis_urinaire", row[0])) for row in table("dubreuil")["signs"]
    ]
    assert scores == [6, 5, 4, 3, 2, 1, 1, 2, 1, 1, 2, 2, 1, 2, 4, 6, 7, 8, 11]


def test_the_scores_of_the_ward_are_those_of_their_values():
    for person, row in zip(present(TODAY), table("ward_2101")["bed"], strict=False):
        assert person.stay is not None
        signs = signs_at(person, person.stay.story, person.stay.hours)
        assert news2(signs, scale_2="spo2-echelle-2" in person.flags) == row["news2"]


@settings(deadline=None)
@given(
    some.integers(4, 40), some.integers(70, 100), some.sampled_from([0.0, 2.0]),
    some.decimals(33, 42, places=1), some.integers(60, 240), some.integers(30, 180),
    some.sampled_from("ACVPU"), some.booleans(),
)  # fmt: skip
def test_our_score_is_the_one_the_platform_computes(rr, spo2, o2, temp, sys, hr, mind, scale):
    from decimal import Decimal

    from liane.rooms.record import news2 as platform

    theirs = platform.score(
        platform.Signs(
            respiration=Decimal(rr), saturation=Decimal(spo2), oxygen=o2 > 0,
            systolic=Decimal(sys), pulse=Decimal(hr), consciousness=mind, temperature=temp,
        ),
        2 if scale else 1,
    )  # fmt: skip
    ours = news2(Signs(rr, spo2, o2, float(temp), sys, 70, hr, mind), scale_2=scale)
    assert ours == theirs.total


@settings(deadline=None)
@given(some.floats(-10, 1000), some.sampled_from(sorted(table("stories")["story"])))
def test_illness_stays_between_none_and_full(hours, story):
    assert 0 <= illness(story, hours) <= 1
