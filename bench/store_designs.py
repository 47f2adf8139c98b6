"""Which table design finds and stores resources fastest, with the tenant wall up?

Compares the store as it is (G: resource row plus narrow hashed index) with B+ (one table per type,
token arrays under GIN, b-tree on the first code), on the same resources, server, role and orders.
Run: `.venv/bin/python bench/store_designs.py [bundles]`; needs the Synthea set of the shared data
(LIANE_SHARED_DATA). Prints Markdown.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg

from liane.fhir import json as fhir_json
from liane.fhir.extraction import extract
from liane.store import Database
from liane.store.embedded import EmbeddedServer
from liane.store.migrate import migrate
from liane.store.resources import Write, read, write_many
from liane.store.search import parse_query, run
from liane.store.search.model import sight_of
from liane.store.search.running import Asked
from liane.store.versions import render

RUNS = 40
Resource = dict[str, Any]
Ask = Callable[[], Awaitable[int]]


def bundles(most: int) -> list[list[Resource]]:
    """Bundles with their urn: references resolved, and a second coding on every tenth code."""
    default = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("LIANE_SHARED_DATA", default)) / "synthea-r4"
    found = []
    for file in sorted(folder.glob("*.gz"))[:most]:
        text = gzip.decompress(file.read_bytes()).decode()
        entries = fhir_json.loads(text)["entry"]
        for entry in entries:
            resource = entry["resource"]
            text = text.replace(entry["fullUrl"], f"{resource['resourceType']}/{resource['id']}")
        resources = [entry["resource"] for entry in fhir_json.loads(text)["entry"]]
        for n, resource in enumerate(resources):
            codings = resource.get("code", {}).get("coding") if n % 10 == 0 else None
            if codings and isinstance(resource["code"], dict):
                codings.append({"system": "urn:local", "code": f"L{n % 50}"})
        found.append(resources)
    return found


class BPlus:
    """One table per type, as platform.md 5.6 describes it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.types: set[str] = set()

    async def table(self, owner: Any, type_: str) -> None:
        if type_ in self.types:
            return
        self.types.add(type_)
        t = f"bplus.{type_.lower()}"
        await owner.execute(
            f"create table {t} (tenant smallint not null, id text not null, version int not null, "
            "updated timestamptz not null, patient text, lo timestamptz, hi timestamptz, "
            "code text[], tok text[], ref text[], names text, body text not null, "
            "primary key (tenant, id));"
            f"create index on {t} (tenant, patient, lo desc); create index on {t} (tenant, lo, hi);"
            f"create index on {t} (updated); create index on {t} using gin (tok);"
            f"create index on {t} using gin (ref); create index on {t} (tenant, (code[1]), lo desc);"
            f"create index on {t} using gin (code);"
            f"alter table {t} enable row level security;"
            f"create policy tenant on {t} using (tenant = current_setting('liane.tenant')::smallint)"
        )
        if type_ in ("Patient", "Practitioner"):
            await owner.execute(f"create index on {t} using gin (names gin_trgm_ops)")

    def row(self, resource: Resource, now: Any) -> tuple[Any, ...]:
        found = extract(resource)
        main = next((s for s in found.dates if s.low == found.at), None)
        code = [f"{t.system}|{t.code}" for t in found.tokens if t.param == "code"]
        tokens = [f"{t.param}:{t.system}|{t.code}" for t in found.tokens if t.param != "code"]
        tokens += [f"{t.param}:|{t.code}" for t in found.tokens]
        refs = [f"{r.param}:{r.type}/{r.id}" for r in found.references if r.id]
        names = "|".join(text.text.lower() for text in found.strings if text.param == "name")
        patient = found.patient
        hi = None if main is None else main.high
        body = render(resource, 1, now)
        return (
            1, resource["id"], 1, now, patient, found.at, hi, code, tokens, refs, names, body
        )  # fmt: skip

    async def store(self, resources: list[Resource], now: Any) -> None:
        """Pipelined inserts per type in one transaction: row-level security forbids COPY FROM."""
        by_type: dict[str, list[tuple[Any, ...]]] = {}
        for resource in resources:
            by_type.setdefault(resource["resourceType"], []).append(self.row(resource, now))
        async with self.connection.transaction():
            for type_, rows in by_type.items():
                await self.connection.executemany(
                    f"insert into bplus.{type_.lower()} values "
                    "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing",
                    rows,
                )


def asking_g(database: Database, type_: str, question: str) -> Ask:
    items = [tuple(part.split("=", 1)) for part in question.split("&")]

    async def ask() -> int:
        async with database.reading() as tx:
            page = await run(tx, parse_query(type_, items))  # type: ignore[arg-type]
        return page.total if page.total is not None else len(page.versions)

    return ask


async def statement_of(database: Database, app: Any, type_: str, question: str) -> Ask:
    """The one statement that answers, without the transaction and the parsing around it."""
    items = [tuple(part.split("=", 1)) for part in question.split("&")]
    query = parse_query(type_, items)  # type: ignore[arg-type]
    async with database.reading() as tx:
        plan, sql = await (await Asked.of(tx, query, sight_of(None))).statement()
    if query.only_total:
        sql = f"select count(*) from {plan.source} where {plan.where}"
    text, values = plan.arguments.used(sql)
    return asking_b(app, text, *values)


def asking_b(connection: Any, sql: str, *arguments: Any) -> Ask:
    async def ask() -> int:
        rows = await connection.fetch(sql, *arguments)
        return rows[0][0] if rows and "count" in rows[0] else len(rows)

    return ask


async def timed(ask: Ask) -> str:
    await ask()
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        count = await ask()
        took.append((time.perf_counter() - began) * 1000)
    p95 = sorted(took)[int(len(took) * 0.95)]
    return f"{statistics.median(took):.2f} / {p95:.2f} ({count})"


def pairs(facts: dict[str, str]) -> list[tuple[str, str, str, str, list[Any]]]:
    """Name; type and question for G; SQL and arguments for B+."""
    o, e, n = "bplus.observation", "bplus.encounter", "order by lo desc limit 50"
    code, patient, rare = facts["code"], facts["patient"], "urn:local|L10"
    body = f"select body from {o} where tenant = 1 and"
    return [
        ("patient, newest 50", "Observation", f"patient={patient}&_count=50", f"{body} patient = $1 {n}", [patient]),
        ("patient + code", "Observation", f"patient={patient}&code={code}", f"{body} patient = $1 and code @> $2 {n}", [patient, [code]]),
        ("code, newest 50", "Observation", f"code={code}&_count=50", f"{body} code[1] = $1 {n}", [code]),
        ("second coding", "Observation", f"code={rare}&_count=50", f"{body} code @> $1 {n}", [[rare]]),
        ("code without system", "Observation", f"code={code.split('|')[1]}&_count=50", f"{body} tok @> $1 {n}", [[f"code:|{code.split('|')[1]}"]]),
        ("code + month", "Observation", f"code={code}&date=ge2015-03-01&date=lt2015-04-01", f"{body} code[1] = $1 and lo >= '2015-03-01' and lo < '2015-04-01' {n}", [code]),
        ("status alone, rare", "Observation", "status=amended", f"{body} tok @> $1 {n}", [["status:|amended"]]),
        ("encounter", "Observation", f"encounter=Encounter/{facts['encounter']}", f"{body} ref @> $1 {n}", [[f"encounter:Encounter/{facts['encounter']}"]]),
        ("Encounter, a month", "Encounter", "date=ge2015-03-01&date=lt2015-04-01", f"select body from {e} where tenant = 1 and lo >= '2015-03-01' and lo < '2015-04-01' {n}", []),
        ("Patient, name begins", "Patient", f"name={facts['name']}", "select body from bplus.patient where tenant = 1 and names like $1 limit 50", [f"%{facts['name']}%"]),
        ("exact count by code", "Observation", f"code={code}&_summary=count", f"select count(*) from {o} where tenant = 1 and code @> $1", [[code]]),
    ]  # fmt: skip


async def wal(owner: Any) -> int:
    return await owner.fetchval("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")


async def size(owner: Any, schema: str, tables: str = "") -> int:
    return await owner.fetchval(
        "select sum(pg_total_relation_size(c.oid))::bigint from pg_class c where c.relkind = 'r' "
        "and c.relnamespace = $1::regnamespace and ($2 = '' or c.relname = any(string_to_array($2, ' ')))",
        schema,
        tables,
    )


async def compare(server: EmbeddedServer, most: int) -> None:
    await migrate(server.owner_dsn)
    owner = await asyncpg.connect(server.owner_dsn)
    await owner.execute("create schema bplus")
    loaded = bundles(most)
    total = sum(map(len, loaded))
    database = await Database.open(server.app_dsn)
    app = await asyncpg.connect(
        server.app_dsn,
        server_settings={
            "liane.tenant": "1",
            "jit": "off",
            "plan_cache_mode": "force_custom_plan",
        },
    )
    free = await asyncpg.connect(server.owner_dsn, server_settings={"jit": "off"})
    bplus = BPlus(app)
    now = database.clock.now()
    print(f"{total} resources, {len(loaded)} bundles, {os.cpu_count()} processors\n")
    print("| | G | B+ |\n|---|---|---|")
    at, began = await wal(owner), time.perf_counter()
    for resources in loaded:
        async with database.transaction() as tx:
            await write_many(tx, [Write(resource) for resource in resources])
    g_seconds, g_wal = time.perf_counter() - began, await wal(owner) - at
    for type_ in sorted({r["resourceType"] for resources in loaded for r in resources}):
        await bplus.table(owner, type_)
    at, began = await wal(owner), time.perf_counter()
    for resources in loaded:
        await bplus.store(resources, now)
    b_seconds, b_wal = time.perf_counter() - began, await wal(owner) - at
    print(f"| bundles, resources/s | {total / g_seconds:.0f} | {total / b_seconds:.0f} |")
    print(f"| WAL bytes per resource | {g_wal / total:.0f} | {b_wal / total:.0f} |")
    tables = "resource ix ix_date ix_number ix_text content"
    g_size, b_size = await size(owner, "record", tables), await size(owner, "bplus")
    print(f"| bytes per resource | {g_size / total:.0f} | {b_size / total:.0f} |")
    print(f"| read by id, ms | {await timed(_reading(database, loaded))} | |")
    await owner.execute("vacuum analyze")
    facts = await interesting(owner)
    print(
        "\n| question: ms, median / p95 (found) | G | B+ | B+ without the wall | G, the whole search |"
        "\n|---|---|---|---|---|"
    )
    for name, type_, question, sql, arguments in pairs(facts):
        whole = await timed(asking_g(database, type_, question))
        g = await timed(await statement_of(database, app, type_, question))
        b = await timed(asking_b(app, sql, *arguments))
        unwalled = await timed(asking_b(free, sql, *arguments))
        print(f"| {name} | {g} | {b} | {unwalled} | {whole} |")
    await mixed(database)
    for connection in (owner, app, free):
        await connection.close()
    await database.close()


def _reading(database: Database, loaded: list[list[Resource]]) -> Ask:
    ids = iter([(r["resourceType"], r["id"]) for r in loaded[0]] * RUNS)

    async def ask() -> int:
        async with database.reading() as tx:
            return 0 if await read(tx, *next(ids)) is None else 1

    return ask


async def interesting(owner: Any) -> dict[str, str]:
    """A frequent code, a patient with much, an encounter and a name of the data."""
    code = await owner.fetchval(
        "select code[1] from bplus.observation where code <> '{}' group by 1 order by count(*) desc limit 1"
    )
    patient = await owner.fetchval(
        "select patient from bplus.observation where patient is not null group by 1 "
        "order by count(*) desc limit 1"
    )
    encounter = await owner.fetchval("select id from bplus.encounter order by id limit 1")
    names = await owner.fetchval("select names from bplus.patient order by id limit 1")
    return {"code": code, "patient": patient, "encounter": encounter, "name": names[:4]}


async def mixed(database: Database) -> None:
    """8 clients create, correct and search at once, for five seconds."""
    stop = time.perf_counter() + 5
    took: dict[str, list[float]] = {"create 6": [], "correct 1": [], "search": []}

    async def client(n: int) -> None:
        turn = 0
        while time.perf_counter() < stop:
            turn += 1
            made = [_result(n, turn, i) for i in range(6)]
            began = time.perf_counter()
            async with database.transaction() as tx:
                versions = await write_many(tx, [Write(resource) for resource in made])
            took["create 6"].append(time.perf_counter() - began)
            began = time.perf_counter()
            async with database.transaction() as tx:
                corrected = versions[0].resource | {"status": "corrected"}
                await write_many(tx, [Write(corrected)])
            took["correct 1"].append(time.perf_counter() - began)
            began = time.perf_counter()
            await asking_g(database, "Observation", f"patient=b{n}&code=718-7")()
            took["search"].append(time.perf_counter() - began)

    await asyncio.gather(*(client(n) for n in range(8)))
    print("\n| 8 clients mixed, 5 s | per s | median ms | p95 ms |\n|---|---|---|---|")
    for name, seconds in took.items():
        ordered = sorted(seconds)
        p50, p95 = ordered[len(ordered) // 2] * 1000, ordered[int(len(ordered) * 0.95)] * 1000
        print(f"| {name} | {len(ordered) / 5:.0f} | {p50:.1f} | {p95:.1f} |")


def _result(client: int, turn: int, n: int) -> Resource:
    unit = {"value": 12 + n, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}
    return {
        "resourceType": "Observation",
        "status": "final",
        "identifier": [{"system": "urn:bench", "value": f"{client}|{turn}|{n}"}],
        "category": [{"coding": [{"system": "urn:category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/b{client}"},
        "effectiveDateTime": f"2026-03-01T08:{turn % 60:02d}:00Z",
        "valueQuantity": unit,
    }


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="liane-bench-"))
    try:
        with EmbeddedServer(home) as server:
            asyncio.run(compare(server, int(sys.argv[1]) if len(sys.argv) > 1 else 120))
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
