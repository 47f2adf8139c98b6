"""Promise: a condition names one resource or none, whoever asks at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from liane.access.sessions import Limits, Sessions
from liane.gateways.fhir import fhir_router
from liane.gateways.fhir.exchange import Choices
from liane.store import Database
from liane.store.blobs import Blobs
from liane.ui.services import Services
from tests.gateways.fhir.conftest import ACTORS, Fhir, observation, patient

IPP = "identifier=urn:test:ipp|1"
NEW_HERE = {"If_None_Exist": IPP}


async def test_conditional_create_from_32_clients_makes_exactly_one(fhir: Fhir) -> None:
    for round_ in range(3):
        one = patient(identifier=[{"system": "urn:test:ipp", "value": f"r{round_}"}])
        header = {"If_None_Exist": f"identifier=urn:test:ipp|r{round_}"}
        answers = await asyncio.gather(
            *(fhir("POST", "/Patient", one, **header) for _ in range(32))
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] * 31 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        found = (await fhir("GET", f"/Patient?identifier=urn:test:ipp|r{round_}")).json()
        assert len(found["entry"]) == 1


async def test_32_transactions_with_the_same_conditions_make_each_once(fhir: Fhir) -> None:
    def bundle(turn: int) -> dict[str, Any]:
        """The same five conditions, in another order each time."""
        numbers = [(turn + step * (1 + turn % 4)) % 5 for step in range(5)]
        return {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {
                    "resource": patient(identifier=[{"system": "urn:many", "value": str(number)}]),
                    "request": {
                        "method": "POST",
                        "url": "Patient",
                        "ifNoneExist": f"identifier=urn:many|{number}",
                    },
                }
                for number in sorted(set(numbers), key=numbers.index)
            ],
        }

    answers = await asyncio.gather(*(fhir("POST", "", bundle(turn)) for turn in range(32)))
    assert {answer.status_code for answer in answers} == {200}
    for number in range(5):
        found = (await fhir("GET", f"/Patient?identifier=urn:many|{number}")).json()
        assert len(found["entry"]) == 1


async def test_conditional_updates_at_once_are_all_kept_as_versions(fhir: Fhir) -> None:
    answers = await asyncio.gather(
        *(fhir("PUT", f"/Patient?{IPP}", patient(multipleBirthInteger=n)) for n in range(16))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    (found,) = (await fhir("GET", f"/Patient?{IPP}")).json()["entry"]
    history = (await fhir("GET", f"/Patient/{found['resource']['id']}/_history")).json()["entry"]
    assert sorted(e["resource"]["multipleBirthInteger"] for e in history) == list(range(16))


async def test_conditional_update_follows_the_rules_of_the_standard(fhir: Fhir) -> None:
    made = await fhir("PUT", f"/Patient?{IPP}", patient(id="chosen"))
    assert (made.status_code, made.json()["id"]) == (201, "chosen")
    again = await fhir("PUT", f"/Patient?{IPP}", patient(active=True))
    assert (again.status_code, again.json()["id"]) == (200, "chosen")
    other = await fhir("PUT", f"/Patient?{IPP}", patient(id="other"))
    assert other.status_code == 400
    taken = await fhir("PUT", "/Patient?identifier=urn:test:ipp|2", patient(id="chosen"))
    assert taken.status_code == 409
    stale = await fhir("PUT", f"/Patient?{IPP}", patient(), If_Match='W/"1"')
    assert stale.status_code == 412
    await fhir("POST", "/Patient", patient())
    assert (await fhir("PUT", f"/Patient?{IPP}", patient())).status_code == 412


@pytest.mark.parametrize("criteria", ["identifier=", "", "_count=1", "_sort=birthdate", "zorro=1"])
async def test_a_condition_that_selects_nothing_is_refused(fhir: Fhir, criteria: str) -> None:
    await fhir("POST", "/Patient", patient())
    made = await fhir("POST", "/Patient", patient(), If_None_Exist=criteria)
    assert made.status_code in (400, 412)
    for method in ("PUT", "DELETE"):
        body = patient() if method == "PUT" else None
        changed = await fhir(method, f"/Patient?{criteria}", body)
        assert changed.status_code in (400, 405, 412)
    assert len((await fhir("GET", "/Patient")).json()["entry"]) == 1


async def test_conditional_delete_takes_one_and_refuses_several(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    assert (await fhir("DELETE", f"/Patient?{IPP}", If_Match='W/"7"')).status_code == 412
    assert (await fhir("DELETE", f"/Patient?{IPP}")).status_code == 204
    assert (await fhir("GET", "/Patient/p1")).status_code == 410
    assert (await fhir("DELETE", f"/Patient?{IPP}")).status_code == 204
    for _ in range(2):
        await fhir("POST", "/Patient", patient())
    assert (await fhir("DELETE", f"/Patient?{IPP}")).status_code == 412
    assert len((await fhir("GET", "/Patient")).json()["entry"]) == 2


async def test_if_match_and_if_none_match_guard_a_write(fhir: Fhir) -> None:
    absent = await fhir("PUT", "/Patient/p1", patient(id="p1"), If_Match='W/"1"')
    assert absent.status_code == 412
    new = await fhir("PUT", "/Patient/p1", patient(id="p1"), If_None_Match="*")
    assert new.status_code == 201
    twice = await fhir("PUT", "/Patient/p1", patient(id="p1", active=True), If_None_Match="*")
    assert twice.status_code == 412
    assert (await fhir("DELETE", "/Patient/p1", If_Match='W/"2"')).status_code == 412
    assert (await fhir("DELETE", "/Patient/p1", If_Match='W/"1"')).status_code == 204


async def test_conditional_read_tells_what_is_known_already(fhir: Fhir) -> None:
    made = await fhir("PUT", "/Patient/p1", patient(id="p1"))
    modified = made.headers["last-modified"]
    for headers, status in (
        ({"If_None_Match": 'W/"1"'}, 304),
        ({"If_None_Match": '"1"'}, 304),
        ({"If_None_Match": 'W/"3", W/"1"'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": 'W/"2"'}, 200),
        ({"If_None_Match": 'W/"2"', "If_Modified_Since": modified}, 200),
        ({"If_Modified_Since": modified}, 304),
        ({"If_Modified_Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
    ):
        answer = await fhir("GET", "/Patient/p1", **headers)
        assert answer.status_code == status, headers
        assert answer.headers["etag"] == 'W/"1"'
        assert bool(answer.content) == (status == 200)


@pytest.fixture
async def other_house(database: Database, blobs: Blobs, tmp_path: Path) -> AsyncIterator[Fhir]:
    """A house that creates by POST only, and lets a conditional delete take several."""
    services = Services(
        database=database, blobs=blobs, home=tmp_path, sessions=Sessions(database, Limits())
    )

    async def check(token: str) -> Any:
        return ACTORS.get(token)

    choices = Choices(update_create=False, delete_many=True)
    app = Litestar([fhir_router(services, check, choices=choices)], openapi_config=None)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://liane") as http:
        yield Fhir(http)


async def test_the_house_chooses(other_house: Fhir) -> None:
    fhir = other_house
    refused = await fhir("PUT", "/Patient/p1", patient(id="p1"))
    assert refused.status_code == 405
    one = {"resource": patient(id="p1"), "request": {"method": "PUT", "url": "Patient/p1"}}
    sent = {"resourceType": "Bundle", "type": "transaction", "entry": [one]}
    assert (await fhir("POST", "", sent)).status_code == 405
    for _ in range(3):
        await fhir("POST", "/Patient", patient())
    told = await fhir("DELETE", f"/Patient?{IPP}", Prefer="return=OperationOutcome")
    assert told.status_code == 200
    assert "3" in told.json()["issue"][0]["diagnostics"]
    assert "entry" not in (await fhir("GET", "/Patient")).json()
    statement = (await fhir("GET", "/metadata")).json()["rest"][0]["resource"][0]
    assert (statement["updateCreate"], statement["conditionalDelete"]) == (False, "multiple")


async def test_what_a_condition_finds_is_only_what_may_be_seen(fhir: Fhir) -> None:
    """A6: a condition answers the same whether the hidden patient is there or not."""
    probe = observation("Patient?identifier=urn:test:ipp|1")
    entry = {"resource": probe, "request": {"method": "POST", "url": "Observation"}}
    sent = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    before = await fhir("POST", "", sent, token="chu")
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    after = await fhir("POST", "", sent, token="chu")
    assert before.status_code == after.status_code == 412
    assert before.json() == after.json()
