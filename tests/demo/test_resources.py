"""The FHIR resources of the demonstration, judged by the platform's own validation."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from liane.demo.care_resources import stay_resources
from liane.demo.marker import marker, read_marker
from liane.demo.people import population, present
from liane.demo.person_resources import person_resources
from liane.demo.resources import instant
from liane.demo.structure_resources import colleagues, structure

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 22, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def resources():
    everybody = population(NOW.date())
    found = [*structure(present(NOW.date())), *colleagues()]
    for person in everybody:
        found += person_resources(person, NOW)
        found += stay_resources(person, NOW)
    return found


def test_every_resource_is_valid_r4(resources):
    from liane.fhir.validation import validate

    sample = resources[:400] + resources[400::23]
    kinds = {one["resourceType"] for one in sample}
    assert kinds == {one["resourceType"] for one in resources}
    for one in sample:
        assert [issue for issue in validate(one) if issue.severity == "error"] == [], one


def test_every_id_is_used_once_and_every_reference_leads_somewhere(resources):
    ids = Counter(f"{one['resourceType']}/{one['id']}" for one in resources)
    assert set(ids.values()) == {1}
    for one in resources:
        for reference in _references(one):
            assert reference in ids, (one["id"], reference)


def test_nothing_lies_in_the_future(resources):
    limit = instant(NOW)
    for one in resources:
        for key in ("effectiveDateTime", "authoredOn", "recordedDate"):
            assert str(one.get(key, "")) <= limit
        assert str(one.get("period", {}).get("start", "")) <= limit


def test_the_blocked_and_the_dirty_bed_of_the_sketch(resources):
    beds = {one["id"]: one for one in resources if one["resourceType"] == "Location"}
    assert beds["loc-2101-312-2"]["operationalStatus"]["code"] == "C"
    assert beds["loc-2101-307-1"]["operationalStatus"]["code"] == "K"
    assert beds["loc-2101-303-1"]["operationalStatus"]["code"] == "U"


def test_the_allergy_states_differ_in_the_record(resources):
    allergies = [one for one in resources if one["resourceType"] == "AllergyIntolerance"]
    codes = Counter(
        coding["code"]
        for one in allergies
        for coding in one["code"].get("coding", [{"code": "substance"}])
    )
    assert codes["no-known-allergy"] > 500
    assert sum(codes.values()) - codes["no-known-allergy"] > 200
    assert "substance" not in codes, "a substance typed as free text asks for precision"
    without = {p.id for p in population(NOW.date()) if p.allergies is None}
    named = {one["patient"]["reference"].rpartition("/")[2] for one in allergies}
    assert without.isdisjoint(named)


def test_a_protected_identity_is_marked_twice(resources):
    patients = [one for one in resources if one["resourceType"] == "Patient"]
    marked = [one for one in patients if "meta" in one]
    assert len(marked) == sum(person.protected for person in population(NOW.date()))
    for one in marked:
        urls = {extension["url"].rpartition("/")[2] for extension in one["extension"]}
        assert "protected-identity" in urls


def test_the_marker_tells_the_instant_and_whether_all_is_there():
    half = marker(NOW - timedelta(hours=1), complete=False)
    assert read_marker(half) == (NOW - timedelta(hours=1), False)
    assert read_marker(marker(NOW, complete=True)) == (NOW, True)
    assert read_marker(None) == (None, False)


def _references(value):
    if isinstance(value, dict):
        if "reference" in value:
            yield value["reference"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
