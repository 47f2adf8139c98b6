"""How fast is a code system of 100,000 concepts: expansion by words, subsumption, membership?

Run: .venv/bin/python bench/terminology.py [CONCEPTS]
"""

from __future__ import annotations

import asyncio
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg

from liane.store import Database, Tx
from liane.store.embedded import EmbeddedServer
from liane.store.migrate import migrate
from liane.store.terminology import (
    Wish,
    below,
    expand,
    look_up,
    member,
    project,
    relation,
    resolving,
)
from liane.store.terminology.code_systems import Content
from liane.store.terminology.concepts import Concept, Designation, Header, Property
from liane.store.terminology.filling import keep_header, replace_concepts

WORDS = [
    "fracture",
    "femur",
    "glucose",
    "sang",
    "urine",
    "masse",
    "volume",
    "cardiaque",
    "insuffisance",
    "renale",
    "aigue",
    "chronique",
    "tumeur",
    "maligne",
    "benigne",
    "sein",
    "poumon",
    "foie",
    "droite",
    "gauche",
    "superieur",
    "inferieur",
    "infection",
    "virale",
    "bacterienne",
    "anticorps",
    "antigene",
    "mesure",
    "serum",
    "plasma",
    "presence",
    "cellules",
]
URL = "urn:bench:system"
Asked = Callable[[Tx], Awaitable[Any]]


def invented(count: int) -> Content:
    """A system of so many invented concepts, each below one or two others."""
    chance = random.Random(1)
    content = Content(Header(URL, "1", value_set=f"{URL}/all"))
    for n in range(count):
        words = f"{' '.join(chance.sample(WORDS, 5))} {n}"
        content.concepts.append(
            Concept(
                f"C{n:06d}",
                words,
                id=n,
                designations=(Designation(f"autre {words}", "fr"),),
                properties=(Property("axis", WORDS[n % 30], {"valueCode": WORDS[n % 30]}),),
            )
        )
        if n:
            more = [chance.randrange(n)] if n % 5 == 0 else []
            content.parents[n] = list(dict.fromkeys([(n - 1) // 8, *more]))
    return content


async def timed(database: Database, name: str, ask: Asked, times: int = 50) -> None:
    """Median, 95th percentile and worst of one question."""
    spent = []
    for _ in range(times):
        async with database.reading() as tx:
            start = time.perf_counter()
            await ask(tx)
            spent.append((time.perf_counter() - start) * 1000)
    spent.sort()
    worst = spent[int(times * 0.95) - 1]
    print(
        f"{name:<44} p50 {statistics.median(spent):7.2f}  p95 {worst:7.2f}  max {spent[-1]:7.2f} ms"
    )


def filtered(property_: str, op: str, value: str) -> dict[str, Any]:
    """A value set of one filter."""
    one = {"property": property_, "op": op, "value": value}
    return {"resourceType": "ValueSet", "compose": {"include": [{"system": URL, "filter": [one]}]}}


async def measure(server: EmbeddedServer, count: int) -> None:
    """Load, then ask."""
    await migrate(server.owner_dsn)
    content = invented(count)
    chance = random.Random(2)
    async with await Database.open(server.app_dsn, projections=(project,)) as database:
        start = time.perf_counter()
        async with database.transaction() as tx:
            number = await keep_header(tx, "bench", content.header, tx.now)
            await replace_concepts(tx, number, content, loaded=True)
        print(f"loaded {count} concepts in {time.perf_counter() - start:.1f} s")
        owner = await asyncpg.connect(server.owner_dsn)
        await owner.execute("vacuum analyze")
        pairs = await owner.fetchval("select count(*) from terminology.closure")
        size = await owner.fetchval(
            "select pg_size_pretty(sum(pg_total_relation_size(oid))) from pg_class "
            "where relnamespace = 'terminology'::regnamespace and relkind = 'r'"
        )
        await owner.close()
        print(f"{pairs} pairs in the closure, {size} on disk")

        def any_code() -> str:
            return f"C{chance.randrange(count):06d}"

        async def subsumed(tx: Tx) -> Any:
            return await relation(tx, await resolving.system(tx, URL), "C000003", any_code())

        async def found(tx: Tx) -> Any:
            return await look_up(tx, await resolving.system(tx, URL), any_code())

        async def probe(tx: Tx) -> Any:
            return await tx.fetchval(
                "select exists (select from terminology.closure where tenant = $1 and system = $2 "
                "and ancestor = 3 and descendant = $3)",
                tx.tenant,
                number,
                chance.randrange(count),
            )

        for text in ("femur", "fract fem", "tumeur maligne sein", "C0999", "f", "zzz"):
            await timed(
                database,
                f"$expand filter={text} count=20",
                lambda tx, text=text: expand(tx, f"{URL}/all", Wish(filter=text, count=20)),
            )
        for name, chosen in (
            ("is-a (18 %)", filtered("concept", "is-a", "C000003")),
            ("property =", filtered("axis", "=", "femur")),
        ):
            await timed(
                database,
                f"$expand {name} count=20",
                lambda tx, chosen=chosen: expand(tx, chosen, Wish(count=20)),
            )
        await timed(database, "$subsumes", subsumed, 300)
        await timed(database, "one probe of the closure", probe, 300)
        await timed(database, "$lookup", found, 300)
        whole = f"{URL}/all"
        await timed(database, "member, stored", lambda tx: member(tx, whole, URL, any_code()), 300)
        status = "http://hl7.org/fhir/ValueSet/observation-status"
        await timed(database, "member, of R4", lambda tx: member(tx, status, "", "final"), 300)
        await timed(database, "below (some hundred codes)", lambda tx: below(tx, URL, "C000100"))


def main() -> None:
    """Everything on a database of its own."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    home = Path(tempfile.mkdtemp(prefix="liane-bench-terminology-"))
    server = EmbeddedServer(home)
    server.start()
    try:
        asyncio.run(measure(server, count))
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
