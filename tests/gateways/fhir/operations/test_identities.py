"""Promise: $match names who it may be and how surely; $merge can be seen first and taken back."""

from __future__ import annotations

from typing import Any

import pytest

from liane.projections import PROJECTIONS
from liane.store import Database
from tests.gateways.fhir.conftest import Fhir, observation

IPP = "urn:test:ipp"


def person(
    id_: str, family: str, given: str, born: str, number: str, **more: Any
) -> dict[str, Any]:
    return {
        "resourceType": "Patient", "id": id_, "gender": "female", "birthDate": born,
        "identifier": [{"system": IPP, "value": number}],
        "name": [{"use": "official", "family": family, "given": [given]}], **more,
    }  # fmt: skip


@pytest.fixture
async def people(fhir: Fhir, database: Database) -> Fhir:
    database.projections = PROJECTIONS
    for body in (
        person("a", "Martin", "Zoé", "1950-03-02", "1"),
        person("b", "Martin", "Zoé", "1950-02-03", "2"),
        person("c", "Marchand", "Luc", "1981-01-01", "3"),
    ):
        assert (await fhir("PUT", f"/Patient/{body['id']}", body)).status_code == 201
    return fhir


def asking_for(described: dict[str, Any], **more: Any) -> dict[str, Any]:
    described = {key: value for key, value in described.items() if key != "id"}
    names = {"onlyCertainMatches": "valueBoolean", "count": "valueInteger"}
    parts = [{"name": name, names[name]: value} for name, value in more.items()]
    return {
        "resourceType": "Parameters",
        "parameter": [{"name": "resource", "resource": described}, *parts],
    }


async def matches(fhir: Fhir, body: dict[str, Any], **options: Any) -> list[tuple[str, str, float]]:
    answer = await fhir("POST", "/Patient/$match", body, **options)
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert (bundle["type"], bundle["total"]) == ("searchset", len(bundle.get("entry", [])))
    return [
        (e["resource"]["id"], e["search"]["extension"][0]["valueCode"], e["search"]["score"])
        for e in bundle.get("entry", [])
    ]


async def test_a_number_makes_sure_and_likeness_makes_probable(people: Fhir) -> None:
    found = await matches(people, asking_for(person("x", "Martin", "Zoe", "1950-03-02", "1")))
    assert [(id_, grade) for id_, grade, _ in found] == [("a", "certain"), ("b", "probable")]
    assert found[0][2] >= 0.99 > found[1][2]
    found = await matches(people, asking_for(person("x", "MARTIN", "ZOE", "1950-03-02", "99")))
    assert [(id_, grade) for id_, grade, _ in found] == [("a", "probable"), ("b", "probable")]
    found = await matches(people, asking_for(person("x", "Durand", "Ida", "1999-09-09", "98")))
    assert found == []


async def test_a_number_that_the_traits_deny_is_not_certain(people: Fhir) -> None:
    found = await matches(people, asking_for(person("x", "Durand", "Ida", "1999-09-09", "3", gender="male")))  # fmt: skip
    assert [(id_, grade) for id_, grade, _ in found] == [("c", "possible")]


async def test_only_certain_gives_one_or_nobody(people: Fhir) -> None:
    sure = asking_for(person("x", "Martin", "Zoé", "1950-03-02", "1"), onlyCertainMatches=True)
    assert [id_ for id_, _, _ in await matches(people, sure)] == ["a"]
    unsure = asking_for(person("x", "Martin", "Zoé", "1950-03-02", "9"), onlyCertainMatches=True)
    assert await matches(people, unsure) == []
    both = person("x", "Martin", "Zoé", "1950-03-02", "1")
    both["identifier"].append({"system": IPP, "value": "2"})
    assert await matches(people, asking_for(both, onlyCertainMatches=True)) == []
    assert len(await matches(people, asking_for(both, count=1))) == 1


async def test_only_patients_of_the_reader_are_ever_named(people: Fhir) -> None:
    described = asking_for(person("x", "Martin", "Zoé", "1950-03-02", "1"))
    assert await matches(people, described, token="chu") == []
    assert await matches(people, described, token="nurse") == []
    assert (await people("POST", "/Patient/$match", described, token="reader")).status_code == 403
    assert (await people("GET", "/Patient/$match")).status_code == 405
    for broken in ({"resourceType": "Parameters"}, asking_for({"resourceType": "Group"})):
        assert (await people("POST", "/Patient/$match", broken)).status_code == 400
    hostile = {"resourceType": "Patient", "name": "x", "identifier": [3], "birthDate": 7}
    assert (await people("POST", "/Patient/$match", asking_for(hostile))).status_code in (400, 422)


def merging(source: str = "Patient/b", target: str = "Patient/a", **more: Any) -> dict[str, Any]:
    parts = [{"name": name, "valueBoolean": value} for name, value in more.items()]
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "source-patient", "valueReference": {"reference": source}},
            {"name": "target-patient", "valueReference": {"reference": target}},
            *parts,
        ],
    }


async def owner_of(fhir: Fhir, id_: str) -> str:
    return str((await fhir("GET", f"/Observation/{id_}")).json()["subject"]["reference"])


async def test_a_merge_is_seen_first_done_repeated_and_undone(people: Fhir) -> None:
    await people("PUT", "/Observation/o", observation("Patient/b", id="o"))
    before = {id_: (await people("GET", f"/Patient/{id_}")).json() for id_ in "ab"}
    preview = await people("POST", "/Patient/$merge", merging(preview=True))
    assert preview.status_code == 200, preview.text
    told = {one["name"]: one for one in preview.json()["parameter"]}
    assert {"system": IPP, "value": "2"} in told["result"]["resource"]["identifier"]
    assert "merge" not in told
    assert (await people("GET", "/Patient/b")).json() == before["b"]
    assert await owner_of(people, "o") == "Patient/b"

    done = await people("POST", "/Patient/$merge", merging())
    assert done.status_code == 200, done.text
    told = {one["name"]: one for one in done.json()["parameter"]}
    again = await people("POST", "/Patient/$merge", merging())
    assert {one["name"]: one for one in again.json()["parameter"]}["merge"] == told["merge"]
    assert await owner_of(people, "o") == "Patient/a"
    assert (await people("GET", "/Patient/b")).json()["active"] is False

    body = {"resourceType": "Parameters", "parameter": [told["merge"]]}
    undone = await people("POST", "/Patient/$undo-merge", body)
    assert undone.status_code == 200, undone.text
    assert await owner_of(people, "o") == "Patient/b"
    after = {id_: (await people("GET", f"/Patient/{id_}")).json() for id_ in "ab"}
    for id_ in "ab":
        assert {**after[id_], "meta": 0} == {**before[id_], "meta": 0}


async def test_identities_may_be_named_by_number(people: Fhir) -> None:
    body = merging()
    body["parameter"][0] = {
        "name": "source-patient-identifier", "valueIdentifier": {"system": IPP, "value": "2"},
    }  # fmt: skip
    assert (await people("POST", "/Patient/$merge", body)).status_code == 200
    assert (await people("GET", "/Patient/b")).json()["link"][0]["type"] == "replaced-by"


async def test_merges_that_cannot_be_are_refused(people: Fhir) -> None:
    for body, status in (
        (merging("Patient/a", "Patient/a"), 400),
        (merging("Patient/none"), 404),
        (merging("Group/a"), 400),
        ({"resourceType": "Parameters"}, 400),
        (merging(**{"delete-source": True}), 400),
    ):
        assert (await people("POST", "/Patient/$merge", body)).status_code == status, body
    for token in ("reader", "chu", "nurse"):
        refused = await people("POST", "/Patient/$merge", merging(), token=token)
        assert refused.status_code == 403, token
    unknown = {"resourceType": "Parameters", "parameter": [{"name": "merge", "valueId": "no"}]}
    assert (await people("POST", "/Patient/$undo-merge", unknown)).status_code == 404
    assert (await people("GET", "/Patient/$merge")).status_code == 405
