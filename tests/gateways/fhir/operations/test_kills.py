"""Promise: kill -9 of the worker loses and doubles nothing of what it answers later."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from liane.access.actor import Actor
from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.gateways.fhir.asynchronous import files, requests
from liane.gateways.fhir.operations.export_asking import Ask
from liane.store import Database
from liane.store.blobs import Blobs
from liane.store.resources import Write, write_many
from tests.gateways.fhir.conftest import observation

pytestmark = pytest.mark.fault

MANY = 1500
KILLS = int(os.environ.get("LIANE_TEST_KILLS", "1"))
ACTOR = Actor("client", "client:all", "All", scopes=("system/*.cruds",))
WORKER = """
import asyncio, sys
from pathlib import Path
from liane.access.sessions import Limits, Sessions
from liane.gateways.fhir.exchange import Choices
from liane.gateways.fhir.operations import export_job, import_job
from liane.gateways.fhir.operations.workers import job_handlers
from liane.store import Database, jobs
from liane.store.blobs import Blobs
from liane.ui.services import Services
jobs.LEASE_SECONDS = 1.0
export_job.ROWS = 100
import_job.LINES = 50
async def main(dsn, home):
    async with await Database.open(dsn) as database:
        services = Services(database, Blobs(Path(home) / "blobs"), Path(home), Sessions(database, Limits()))
        await jobs.work(database, job_handlers(services, Choices()), asyncio.Event())
asyncio.run(main(*sys.argv[1:]))
"""


async def request_of(database: Database, id_: str) -> requests.Request:
    async with database.reading() as tx:
        found = await requests.load(tx, id_)
    assert found is not None
    assert found.failure is None, found.failure
    return found


async def carried_out_under_kills(database: Database, dsn: str, home: Path, id_: str) -> int:
    """Start the worker, kill it whenever it has come further, until the work is done."""
    kills = 0
    while True:
        before = (await request_of(database, id_)).done
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, dsn, str(home), env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
        try:
            while worker.returncode is None:
                request = await request_of(database, id_)
                if request.finished is not None:
                    return kills
                if request.done > before and kills < KILLS:
                    break
                await asyncio.sleep(0.005)
            assert worker.returncode is None, "the worker ended by itself"
        finally:
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
        kills += 1


async def begin(database: Database, kind: str, ask: dict[str, Any]) -> str:
    async with database.transaction() as tx:
        return await requests.begin(tx, ACTOR, kind, "test", ask)


async def test_a_killed_worker_exports_each_resource_once(
    database: Database, test_database: Any, tmp_path: Path
) -> None:
    for start in range(0, MANY, 500):
        async with database.transaction() as tx:
            await write_many(
                tx, [Write(observation(id=f"o{n}")) for n in range(start, start + 500)]
            )
    ask = Ask("system", definitions.types(), None, None)
    id_ = await begin(database, "export", ask.kept())
    kills = await carried_out_under_kills(database, test_database.app_dsn, tmp_path, id_)
    assert kills > 0
    folder = files.folder_of(tmp_path, id_)
    text = b"".join(b"".join(files.plain(path)) for path in folder.glob("output-*"))
    found = [json.loads(line)["id"] for line in text.splitlines()]
    assert sorted(found) == sorted(f"o{n}" for n in range(MANY))


@pytest.mark.soak  # in short: test_import.py::test_a_killed_import_goes_on_after_its_last_line
async def test_a_killed_worker_imports_each_line_once(
    database: Database, test_database: Any, tmp_path: Path
) -> None:
    bodies = [
        {k: v for k, v in observation(valueQuantity={"value": n}).items() if k != "id"}
        for n in range(MANY)
    ]
    text = b"\n".join(json.dumps(body).encode() for body in bodies)
    stored = await Blobs(tmp_path / "blobs").put(text)
    ask = {"inputs": [{"type": "Observation", "url": "", "blob": stored.sha256}]}
    id_ = await begin(database, "import", ask)
    kills = await carried_out_under_kills(database, test_database.app_dsn, tmp_path, id_)
    assert kills > 0
    async with database.reading() as tx:
        rows = await tx.fetch("select body::jsonb -> 'valueQuantity' ->> 'value' as value from record.resource")  # fmt: skip
    assert sorted(int(row["value"]) for row in rows) == list(range(MANY))


async def test_a_killed_worker_serves_each_entry_of_a_batch_once(
    database: Database, test_database: Any, tmp_path: Path
) -> None:
    entries = [
        {
            "request": {"method": "POST", "url": "Observation"},
            "resource": observation(valueQuantity={"value": n}),
        }
        for n in range(150)
    ]
    id_ = await begin_bundle(database, "batch", entries)
    assert await carried_out_under_kills(database, test_database.app_dsn, tmp_path, id_) > 0
    async with database.reading() as tx:
        rows = await tx.fetch("select body::jsonb -> 'valueQuantity' ->> 'value' as value from record.resource")  # fmt: skip
    assert sorted(int(row["value"]) for row in rows) == list(range(150))
    assert len(answer_of(tmp_path, id_)["entry"]) == 150


async def test_a_transaction_is_carried_out_once_by_workers_killed_at_any_moment(
    database: Database, test_database: Any, tmp_path: Path
) -> None:
    """The first dies while it works, the second right after its commit, the third ends."""
    entries = [
        {"request": {"method": "POST", "url": "Observation"}, "resource": observation()}
        for _ in range(600)
    ]
    id_ = await begin_bundle(database, "transaction", entries)

    async def taken() -> bool:
        return (await request_of(database, id_)).run > 0

    async def finished() -> bool:
        return (await request_of(database, id_)).finished is not None

    async def settled() -> bool:
        async with database.reading() as tx:
            sql = "select count(*) from work.job where kind = 'fhir-bundle'"
            return bool(await tx.fetchval(sql) == 0)

    for reached in (taken, finished, settled):
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, test_database.app_dsn, str(tmp_path), env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
        try:
            while not await reached():
                assert worker.returncode is None, "the worker ended by itself"
                await asyncio.sleep(0.005)
        finally:
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
    async with database.reading() as tx:
        ids = {row["id"] for row in await tx.fetch("select id from record.resource")}
    told = [one["response"]["location"].split("/")[1] for one in answer_of(tmp_path, id_)["entry"]]
    assert len(told) == 600
    assert set(told) == ids


async def begin_bundle(database: Database, kind: str, entries: list[dict[str, Any]]) -> str:
    sent = gzip.compress(fhir_json.dump_bytes({"resourceType": "Bundle", "type": kind, "entry": entries}))  # fmt: skip
    async with database.transaction() as tx:
        id_ = await requests.begin(tx, ACTOR, "bundle", "test", {"prefer": "", "language": "en"})
        await requests.keep_sent(tx, id_, sent)
    return id_


def answer_of(home: Path, id_: str) -> Any:
    (path,) = files.folder_of(home, id_).glob("output-bundle-*.gz")
    return json.loads(b"".join(files.plain(path)))
