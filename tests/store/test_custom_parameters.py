"""A search parameter of one's own: indexed while writes go on, asked only when complete, and gone
without a trace when deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from liane.base.errors import Invalid
from liane.store import Database, jobs
from liane.store.resources import Write, delete, put, write_many
from liane.store.search import custom, indexing, parse_query, run

PARAMETER: dict[str, Any] = {
    "resourceType": "SearchParameter",
    "id": "shoe-size",
    "url": "http://example.org/SearchParameter/shoe-size",
    "name": "ShoeSize",
    "status": "active",
    "description": "La pointure",
    "code": "shoe-size",
    "base": ["Patient"],
    "type": "number",
    "expression": "Patient.extension.where(url = 'http://example.org/shoe').value as integer",
}


def patient(n: int, size: int) -> dict[str, Any]:
    shoe = {"url": "http://example.org/shoe", "valueInteger": size}
    return {"resourceType": "Patient", "id": f"p{n}", "extension": [shoe]}


@pytest.fixture
async def own(
    database: Database, test_database: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    monkeypatch.setattr(custom, "FRESH_SECONDS", 0.05)
    monkeypatch.setattr(indexing, "FRESH_SECONDS", 0.05)
    custom.take(database.tenant, ())
    opened = await Database.open(test_database.app_dsn, projections=(custom.project,))
    yield opened
    await opened.close()
    custom.take(database.tenant, ())


async def write(database: Database, *resources: dict[str, Any]) -> None:
    async with database.transaction() as tx:
        await write_many(tx, [Write(one) for one in resources])


async def work(database: Database) -> None:
    """Run what the worker would run."""
    async with database.transaction() as tx:
        rows = await tx.fetch("select id, kind, key, payload::text, enqueued from work.job")
        await tx.execute("delete from work.job")
    for row in rows:
        job = jobs.Job(row["id"], row["kind"], row["key"], {"id": row["key"]}, 1, row["enqueued"])
        await indexing.HANDLERS[row["kind"]](database, job)


async def found(database: Database, question: str, type_: str = "Patient") -> set[str]:
    items = [tuple(part.split("=", 1)) for part in question.split("&")]
    async with database.reading() as tx:
        await custom.keep_fresh(tx)
        query = parse_query(type_, [*items, ("_count", "1000")], tenant=tx.tenant)  # type: ignore[list-item]
        return {version.id for version in (await run(tx, query)).versions}


async def test_a_parameter_is_asked_once_its_index_is_complete(own: Database) -> None:
    await write(own, *(patient(n, 36 + n % 5) for n in range(450)))
    await write(own, PARAMETER)
    with pytest.raises(Invalid, match="shoe-size"):
        await found(own, "shoe-size=38")
    await work(own)
    assert await found(own, "shoe-size=38") == {f"p{n}" for n in range(450) if n % 5 == 2}
    assert await found(own, "shoe-size=ge40") == {f"p{n}" for n in range(450) if n % 5 == 4}
    await write(own, patient(2, 44), patient(900, 38))
    assert "p2" not in await found(own, "shoe-size=38")
    assert "p900" in await found(own, "shoe-size=38")
    assert await found(own, "shoe-size=44") == {"p2"}
    assert len(await found(own, "shoe-size:missing=false")) == 451


async def test_writes_during_the_walk_are_found(own: Database) -> None:
    await write(own, *(patient(n, 40) for n in range(600)))
    await write(own, PARAMETER)
    walking = asyncio.create_task(work(own))
    n = 1000
    while not walking.done():
        await write(own, patient(n, 41), patient(n % 600, 41))
        n += 1
        await asyncio.sleep(0.01)
    await walking
    assert n > 1001
    changed = {f"p{k}" for k in range(1000, n)} | {f"p{k % 600}" for k in range(1000, n)}
    assert await found(own, "shoe-size=41") == changed
    assert await found(own, "shoe-size=40") == {f"p{k}" for k in range(600)} - changed


async def test_a_deleted_parameter_leaves_no_key(own: Database) -> None:
    await write(own, *(patient(n, 40) for n in range(20)))
    async with own.reading() as tx:
        before = await tx.fetchval("select sum(cardinality(keys)) from record.resource")
    await write(own, PARAMETER)
    await work(own)
    async with own.transaction() as tx:
        await delete(tx, "SearchParameter", "shoe-size")
    await work(own)
    with pytest.raises(Invalid, match="shoe-size"):
        await found(own, "shoe-size=40")
    async with own.reading() as tx:
        assert await tx.fetchval("select sum(cardinality(keys)) from record.resource") == before
        assert await tx.fetchval("select count(*) from record.ix_number") == 0


async def test_a_changed_expression_replaces_the_index(own: Database) -> None:
    await write(own, patient(1, 40))
    await write(own, PARAMETER)
    await work(own)
    async with own.transaction() as tx:
        coded = {"code": "shoe-size", "type": "token", "expression": "Patient.id"}
        await put(tx, PARAMETER | coded)
    await work(own)
    assert await found(own, "shoe-size=p1") == {"p1"}
    async with own.reading() as tx:
        assert await tx.fetchval("select count(*) from record.ix_number") == 0


async def test_an_expression_that_is_none_is_told(own: Database) -> None:
    await write(own, PARAMETER | {"expression": "Patient.where("})
    async with own.reading() as tx:
        (one,) = await custom.refresh(tx)
    assert one.state == "wrong"
    assert one.problem


async def test_a_whole_walk_puts_lost_keys_back(own: Database) -> None:
    await write(own, patient(1, 40) | {"gender": "female"})
    async with own.transaction() as tx:
        await tx.execute("delete from record.ix")
        await tx.execute("update record.resource set keys = '{1}'")
    assert await found(own, "gender=female") == set()
    async with own.transaction() as tx:
        await indexing.begin_whole(tx, ["Patient"])
    await work(own)
    assert await found(own, "gender=female") == {"p1"}
    async with own.reading() as tx:
        (one,) = await custom.refresh(tx)
        assert 1 not in await tx.fetchval("select keys from record.resource")
    assert (one.state, one.done, one.total) == ("done", 1, 1)


async def test_a_whole_walk_takes_away_what_is_filed_wrongly(
    own: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dates, numbers and texts under which a resource should not be found."""
    await write(own, *(patient(n, 40) | {"birthDate": f"19{n:02}-05-04"} for n in range(10, 60)))
    monkeypatch.setattr(indexing, "WINDOW", 17)
    named = {"name": [{"family": "Dupont"}]}
    await write(own, patient(1, 40) | {"birthDate": "1950-02-03"} | named)
    tables = ("ix_date", "ix_number", "ix_text")
    async with own.transaction() as tx:
        before = [set(await tx.fetch(f"select * from record.{one}")) for one in tables]
        await tx.execute(
            "insert into record.ix_date select h, low + 86400000, high + 86400000, rid "
            "from record.ix_date"
        )
        await tx.execute("insert into record.ix_number select 7, 3, 3, rid from record.resource")
        await tx.execute(
            "insert into record.ix_text select tenant, h, 'martin', rid from record.ix_text"
        )
    assert "p1" in await found(own, "family=martin")
    assert "p1" in await found(own, "birthdate=1950-02-04")
    async with own.transaction() as tx:
        await indexing.begin_whole(tx, ["Patient"])
    await work(own)
    assert await found(own, "family=martin") == set()
    assert await found(own, "family=dupont") == {"p1"}
    async with own.reading() as tx:
        after = [set(await tx.fetch(f"select * from record.{one}")) for one in tables]
    assert after == before
