"""Promise: `Prefer: respond-async` gives a search or a history the same answer, only later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from liane.access.sessions import Limits, Sessions
from liane.gateways.fhir.exchange import Choices
from liane.gateways.fhir.operations.workers import job_handlers
from liane.store import Database
from liane.store.blobs import Blobs
from liane.store.jobs import Job
from liane.ui.services import Services
from tests.gateways.fhir.conftest import Fhir, observation, patient


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


async def later(fhir: Fhir, services: Services, path: str, **options: Any) -> Any:
    asked = await fhir("GET", path, Prefer="respond-async", **options)
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
