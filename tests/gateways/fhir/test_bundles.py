"""Promise: a transaction is all or nothing and keeps its links; a batch serves each by itself."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from liane.fhir import json as fhir_json
from tests.gateways.fhir.conftest import Fhir, observation, patient


def entry(
    method: str, url: str, resource: Any = None, full: str = "", **request: str
) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        made["resource"] = resource
    if full:
        made["fullUrl"] = full
    return made


def bundle(*entries: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


async def test_references_between_entries_are_replaced(fhir: Fhir) -> None:
    sent = bundle(
        entry("POST", "Observation", observation("urn:uuid:a"), "urn:uuid:b"),
        entry("POST", "Patient", patient(), "urn:uuid:a"),
        entry(
            "POST",
            "Observation",
            observation("urn:uuid:a", derivedFrom=[{"reference": "urn:uuid:b"}]),
        ),
    )
    done = (await fhir("POST", "", sent)).json()
    assert done["type"] == "transaction-response"
    first, who, second = [
        e["response"]["location"].partition("/_history")[0] for e in done["entry"]
    ]
    assert [e["response"]["status"] for e in done["entry"]] == ["201 Created"] * 3
    read = (await fhir("GET", f"/{second}")).json()
    assert read["subject"]["reference"] == who
    assert read["derivedFrom"][0]["reference"] == first
    found = (await fhir("GET", f"/Observation?subject={who}")).json()
    assert len(found["entry"]) == 2


async def test_one_wrong_entry_undoes_all(fhir: Fhir) -> None:
    sent = bundle(
        entry("PUT", "Patient/p1", patient(id="p1")),
        entry("POST", "Observation", observation(status="zzz")),
    )
    refused = await fhir("POST", "", sent)
    assert refused.status_code == 422
    assert (await fhir("GET", "/Patient/p1")).status_code == 404


async def test_all_kinds_of_entries_in_the_standard_s_order(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/old", patient(id="old"))
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    sent = bundle(
        entry("GET", "Patient/p1"),
        entry("PUT", "Patient/p1", patient(id="p1", gender="female"), ifMatch='W/"1"'),
        entry("DELETE", "Patient/old"),
        entry("PUT", "Patient/new", patient(id="new")),
        entry("GET", "Patient?gender=female"),
    )
    done = (await fhir("POST", "", sent)).json()["entry"]
    assert [e["response"]["status"][:3] for e in done] == ["200", "200", "204", "201", "200"]
    assert done[0]["resource"]["gender"] == "female"
    assert len(done[4]["resource"]["entry"]) == 1
    stale = bundle(entry("PUT", "Patient/p1", patient(id="p1", active=True), ifMatch='W/"1"'))
    assert (await fhir("POST", "", stale)).status_code == 412


async def test_conditional_entries_and_references(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    sent = bundle(
        entry("POST", "Patient", patient(), "urn:uuid:a", ifNoneExist="identifier=urn:test:ipp|1"),
        entry("POST", "Observation", observation("urn:uuid:a")),
        entry("POST", "Observation", observation("Patient?identifier=urn:test:ipp|1")),
        entry("PUT", "Patient?identifier=urn:test:ipp|1", patient(active=True)),
    )
    done = (await fhir("POST", "", sent)).json()["entry"]
    assert [e["response"]["status"][:3] for e in done] == ["200", "201", "201", "200"]
    found = (await fhir("GET", "/Observation?patient=p1&_summary=count")).json()
    assert found["total"] == 2
    unknown = bundle(entry("POST", "Observation", observation("Patient?identifier=none")))
    assert (await fhir("POST", "", unknown)).status_code == 412


async def test_a_batch_serves_each_entry_by_itself(fhir: Fhir) -> None:
    sent = bundle(
        entry("PUT", "Patient/p1", patient(id="p1")),
        entry("POST", "Observation", observation(status="zzz")),
        entry("GET", "Patient/p1"),
        entry("GET", "Patient/none"),
        kind="batch",
    )
    done = (await fhir("POST", "", sent)).json()
    assert done["type"] == "batch-response"
    assert [e["response"]["status"][:3] for e in done["entry"]] == ["201", "422", "200", "404"]
    assert done["entry"][1]["response"]["outcome"]["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"resourceType": "Patient"}, 400),
        ({"resourceType": "Bundle", "type": "collection"}, 400),
        (bundle({"resource": patient()}), 400),
        (bundle(entry("PATCH", "Patient/p1", patient())), 404),
        (bundle(entry("POST", "Zorro", patient())), 404),
        (bundle(entry("POST", "Patient")), 400),
        (bundle(*[entry("PUT", "Patient/p1", patient(id="p1"))] * 2), 400),
        (bundle(*[entry("GET", "Patient/1")] * 20_001), 413),
    ],
)
async def test_wrong_bundles_are_refused(fhir: Fhir, body: dict[str, Any], status: int) -> None:
    assert (await fhir("POST", "", body)).status_code == status


async def test_scopes_hold_inside_bundles(fhir: Fhir, test_database: Any) -> None:
    sent = bundle(entry("POST", "Patient", patient()))
    assert (await fhir("POST", "", sent, token="reader")).status_code == 403
    batch = (await fhir("POST", "", {**sent, "type": "batch"}, token="reader")).json()
    assert batch["entry"][0]["response"]["status"].startswith("403")
    owner = await asyncpg.connect(test_database.owner_dsn)
    refused = await owner.fetchval("select count(*) from journal.entry where outcome = 'refused'")
    await owner.close()
    assert refused == 2


async def test_synthea_bundles_are_stored_whole(fhir: Fhir, shared_data: Path) -> None:
    folder = shared_data / "synthea-r4"
    if not folder.is_dir():
        pytest.skip("shared data set 'synthea-r4' not found")
    sent: Counter[str] = Counter()
    for path in sorted(folder.glob("*.json.gz"))[:3]:
        raw = gzip.decompress(path.read_bytes())
        for one in fhir_json.loads(raw)["entry"]:
            sent[one["resource"]["resourceType"]] += 1
        done = await fhir("POST", "", path.read_bytes(), Content_Encoding="gzip")
        assert done.status_code == 200, done.text[:300]
    for type_, count in sent.items():
        found = (await fhir("GET", f"/{type_}?_summary=count")).json()
        assert found["total"] == count, type_
    everyone = (await fhir("GET", "/Patient")).json()["entry"]
    for one in everyone:
        mine = (
            await fhir("GET", f"/Observation?patient={one['resource']['id']}&_summary=count")
        ).json()
        assert mine["total"] > 0
