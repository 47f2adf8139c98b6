"""With the tenant wall up, every way into the record reads an index, never the whole table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from liane.store import Database
from liane.store.resources import Write, write_many
from liane.store.search import parse_query
from liane.store.search.model import sight_of
from liane.store.search.running import Asked


def observation(n: int) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{n}",
        "status": "amended" if n % 500 == 0 else "final",
        "identifier": [{"system": "urn:x", "value": f"v{n}"}],
        "category": [{"coding": [{"system": "urn:c", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": f"c{n % 40}"}]},
        "subject": {"reference": f"Patient/p{n % 100}"},
        "encounter": {"reference": f"Encounter/e{n % 300}"},
        "effectiveDateTime": f"2026-{n % 12 + 1:02d}-{n % 28 + 1:02d}T08:00:00Z",
        "valueQuantity": {"value": n, "unit": "g", "system": "urn:u", "code": "g"},
    }


@pytest.fixture
async def large(database: Database, test_database: Any) -> Database:
    import asyncpg

    for start in range(0, 6000, 500):
        async with database.transaction() as tx:
            await write_many(tx, [Write(observation(n)) for n in range(start, start + 500)])
    async with database.transaction() as tx:
        people = [
            {"resourceType": "Patient", "id": f"p{n}", "name": [{"family": f"Nom{n}"}]}
            for n in range(1500)
        ]
        await write_many(tx, [Write(person) for person in people])
    owner = await asyncpg.connect(test_database.owner_dsn)
    await owner.execute("analyze")
    await owner.close()
    return database


QUESTIONS = [
    ("Observation", "patient=p7"),
    ("Observation", "patient=p7&code=c7"),
    ("Observation", "patient=p7&date=ge2026-03-01"),
    ("Observation", "code=c7"),
    ("Observation", "code=http://loinc.org|c7&_sort=-date"),
    ("Observation", "code=c7,c8"),
    ("Observation", "code=c7&date=ge2026-03-01&date=lt2026-03-05"),
    ("Observation", "status=amended"),
    ("Observation", "identifier=urn:x|v77"),
    ("Observation", "encounter=Encounter/e5"),
    ("Observation", "date=2026-03-01"),
    ("Observation", "code-value-quantity=c7$gt5900"),
    ("Observation", "_sort=-_lastUpdated"),
    ("Observation", "_id=o5,o6"),
    ("Observation", ""),
    ("Patient", "name=nom77"),
    ("Patient", "name:exact=Nom77"),
]


async def test_no_question_reads_a_whole_table(large: Database) -> None:
    for type_, question in QUESTIONS:
        items = [tuple(part.split("=", 1)) for part in question.split("&") if part]
        async with large.reading() as tx:
            await tx.plan_for_values()
            query = parse_query(type_, items)  # type: ignore[arg-type]
            plan, statement = await (await Asked.of(tx, query, sight_of(None))).statement()
            sql, values = plan.arguments.used(statement)
            (row,) = await tx.fetch(f"explain (format json, analyze) {sql}", *values)
        told = json.loads(row[0])[0]
        scans = list(_scans(told["Plan"]))
        assert "Seq Scan" not in {scan["Node Type"] for scan in scans}, (question, scans)
        read = max(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans)
        assert read <= 1600, (question, read)


async def test_a_page_by_code_reads_no_more_when_there_is_more(large: Database) -> None:
    """150 rows have the code c7, 6,000 the category: a page of 20 costs the same."""
    for question in (
        "code=c7",
        "code=http://loinc.org|c7&_sort=-date",
        "category=laboratory",
        "category=urn:c|laboratory&_sort=date",
        "category=laboratory&code:not=c7",
        "category=laboratory&date=ge2026-03-01",
        "category=laboratory&date=lt2026-03-01",
        "date=lt2026-06",
        "category=laboratory,other&status=final",
    ):
        items = [tuple(part.split("=", 1)) for part in question.split("&")]
        query = parse_query("Observation", [*items, ("_count", "20")])  # type: ignore[list-item]
        async with large.reading() as tx:
            await tx.plan_for_values()
            plan, statement = await (await Asked.of(tx, query, sight_of(None))).statement()
            sql, values = plan.arguments.used(statement)
            (row,) = await tx.fetch(f"explain (format json, analyze) {sql}", *values)
        scans = list(_scans(json.loads(row[0])[0]["Plan"]))
        read = max(
            (scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"]
            for scan in scans
        )
        assert read <= 64, (question, read)


async def test_a_resource_is_read_and_written_by_index(large: Database) -> None:
    from liane.store.resources import Q

    for sql, arguments in (
        (Q.read, ("Observation", "o5")),
        (Q.read_many, ("Observation", ["o5", "o6"])),
        (Q.lock, ("{Observation}", "{o5}")),
        (Q.history_of_type, (["Observation"], None, None, None, 50, None, None, None)),
    ):
        async with large.transaction() as tx:
            (row,) = await tx.fetch(f"explain (format json) {sql}", *arguments)
        names = {scan["Node Type"] for scan in _scans(json.loads(row[0])[0]["Plan"])}
        assert "Seq Scan" not in names, (sql, names)


def _scans(node: dict[str, Any]) -> Any:
    if not node.get("Relation Name", "history").startswith(("history", "buried", "content")):
        yield node  # those others are empty here
    for child in node.get("Plans", ()):
        yield from _scans(child)
