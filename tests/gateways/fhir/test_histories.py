"""Promise: the past of a resource, a type and the whole record can be read page by page."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from tests.gateways.fhir.conftest import Fhir, observation, patient


async def _versions(fhir: Fhir, address: str) -> list[tuple[str, str]]:
    """Every page: id and version, in the order told."""
    seen = []
    while address:
        answer = await fhir("GET", address)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        for entry in page.get("entry", []):
            number = entry["response"]["etag"].strip('W/"')
            seen.append((entry["fullUrl"].rpartition("/")[2], number))
        links = {link["relation"]: link["url"] for link in page["link"]}
        address = links.get("next", "").partition("/fhir")[2]
    return seen


async def _story(fhir: Fhir) -> list[str]:
    """p1 in three versions, then deleted; p2 in one. The instants between the steps."""
    instants = []
    for step in range(4):
        if step < 3:
            answer = await fhir("PUT", "/Patient/p1", patient(id="p1", multipleBirthInteger=step))
            instants.append(answer.json()["meta"]["lastUpdated"])
        else:
            await fhir("DELETE", "/Patient/p1")
        if step == 0:
            await fhir("PUT", "/Patient/p2", patient(id="p2"))
        await asyncio.sleep(0.01)
    return instants


async def test_history_of_an_instance_a_type_and_everything(fhir: Fhir) -> None:
    await _story(fhir)
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    mine = [("p1", "4"), ("p1", "3"), ("p1", "2"), ("p1", "1")]
    assert await _versions(fhir, "/Patient/p1/_history?_count=2") == mine
    all_patients = await _versions(fhir, "/Patient/_history?_count=2")
    assert sorted(all_patients) == sorted([*mine, ("p2", "1")])
    assert len(await _versions(fhir, "/_history?_count=2")) == 6


async def test_since_and_at(fhir: Fhir) -> None:
    first, second, third = await _story(fhir)
    since = await _versions(fhir, f"/Patient/p1/_history?_since={second}")
    assert since == [("p1", "4"), ("p1", "3"), ("p1", "2")]
    for kind in ("/Patient/p1/_history", "/Patient/_history", "/_history"):
        at = await _versions(fhir, f"{kind}?_at={second}&_count=1")
        assert [one for one in at if one[0] == "p1"] == [("p1", "2")]
    later = await _versions(fhir, f"/Patient/_history?_at={third}")
    assert later == [("p1", "3"), ("p2", "1")]
    whole_year = await _versions(fhir, f"/Patient/p1/_history?_at={first[:4]}")
    assert len(whole_year) == 4
    assert await _versions(fhir, "/Patient/p1/_history?_at=1990") == []


async def test_dates_with_a_zone_need_no_escape(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    at = datetime.now().astimezone().isoformat()  # its plus sign arrives as a blank
    assert (await fhir("GET", f"/Patient/p1/_history?_since={at}")).status_code == 200


@pytest.mark.parametrize(
    "query",
    ["_since=x", "_at=2026-99", "_count=x", "_cursor=x", "_cursor=a|b|c|1", "zorro=1"],
)
async def test_wrong_questions_about_the_past(fhir: Fhir, query: str) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    answer = await fhir("GET", f"/Patient/p1/_history?{query}")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["diagnostics"]


async def test_pages_of_history_stay_while_others_write(fhir: Fhir) -> None:
    for number in range(30):
        await fhir("PUT", f"/Patient/p{number % 10}", patient(id=f"p{number % 10}", active=number > 15, multipleBirthInteger=number))  # fmt: skip
    before = await _versions(fhir, "/Patient/_history?_count=500")
    seen: list[tuple[str, str]] = []
    address, turn = "/Patient/_history?_count=4", 0
    while address:
        page = (await fhir("GET", address)).json()
        seen += [
            (e["fullUrl"].rpartition("/")[2], e["response"]["etag"].strip('W/"'))
            for e in page["entry"]
        ]
        turn += 1
        await fhir("PUT", f"/Patient/p{turn}", patient(id=f"p{turn}", multipleBirthInteger=100))
        await fhir("PUT", f"/Patient/new{turn}", patient(id=f"new{turn}"))
        links = {link["relation"]: link["url"] for link in page["link"]}
        address = links.get("next", "").partition("/fhir")[2]
    assert seen == before


async def test_a_past_version_can_be_had_in_part(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    part = await fhir("GET", "/Patient/p1/_history/1?_elements=identifier")
    assert "name" not in part.json()
