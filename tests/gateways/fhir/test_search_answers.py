"""Promise: a search by GET or POST finds what it names, in pages, in part or counted."""

from __future__ import annotations

from tests.gateways.fhir.conftest import Fhir, observation, patient


async def given_results(fhir: Fhir, count: int) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    for number in range(count):
        at = f"2024-05-{number + 1:02d}T10:00:00+02:00"
        await fhir(
            "PUT", f"/Observation/o{number}", observation(id=f"o{number}", effectiveDateTime=at)
        )


async def test_get_and_post_give_the_same(fhir: Fhir) -> None:
    await given_results(fhir, 3)
    by_get = await fhir("GET", "/Observation?code=http://loinc.org|2823-3&patient=p1")
    by_post = await fhir(
        "POST",
        "/Observation/_search",
        b"code=http%3A%2F%2Floinc.org%7C2823-3&patient=p1",
        Content_Type="application/x-www-form-urlencoded",
    )
    ids = [entry["resource"]["id"] for entry in by_get.json()["entry"]]
    assert sorted(ids) == ["o0", "o1", "o2"]
    assert [entry["resource"]["id"] for entry in by_post.json()["entry"]] == ids


async def test_pages_lose_nothing(fhir: Fhir) -> None:
    await given_results(fhir, 7)
    address, seen = "/Observation?patient=p1&_count=3&_sort=-date", []
    while address:
        page = (await fhir("GET", address)).json()
        seen += [entry["resource"]["id"] for entry in page.get("entry", [])]
        links = {link["relation"]: link["url"] for link in page["link"]}
        address = links.get("next", "").partition("/fhir")[2]
    assert seen == ["o6", "o5", "o4", "o3", "o2", "o1", "o0"]


async def test_parts_and_counts(fhir: Fhir) -> None:
    await given_results(fhir, 2)
    counted = (await fhir("GET", "/Observation?patient=p1&_summary=count")).json()
    assert counted["total"] == 2
    assert "entry" not in counted
    part = (await fhir("GET", "/Observation?patient=p1&_elements=status")).json()
    resource = part["entry"][0]["resource"]
    # `code` is mandatory: a part without it would be no Observation (R4 search, _elements).
    assert set(resource) == {"resourceType", "id", "meta", "status", "code"}
    assert resource["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert (await fhir("GET", "/Observation?_summary=zorro")).status_code == 400


async def test_unknown_parameters_are_refused_unless_asked_otherwise(fhir: Fhir) -> None:
    await given_results(fhir, 1)
    assert (await fhir("GET", "/Observation?zorro=1")).status_code == 400
    lenient = await fhir("GET", "/Observation?zorro=1&patient=p1", Prefer="handling=lenient")
    found, warned = lenient.json()["entry"]
    assert (found["search"]["mode"], warned["search"]["mode"]) == ("match", "outcome")
    assert "zorro" in warned["resource"]["issue"][0]["diagnostics"]
