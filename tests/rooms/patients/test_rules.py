"""Who is who, who looks like whom, and how a ward reads: the rules alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.rooms.patients.ward_people import NOW, person

from liane.rooms.patients.rules.board import beds_of, tiles_of, to_look_at
from liane.rooms.patients.rules.identity import (
    Traits,
    ins_key_is_right,
    is_protected,
    reconcile,
    status_of,
    traits_of,
)
from liane.rooms.patients.rules.likeness import PROBABLE_DUPLICATE, duplicate_score, look_alike
from liane.rooms.patients.rules.places import bed_label, place_of
from liane.rooms.patients.rules.review import may_be_validated, validated
from liane.rooms.patients.rules.values import PointOfCare
from liane.ui.services import TileFacts

pytestmark = pytest.mark.unit

JEANNE = Traits("DUBREUIL", "Jeanne", "1948-03-14", "female", "75056", "MOREL")
NAMESAKE = Traits("MOREL", "Jeanne", "1950-02-02", "female", "69123")


def key(matricule: str) -> str:
    number = int(matricule.replace("2A", "19").replace("2B", "18"))
    return f"{matricule}{97 - number % 97:02d}"


@pytest.mark.parametrize("matricule", ["2500275112345", "297022A020778", "190102B123456"])
def test_the_key_of_an_ins_is_checked_corsica_included(matricule) -> None:
    right = key(matricule)
    assert ins_key_is_right(right)
    wrong = right[:-2] + f"{(int(right[-2:]) + 1) % 97:02d}"
    assert not ins_key_is_right(wrong)
    assert not ins_key_is_right(matricule)


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (NAMESAKE, True),
        (Traits("DUBREUILLE", "Jane", "1990-01-01", "female"), True),
        (Traits("DUBREUIL", "Paul", "1948-03-14", "male"), True),
        (Traits("DUBREUIL", "Paul", "1970-01-01", "male"), False),
        (Traits("MARTIN", "Jeanne", "1948-03-14", "female"), False),
        (Traits("", "", "", ""), False),
    ],
)
def test_people_who_could_be_mistaken_for_one_another(other, alike) -> None:
    assert look_alike(JEANNE, other) is alike
    assert look_alike(other, JEANNE) is alike


def test_one_person_registered_twice_scores_high_and_twins_do_not() -> None:
    mistyped = Traits("DUBREUILLE", "Jeanne", "1948-03-14", "female", "75056")
    swapped = Traits("DUBREUIL", "Jeanne", "1948-04-13", "female", "75056")
    twin = Traits("DUBREUIL", "Marcelle", "1948-03-14", "female", "75056")
    assert duplicate_score(JEANNE, JEANNE) == 1.0
    assert duplicate_score(JEANNE, mistyped) >= PROBABLE_DUPLICATE
    assert duplicate_score(JEANNE, swapped) < 1.0
    assert duplicate_score(JEANNE, twin) < PROBABLE_DUPLICATE
    assert duplicate_score(JEANNE, NAMESAKE) < PROBABLE_DUPLICATE


@pytest.mark.parametrize("status", ["provisoire", "recuperee", "validee", "qualifiee"])
def test_a_qualified_identity_needs_an_ins(status) -> None:
    patient = reconcile(None, person(status=status)).patient
    assert status_of(patient) == ("validee" if status == "qualifiee" else status)
    qualified = reconcile(None, person(status=status, ins=key("2500275112345"))).patient
    assert status_of(qualified) == status


def test_accents_and_case_are_not_a_change_of_trait() -> None:
    known = {**reconcile(None, person(family="HÉLÈNE", status="validee")).patient, "id": "p"}
    after = reconcile(known, person(family="Helene"))
    assert not after.discrepancies
    assert after.status == "validee"


def test_a_status_never_falls_because_another_source_says_less() -> None:
    known = {**reconcile(None, person(status="validee")).patient, "id": "p"}
    assert reconcile(known, person(status="provisoire")).status == "validee"
    assert reconcile(known, person(status="provisoire"), same_source=True).status == "provisoire"


def test_a_trait_first_learnt_later_is_not_a_discrepancy() -> None:
    bare = person(status="validee")
    bare.pop("birthDate")
    known = {**reconcile(None, bare).patient, "id": "p"}
    after = reconcile(known, person())
    assert not after.discrepancies
    assert traits_of(after.patient).birth_date == "1950-02-02"


@pytest.mark.parametrize("code", ["R", "V"])
def test_a_restricted_label_protects(code) -> None:
    assert is_protected({"meta": {"security": [{"code": code}]}})
    assert not is_protected({"meta": {"security": [{"code": "N"}]}})


def test_validation_qualifies_only_with_an_ins_and_never_a_doubtful_identity() -> None:
    bare = {**reconcile(None, person()).patient, "id": "p"}
    assert status_of(validated(bare, "PA", "2026-03-02")) == "validee"
    known = {**reconcile(None, person(ins=key("2500275112345"))).patient, "id": "p"}
    assert status_of(validated(known, "PA", "2026-03-02")) == "qualifiee"
    doubt = {"url": "https://liane.example/fhir/identity-attribute", "valueCode": "douteuse"}
    assert may_be_validated(bare)
    assert not may_be_validated({**bare, "extension": [doubt]})
    assert not may_be_validated({k: v for k, v in bare.items() if k != "birthDate"})


def test_points_of_care_become_places_and_labels() -> None:
    point = PointOfCare("2101", "312", "1")
    assert place_of(point).unit == "uf-2101"
    assert place_of(point).ward == "loc-2101"
    assert place_of(point).bed == "loc-2101-312-1-lit"
    assert bed_label(point) == "312-1"
    assert bed_label(PointOfCare("2101", "312", "312-1")) == "312-1"
    assert place_of(PointOfCare("Chir É V", None, None)).unit == "uf-chir-e-v"
    assert place_of(PointOfCare(None, "1", "2")).unit is None


def row(patient, bed, **traits):
    told = {"family": "X", "given": "Y", "birth": "1950-01-01", "sex": "female"} | traits
    return {
        "encounter": f"e-{patient}", "patient": patient, "bed": bed, "room": "", "status": "in-progress",
        "starts": NOW, "since": NOW, "expected_end": None, "attending": "", "may_see": True,
        "birth_name": told["family"], "used_name": "", "given": told["given"], "used_given": "",
        "birth_date": told["birth"], "sex": told["sex"], "birth_place": "", "identity_status": "validee",
        "attributes": [], "protected": False, "deceased": False,
    } | {k: v for k, v in traits.items() if k in {"may_see", "expected_end", "status"}}  # fmt: skip


def bed(name, room, state="U"):
    return {"location": name, "room": room, "label": name, "state": state, "since": NOW, "note": ""}


BEDS = beds_of([bed("1-1", "1"), bed("1-2", "1"), bed("2", "2"), bed("3", "3", "K")])


def tiles(*rows, facts=None):
    return {(t.bed.label if t.bed else "-", t.person.id if t.person else ""): t
            for t in tiles_of(BEDS, rows, facts or {}, NOW)}  # fmt: skip


def test_an_isolated_patient_who_shares_a_room_is_flagged_on_both() -> None:
    facts = {"a": TileFacts(isolated=True)}
    shown = tiles(row("a", "1-1"), row("b", "1-2"), facts=facts)
    assert shown["1-1", "a"].exposed
    assert shown["1-2", "b"].beside_isolated
    alone = tiles(row("a", "2"), row("b", "1-2"), facts=facts)
    assert not alone["2", "a"].exposed


def test_two_patients_in_one_bed_are_both_shown_and_flagged() -> None:
    shown = tiles(row("a", "2"), row("b", "2"))
    assert shown["2", "a"].shared_bed
    assert shown["2", "b"].shared_bed


def test_a_patient_without_a_bed_is_never_left_out() -> None:
    shown = tiles(row("a", ""), row("b", "bed-of-another-unit"))
    assert {person for _, person in shown if person} == {"a", "b"}


def test_namesakes_are_flagged_on_both() -> None:
    shown = tiles(
        row("a", "1-1", family="MOREL", given="Jeanne"), row("b", "2", family="MOREL", given="Jean")
    )
    assert shown["1-1", "a"].namesakes[0].id == "b"
    assert shown["2", "b"].namesakes[0].id == "a"


def test_a_patient_whom_the_reader_may_not_see_takes_the_bed_without_a_name() -> None:
    tile = tiles(row("a", "2", may_see=False))["2", ""]
    assert tile.occupied
    assert tile.hidden
    assert tile.person is None


def test_those_who_ask_to_be_looked_at_come_by_score() -> None:
    facts = {
        "a": TileFacts(news2=5, news2_band="medium"),
        "b": TileFacts(news2=9, news2_band="high"),
        "c": TileFacts(news2=0, news2_band="none"),
        "d": TileFacts(unread=2),
    }
    shown = tiles(row("a", "1-1"), row("b", "1-2"), row("c", "2"), row("d", "3"), facts=facts)
    assert [t.person.id for t in to_look_at(list(shown.values()))] == ["b", "a", "d"]


def test_a_bed_to_clean_or_blocked_is_not_free() -> None:
    from liane.rooms.patients.rules.board import Board

    leaving = row("a", "1-1", expected_end=NOW + timedelta(minutes=1))
    board = Board("u", "U", tiles_of(BEDS, [leaving], {}, NOW), ())
    assert board.counts == {
        "present": 1, "free": 2, "cleaning": 1, "blocked": 0, "leaving": 1, "expected": 0,
    }  # fmt: skip
