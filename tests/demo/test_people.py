"""Who lives in the demonstration hospital: invented, plausible, always the same."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from stdnum.fr import nir

from liane.demo.group import units, wards
from liane.demo.identity import ins_number
from liane.demo.people import Person, population, present
from liane.demo.staff import accounts, staff

pytestmark = pytest.mark.unit
TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def everybody() -> tuple[Person, ...]:
    return population(TODAY)


def test_two_thousand_people_of_whom_four_hundred_are_in_a_bed_of_their_own(everybody):
    here = present(TODAY)
    beds = [person.stay.bed.location_id for person in here if person.stay]
    assert (len(everybody), len(here), len(set(beds))) == (2000, 400, 400)


def test_the_same_seed_gives_the_same_people(everybody):
    population.cache_clear()
    assert population(TODAY) == everybody


def test_every_national_number_has_its_right_key_and_the_traits_of_its_person(everybody):
    known = [person for person in everybody if person.ins]
    assert len(known) > 1500
    for person in known:
        assert nir.is_valid(person.ins), person.ins
        assert person.ins[0] == ("1" if person.sex == "M" else "2")
        assert person.ins[1:5] == f"{person.birth:%y%m}"
        assert person.ins[5:10] == person.place.cog
    assert len({person.ins for person in known}) == len(known)


def test_the_key_of_a_corsican_number_counts_2a_as_19_and_2b_as_18():
    assert ins_number("F", date(1948, 3, 14), "2A004", 21).endswith(
        f"{97 - 2480319004021 % 97:02d}"
    )
    assert nir.is_valid(ins_number("M", date(1970, 1, 1), "2B033", 7))


def test_only_qualified_and_retrieved_identities_carry_a_national_number(everybody):
    for person in everybody:
        assert bool(person.ins) == (person.status in {"qualifiee", "recuperee"})


def test_every_state_that_screens_must_show_is_there(everybody):
    statuses = Counter(person.status for person in everybody)
    assert set(statuses) == {"qualifiee", "validee", "recuperee", "provisoire"}
    attributes = {name for person in everybody for name in person.attributes}
    assert attributes >= {"homonyme", "douteuse", "fictive"}
    assert any(person.protected and person.stay for person in everybody)
    here = present(TODAY)
    assert any(person.allergies is None for person in here)
    assert any(person.allergies == () for person in here)
    listed = [one for person in here for one in person.allergies or ()]
    assert {one.confirmed for one in listed} == {True, False}
    assert any("'" in person.family for person in everybody)
    assert max(len(person.family) for person in everybody) > 50
    assert any(person.used_family for person in here)


def test_numbers_given_by_one_establishment_are_never_given_twice(everybody):
    numbers = Counter(pair for person in everybody for pair in person.patient_numbers)
    assert set(numbers.values()) == {1}


def test_the_ward_of_the_sketch_has_28_beds_25_people_and_its_two_namesakes():
    unit = units()["2101"]
    here = [person for person in present(TODAY) if person.stay and person.stay.unit is unit]
    assert (len(unit.beds), len(here)) == (28, 25)
    by_bed = {person.stay.bed.label: person for person in here if person.stay}
    jeanne = by_bed["312-1"]
    assert (jeanne.family, jeanne.used_family, jeanne.first_name) == ("DUBREUIL", "MOREL", "Jeanne")
    assert jeanne.ipps == {"chu": "0004812337"}
    assert (by_bed["320"].family, by_bed["320"].first_name) == ("MOREL", "Jeanne")
    assert {"303", "307", "312-2"}.isdisjoint(by_bed)


def test_people_lie_where_their_age_and_sex_belong():
    for person in present(TODAY):
        assert person.stay is not None
        unit = person.stay.unit
        assert unit.sex in {None, person.sex}
        low, high = unit.ages or (16, 110)
        assert low - 1 <= person.age(TODAY) <= high + 1, (unit.name, person.birth)


def test_no_ward_is_fuller_than_its_beds():
    for unit in wards():
        assert unit.filled <= len(unit.beds)


def test_about_two_hundred_colleagues_each_with_a_login_of_their_own():
    assert 190 <= len(staff()) <= 240
    assert len({one.login for one in staff()}) == len(staff())
    roles = {one.role for one in accounts()}
    assert roles >= {
        "ide", "as", "medecin", "interne", "pharmacien", "cadre", "secretaire", "biologiste",
        "radiologue", "anesthesiste", "hygiene", "dsi", "dpo", "rssi",
    }  # fmt: skip
    assert {"claire.renard", "nadia.haddad", "dsi"} <= {one.login for one in accounts()}


def test_every_role_of_the_staff_is_one_that_the_gate_knows():
    from liane.access.policy import POLICY

    assert {one.role for one in staff()} <= set(POLICY)
