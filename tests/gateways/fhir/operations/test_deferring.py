"""Promise: `Prefer: respond-async` gives searches, histories and Bundles their answer, only later."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from liane.access.sessions import Limits, Sessions
from liane.fhir import json as fhir_json
from liane.gateways.fhir.asynchronous import requests
from liane.gateways.fhir.exchange import Choices
from liane.gateways.fhir.operations.workers import job_handlers
from liane.store import Database
from liane.store.blobs import Blobs
from liane.store.jobs import Job
from liane.ui.services import Services
from tests.gateways.fhir.conftest import ACTORS, Fhir, observation, patient
from tests.gateways.fhir.test_bundles import bundle, entry


@pytest.fixture
def services(database: Database, blobs: Blobs, tmp_path: Path) -> Services:
    return Services(database, blobs, tmp_path, Sessions(database, Limits()))


async def run_jobs(services: Services) -> None:
    handlers = job_handlers(services, Choices())
    async with services.database.transaction() as tx:
        rows = await tx.fetch("select kind, key from work.job where kind = any($1)", list(handlers))
        await tx.execute("delete from work.job")
        now = tx.now
    for row in rows:
        await handlers[row["kind"]](services.database, Job(1, row["kind"], row["key"], {}, 1, now))


async def later(fhir: Fhir, services: Services, path: str, body: Any = None, **options: Any) -> Any:
    asked = await fhir(
        "GET" if body is None else "POST", path, body, Prefer="respond-async", **options
    )
    assert asked.status_code == 202, asked.text
    assert "respond-async" in asked.headers["preference-applied"]
    place = asked.headers["content-location"].partition("/fhir")[2]
    await run_jobs(services)
    return await fhir("GET", place, **options)


@pytest.mark.parametrize(
    "path", ["/Observation?status=final", "/Observation/_history", "/_history"]
)
async def test_the_answer_is_the_one_given_at_once(
    fhir: Fhir, services: Services, path: str
) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    manifest = (await later(fhir, services, path)).json()
    (entry,) = manifest["output"]
    assert (entry["type"], entry["count"]) == ("Bundle", 1)
    told = (await fhir("GET", entry["url"].partition("/fhir")[2])).json()
    at_once = (await fhir("GET", path)).json()
    assert {**told, "id": 0} == {**at_once, "id": 0}


async def test_refusals_come_with_their_own_status(fhir: Fhir, services: Services) -> None:
    unknown = await later(fhir, services, "/Observation?nonsense=1")
    assert (unknown.status_code, "nonsense" in unknown.text) == (400, True)
    denied = await later(fhir, services, "/Patient?name=x", token="reader")
    assert denied.status_code == 403


async def test_other_requests_are_answered_at_once(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    for path in ("/Patient/p1", "/Patient/p1/$everything"):
        assert (await fhir("GET", path, Prefer="respond-async")).status_code == 200


async def answered(fhir: Fhir, services: Services, sent: Any, **options: Any) -> Any:
    """The response Bundle to a Bundle that is answered later."""
    manifest = await later(fhir, services, "", sent, **options)
    assert manifest.status_code == 200, manifest.text
    (file,) = manifest.json()["output"]
    assert file["type"] == "Bundle"
    return (await fhir("GET", file["url"].partition("/fhir")[2], **options)).json()


async def count(fhir: Fhir, search: str) -> int:
    total: int = (await fhir("GET", f"/{search}&_total=accurate")).json()["total"]
    return total


async def test_a_transaction_is_answered_later_with_its_links_and_decimals(
    fhir: Fhir, services: Services, database: Database
) -> None:
    value = b'{"value":1.10,"unit":"g"}'
    sent = fhir_json.dump_bytes(
        bundle(
            entry("POST", "Observation", observation("urn:uuid:a", valueQuantity={}), "urn:uuid:b"),
            entry("POST", "Patient", patient(), "urn:uuid:a"),
            entry("GET", "Patient?name=Dupont"),
        )
    ).replace(b'"valueQuantity":{}', b'"valueQuantity":' + value)
    told = await answered(fhir, services, sent)
    assert told["type"] == "transaction-response"
    assert [one["response"]["status"][:3] for one in told["entry"]] == ["201", "201", "200"]
    place = told["entry"][0]["response"]["location"]
    stored = await fhir("GET", f"/{place}")
    made = told["entry"][1]["response"]["location"].partition("/_history")[0]
    assert stored.json()["subject"]["reference"] == made
    assert value in stored.content
    assert told["entry"][2]["resource"]["entry"][0]["resource"]["id"] == made.partition("/")[2]
    async with database.reading() as tx:
        sql = "select count(*) from journal.entry where action = 'FHIR POST' and patient = $1"
        assert await tx.fetchval(sql, made.partition("/")[2]) == 1
        assert await tx.fetchval("select count(*) from work.request where sent is not null") == 0


async def test_a_transaction_that_is_refused_tells_why_and_writes_nothing(
    fhir: Fhir, services: Services
) -> None:
    sent = bundle(entry("POST", "Patient", patient()), entry("DELETE", "Patient?name=x&y=z"))
    refused = await later(fhir, services, "", sent)
    assert refused.status_code == 400
    assert await count(fhir, "Patient?") == 0
    for wrong in ({"resourceType": "Patient"}, bundle(kind="searchset")):
        at_once = await fhir("POST", "", wrong, Prefer="respond-async")
        assert at_once.status_code == 400


async def test_a_batch_is_answered_later_like_at_once(fhir: Fhir, services: Services) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    sent = bundle(
        entry("GET", "Patient/p1"),
        entry("GET", "Patient/none"),
        entry("POST", "Observation", {"resourceType": "Observation"}),
        entry("GET", "$export"),
        {"fullUrl": "urn:uuid:no-request"},
        entry("PUT", "Patient/p1", patient(id="p1", active=True)),
        kind="batch",
    )
    told = await answered(fhir, services, sent)
    assert (await fhir("GET", "/Patient/p1")).json()["meta"]["versionId"] == "2"
    at_once = (await fhir("POST", "", sent)).json()
    statuses = [one["response"]["status"][:3] for one in told["entry"]]
    assert statuses == ["200", "404", "422", "400", "400", "200"]
    assert statuses == [one["response"]["status"][:3] for one in at_once["entry"]]
    assert told["entry"][0]["resource"]["id"] == "p1"
    assert told["entry"][1:5] == at_once["entry"][1:5]


async def test_a_batch_reads_and_writes_only_what_the_asker_may(
    fhir: Fhir, services: Services, database: Database
) -> None:
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    sent = bundle(entry("GET", "Observation/o1"), entry("POST", "Patient", patient()), kind="batch")
    told = await answered(fhir, services, sent, token="reader")
    assert [one["response"]["status"][:3] for one in told["entry"]] == ["200", "403"]
    async with database.reading() as tx:
        sql = "select outcome from journal.entry where actor = $1 and resource = $2"
        rows = await tx.fetch(sql, ACTORS["reader"].id, "Patient")
    assert [row["outcome"] for row in rows] == ["refused"]


@pytest.mark.parametrize("kind", ["transaction", "batch"])
async def test_a_bundle_is_carried_out_once_however_often_the_job_runs(
    fhir: Fhir, services: Services, kind: str
) -> None:
    """The queue runs a job again when the worker dies after the work and before saying so."""
    sent = bundle(entry("POST", "Patient", patient()), kind=kind)
    asked = await fhir("POST", "", sent, Prefer="respond-async")
    id_ = asked.headers["content-location"].rpartition("/")[2]
    run = job_handlers(services, Choices())["fhir-bundle"]
    async with services.database.reading() as tx:
        job = Job(1, "fhir-bundle", id_, {}, 1, tx.now)
    await asyncio.gather(*(run(services.database, job) for _ in range(3)))
    await run(services.database, job)
    assert await count(fhir, "Patient?") == 1
    assert (await fhir("GET", f"/$job/{id_}")).status_code == 200


async def test_a_batch_goes_on_after_the_last_entry_noted(fhir: Fhir, services: Services) -> None:
    sent = bundle(*(entry("POST", "Patient", patient()) for _ in range(5)), kind="batch")
    asked = await fhir("POST", "", sent, Prefer="respond-async")
    id_ = asked.headers["content-location"].rpartition("/")[2]
    async with services.database.transaction() as tx:
        taken = await requests.take(tx, id_)
        assert taken is not None
        # As a run leaves it that died after three entries.
        await requests.advance(tx, taken, 3, 0.6, {})
        for number in range(3):
            await requests.tell_entry(tx, id_, number, '{"response":{"status":"201 Created"}}')
    await run_jobs(services)
    assert await count(fhir, "Patient?") == 2
    file = (await fhir("GET", f"/$job/{id_}")).json()["output"][0]["url"]
    told = (await fhir("GET", file.partition("/fhir")[2])).json()
    assert len(told["entry"]) == 5


async def test_a_cancelled_bundle_writes_nothing(fhir: Fhir, services: Services) -> None:
    asked = await fhir("POST", "", bundle(entry("POST", "Patient", patient())), Prefer="respond-async")  # fmt: skip
    place = asked.headers["content-location"].partition("/fhir")[2]
    assert (await fhir("DELETE", place)).status_code == 202
    await run_jobs(services)
    assert await count(fhir, "Patient?") == 0
    assert (await fhir("GET", place)).status_code == 404
