"""How fast does a bulk export leave, and how much memory does the process that writes it take?

The real job of the worker, in a process of its own, over the embedded server: COPY under the gate
and row-level security, one gzip file for each type, checkpoints, one journal entry for each
patient. Run: `.venv/bin/python bench/bulk_export.py [RESOURCES]` (default 100000). The resources
are those of the Synthea set of the shared data (LIANE_SHARED_DATA), repeated under new ids until
there are enough; without the set, invented Observations. They are put into the table of resources
directly: an export reads no search index.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from liane.access.actor import Actor
from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.fhir.extraction import extract
from liane.gateways.fhir.asynchronous import files, requests
from liane.gateways.fhir.asynchronous.running import handler
from liane.gateways.fhir.operations.export_asking import Ask
from liane.gateways.fhir.operations.export_job import export_work
from liane.store import Database
from liane.store.embedded import EmbeddedServer
from liane.store.jobs import Job
from liane.store.migrate import migrate
from liane.store.versions import render

Row = tuple[str, str, str | None, datetime | None, str]
AT_ONCE = 20_000
ACTOR = Actor("client", "client:bench", "Bench", scopes=("system/*.rs",))
COLUMNS = ["rid", "tenant", "type", "id", "version", "updated", "patient", "at", "body", "keys"]


def rows_of(bodies: list[dict[str, Any]], now: datetime) -> list[Row]:
    rows = []
    once = {(body["resourceType"], body["id"]): body for body in bodies}
    for body in once.values():
        found = extract(body)
        text = render(body, 1, now)
        rows.append((body["resourceType"], body["id"], found.patient, found.at, text))
    return rows


def synthea() -> list[dict[str, Any]]:
    default = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("LIANE_SHARED_DATA", default)) / "synthea-r4"
    found = []
    for file in sorted(folder.glob("*.gz")):
        text = gzip.decompress(file.read_bytes()).decode()
        entries = fhir_json.loads(text)["entry"]
        for entry in entries:
            one = entry["resource"]
            text = text.replace(entry["fullUrl"], f"{one['resourceType']}/{one['id']}")
        found += [entry["resource"] for entry in fhir_json.loads(text)["entry"]]
    return found


def invented() -> list[dict[str, Any]]:
    return [
        {
            "resourceType": "Observation", "id": f"o{n}", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"reference": f"Patient/p{n % 100}"}, "note": [{"text": "x" * 700}],
            "effectiveDateTime": "2024-01-01", "valueQuantity": {"value": n},
        }
        for n in range(20_000)
    ]  # fmt: skip


def repeated(rows: list[Row], wanted: int) -> Iterator[Row]:
    """The same rows again and again, each time other patients with other ids."""
    for n in range(wanted):
        turn, place = divmod(n, len(rows))
        type_, id_, patient, at, text = rows[place]
        if turn:
            text = text.replace(f'"id":"{id_}"', f'"id":"{id_}-{turn}"', 1)
            if patient is not None:
                text = text.replace(f"Patient/{patient}", f"Patient/{patient}-{turn}")
                patient = f"{patient}-{turn}"
            id_ = f"{id_}-{turn}"
        yield type_, id_, patient, at, text


async def fill(dsn: str, wanted: int, now: datetime) -> None:
    rows = rows_of(synthea() or invented(), now)
    connection = await asyncpg.connect(dsn)
    piece: list[tuple[Any, ...]] = []

    async def put() -> None:
        await connection.copy_records_to_table(
            "resource", schema_name="record", records=piece, columns=COLUMNS
        )
        piece.clear()

    for rid, (type_, id_, patient, at, text) in enumerate(repeated(rows, wanted), 1):
        piece.append((rid, 1, type_, id_, 1, now, patient, at, text, []))
        if len(piece) == AT_ONCE:
            await put()
    await put()
    await connection.execute("vacuum analyze record.resource")
    await connection.close()


async def begin(dsn: str) -> str:
    ask = Ask("system", definitions.types(), None, None)
    async with await Database.open(dsn) as database, database.transaction() as tx:
        return await requests.begin(tx, ACTOR, "export", "bench", ask.kept())


async def export(dsn: str, home: Path, id_: str) -> None:
    """What the worker does; run in a process of its own, whose memory is told at the end."""
    async with await Database.open(dsn) as database:
        start, used = time.perf_counter(), time.process_time()
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        now = datetime.now(UTC)
        job = Job(1, "fhir-export", id_, {}, 1, now)
        await handler(home, export_work(home))(database, job)
        seconds = time.perf_counter() - start
        async with database.reading() as tx:
            request = await requests.load(tx, id_)
            patients = await tx.fetchval(
                "select count(*) from journal.entry where action = 'FHIR $export'"
            )
    assert request is not None
    assert request.result is not None, request.failure
    told = request.result["files"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "count": request.result["count"], "seconds": seconds,
        "cpu": time.process_time() - used, "plain": sum(f["plain"] for f in told),
        "size": sum(f["size"] for f in told), "files": len(told),
        "base": base, "peak": peak, "journal": patients,
    }  # fmt: skip
    print(json.dumps(figures))


def counted(folder: Path) -> int:
    return sum(
        sum(part.count(b"\n") for part in files.plain(path)) for path in folder.glob("output-*")
    )


def main(wanted: int) -> None:
    home = Path(tempfile.mkdtemp(prefix="liane-bulk-"))
    server = EmbeddedServer(home / "postgres")
    try:
        server.start()
        asyncio.run(migrate(server.owner_dsn))
        started = time.perf_counter()
        # As the owner: COPY is refused to the application on tables with row-level security.
        asyncio.run(fill(server.owner_dsn, wanted, datetime.now(UTC)))
        print(f"filled with {wanted} resources in {time.perf_counter() - started:.0f} s")
        id_ = asyncio.run(begin(server.app_dsn))
        words = [sys.executable, __file__, "--job", server.app_dsn, str(home), id_]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        told = json.loads(done.stdout.splitlines()[-1])
        rate = told["count"] / told["seconds"]
        print(
            f"exported {told['count']} resources in {told['seconds']:.1f} s: {rate:,.0f} resources/s, "
            f"{told['plain'] / told['seconds'] / 1e6:.0f} MB/s of NDJSON"
        )
        print(
            f"files: {told['files']}, {told['size'] / 1e6:.0f} MB packed of {told['plain'] / 1e6:.0f} MB; "
            f"journal entries: {told['journal']}"
        )
        print(
            f"exporting process: {told['cpu']:.1f} s of processor, peak memory {told['peak'] / 1024:.0f} MiB "
            f"({told['base'] / 1024:.0f} MiB before the first row)"
        )
        assert counted(files.folder_of(home, id_)) == told["count"] == wanted
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        asyncio.run(export(sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
