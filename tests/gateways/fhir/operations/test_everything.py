"""Promise: everything of a patient or of a stay is there, each thing once, whatever the pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from liane.access.relations import RelationRow, replace_for_encounter
from liane.gateways.fhir.operations import everything
from liane.store import Database
from tests.gateways.fhir.conftest import Fhir, observation, patient


def encounter(id_: str, start: str, end: str | None = None) -> dict[str, Any]:
    return {
        "resourceType": "Encounter", "id": id_, "status": "finished",
        "class": {"code": "IMP"}, "subject": {"reference": "Patient/p1"},
        "period": {"start": start, **({"end": end} if end else {})},
        "serviceProvider": {"reference": "Organization/o1"},
        "participant": [{"individual": {"reference": "Practitioner/dr"}}],
    }  # fmt: skip


def status(system: str, code: str) -> dict[str, Any]:
    url = f"http://terminology.hl7.org/CodeSystem/{system}"
    return {"coding": [{"system": url, "code": code}]}


async def put(fhir: Fhir, body: dict[str, Any]) -> None:
    answer = await fhir("PUT", f"/{body['resourceType']}/{body['id']}", body)
    assert answer.status_code in (200, 201), answer.text


@pytest.fixture
async def chart(fhir: Fhir) -> Fhir:
    await put(fhir, patient(id="p1"))
    await put(fhir, patient(id="p2"))
    await put(fhir, {"resourceType": "Organization", "id": "o2", "name": "GHT"})
    await put(fhir, {"resourceType": "Organization", "id": "o1", "name": "CHU", "partOf": {"reference": "Organization/o2"}})  # fmt: skip
    await put(fhir, {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Roy"}]})
    await put(fhir, encounter("e1", "2024-01-01", "2024-01-10"))
    await put(fhir, encounter("e2", "2025-03-01"))
    for n in range(6):
        at = f"2024-01-0{n + 1}" if n < 3 else f"2025-03-0{n}"
        stay = "Encounter/e1" if n < 3 else "Encounter/e2"
        await put(
            fhir,
            observation(id=f"ob{n}", effectiveDateTime=at, encounter={"reference": stay}),
        )
    await put(fhir, observation("Patient/p2", id="other"))
    allergy = {
        "resourceType": "AllergyIntolerance", "id": "al", "patient": {"reference": "Patient/p1"},
        "clinicalStatus": status("allergyintolerance-clinical", "active"),
        "recordedDate": "1999-01-01",
    }  # fmt: skip
    await put(fhir, allergy)
    for name, ended in (("old", True), ("still", False)):
        problem = {
            "resourceType": "Condition", "id": name, "subject": {"reference": "Patient/p1"},
            "clinicalStatus": status("condition-clinical", "resolved" if ended else "active"),
            "onsetDateTime": "2001-01-01", **({"abatementDateTime": "2002-01-01"} if ended else {}),
        }  # fmt: skip
        await put(fhir, problem)
    return fhir


async def pages(fhir: Fhir, path: str, token: str = "all") -> list[str]:
    found = []
    while path:
        answer = await fhir("GET", path, token=token)
        assert answer.status_code == 200, answer.text
        bundle = answer.json()
        found += [
            f"{e['resource']['resourceType']}/{e['resource']['id']}"
            for e in bundle.get("entry", [])
        ]
        links = {one["relation"]: one["url"] for one in bundle["link"]}
        path = links.get("next", "").partition("/fhir")[2]
    return found


OWN = {"Patient/p1", "Encounter/e1", "Encounter/e2", "AllergyIntolerance/al", "Condition/old", "Condition/still"} | {f"Observation/ob{n}" for n in range(6)}  # fmt: skip
HOUSE = {"Practitioner/dr", "Organization/o1", "Organization/o2"}


@pytest.mark.parametrize("count", [1, 2, 5, 12, 13, 500])
async def test_pages_give_each_thing_once(chart: Fhir, count: int) -> None:
    found = await pages(chart, f"/Patient/p1/$everything?_count={count}")
    assert found[0] == "Patient/p1"
    assert len(found) == len(set(found))
    assert set(found) == OWN | HOUSE


async def test_pages_stay_stable_while_writes_go_on(chart: Fhir) -> None:
    answer = await chart("GET", "/Patient/p1/$everything?_count=4")
    bundle = answer.json()
    first = {e["resource"]["id"] for e in bundle["entry"]}
    await put(chart, observation(id="ob0", status="amended"))
    await put(chart, observation(id="ob9"))
    following = {one["relation"]: one["url"] for one in bundle["link"]}["next"]
    rest = await pages(chart, following.partition("/fhir")[2])
    names = [name.partition("/")[2] for name in rest]
    assert not first & set(names)
    assert first | set(names) == {n.partition("/")[2] for n in OWN | HOUSE} | {"ob9"}


async def test_a_stretch_of_care_keeps_what_still_holds(chart: Fhir) -> None:
    found = await pages(chart, "/Patient/p1/$everything?start=2025-01-01&end=2025-12-31")
    assert set(found) == {
        "Patient/p1", "Encounter/e2", "AllergyIntolerance/al", "Condition/still",
        "Observation/ob3", "Observation/ob4", "Observation/ob5",
    } | HOUSE  # fmt: skip
    found = await pages(chart, "/Patient/p1/$everything?start=2024-01-05&end=2024-12-31")
    assert "Encounter/e1" in found
    assert "Observation/ob0" not in found


async def test_types_and_since(chart: Fhir) -> None:
    found = await pages(chart, "/Patient/p1/$everything?_type=Encounter,Organization")
    assert set(found) == {"Encounter/e1", "Encounter/e2", "Organization/o1", "Organization/o2"}
    found = await pages(chart, "/Patient/p1/$everything?_since=2999-01-01")
    assert found == []
    refused = await chart("GET", "/Patient/p1/$everything?_type=Encountre")
    assert refused.status_code == 400
    assert "Encountre" in refused.text
    refused = await chart("GET", "/Patient/p1/$everything?strat=2024")
    assert (refused.status_code, "strat" in refused.text) == (400, True)
    assert (await chart("GET", "/Patient/p1/$everything?start=hier")).status_code == 400
    assert (await chart("GET", "/Patient/p1/$everything?_cursor=x")).status_code == 400


async def test_everything_by_post(chart: Fhir) -> None:
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "_type", "valueCode": "Condition"}],
    }
    answer = await chart("POST", "/Patient/p1/$everything", body)
    assert {e["resource"]["id"] for e in answer.json()["entry"]} == {"old", "still"}


async def test_everything_of_a_stay(chart: Fhir) -> None:
    found = await pages(chart, "/Encounter/e1/$everything?_count=2")
    assert set(found) == {
        "Patient/p1", "Encounter/e1", "Observation/ob0", "Observation/ob1", "Observation/ob2",
    } | HOUSE  # fmt: skip
    assert (await chart("GET", "/Encounter/none/$everything")).status_code == 404


async def test_absent_and_forbidden(chart: Fhir) -> None:
    assert (await chart("GET", "/Patient/none/$everything")).status_code == 404
    for path in ("/Patient/p1/$everything", "/Encounter/e1/$everything"):
        assert (await chart("GET", path, token="reader")).status_code == 403
        for token in ("chu", "nurse"):
            hidden = await chart("GET", path, token=token)
            nobody = await chart("GET", path.replace("1/", "9/"), token=token)
            assert hidden.status_code == nobody.status_code == 404, (path, token)
            assert hidden.text.replace("1", "9") == nobody.text


@pytest.mark.parametrize("count", [1, 3, 7, 500])
async def test_all_patients_follow_one_another(chart: Fhir, count: int) -> None:
    found = await pages(chart, f"/Patient/$everything?_count={count}")
    own = [name for name in found if name not in HOUSE]
    assert len(own) == len(set(own))
    assert set(found) == OWN | HOUSE | {"Patient/p2", "Observation/other"}
    assert found[-2:] == ["Patient/p2", "Observation/other"]


async def test_a_page_of_all_patients_names_nothing_twice(chart: Fhir) -> None:
    await put(chart, encounter("e3", "2026-01-01") | {"subject": {"reference": "Patient/p2"}})
    found = await pages(chart, "/Patient/$everything")
    assert len(found) == len(set(found))
    only = await pages(
        chart, "/Patient/$everything?_type=Encounter&start=2026-01-01&end=2026-12-31"
    )
    assert only == ["Encounter/e2", "Encounter/e3"]


async def test_pages_of_more_patients_than_one_page_begins(
    fhir: Fhir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(everything, "PATIENTS", 2)
    for n in range(5):
        await put(fhir, patient(id=f"p{n}"))
    found = await pages(fhir, "/Patient/$everything")
    assert found == [f"Patient/p{n}" for n in range(5)]


async def test_of_all_patients_only_those_open_to_the_reader(
    chart: Fhir, database: Database
) -> None:
    assert await pages(chart, "/Patient/$everything", token="chu") == []
    async with database.transaction() as tx:
        tie = RelationRow("present", tx.now - timedelta(days=1), establishment="chu")
        await replace_for_encounter(tx, "p2", "e9", [tie])
    for count in (1, 500):
        found = await pages(chart, f"/Patient/$everything?_count={count}", token="chu")
        assert found == ["Patient/p2", "Observation/other"]
    assert (await chart("GET", "/Patient/$everything", token="reader")).status_code == 403
    # A place within a patient that is hidden begins with the next one that is not.
    place = "/Patient/$everything?_cursor=ap1~o0"
    assert await pages(chart, place, token="chu") == ["Patient/p2", "Observation/other"]
    for wrong in ("x", "a", "a~o1", "ap1~x", "a%2F~o1"):
        refused = await chart("GET", f"/Patient/$everything?_cursor={wrong}")
        assert refused.status_code == 400, wrong
    assert (await chart("GET", "/Encounter/$everything")).status_code in (400, 404, 405)
