"""Old versions and the journal lie in the table of their month; nobody reads one past the wall."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from liane.base.clock import FrozenClock
from liane.store import Database, months
from liane.store.resources import create, delete, history, put, read, vread


def patient(name: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "m1", "name": [{"family": name}]}


async def parts_of(database: Database, table: str) -> dict[str, int]:
    async with database.reading() as tx:
        rows = await tx.fetch(f"select tableoid::regclass::text, count(*) from {table} group by 1")
    return {row[0]: row[1] for row in rows}


async def test_each_version_lies_in_the_month_it_was_written(database: Database) -> None:
    now = datetime.now(UTC)
    database.clock = FrozenClock(now)
    async with database.transaction() as tx:
        await put(tx, patient("A"))
    database.clock = FrozenClock(datetime(2019, 5, 1, tzinfo=UTC))
    async with database.transaction() as tx:
        old = await create(tx, {"resourceType": "Patient", "name": [{"family": "Z"}]})
    database.clock = FrozenClock(now)
    async with database.transaction() as tx:
        await put(tx, patient("B"))
        await put(tx, {**old.resource, "active": True})
    this_month = f"record.history_{now:%Y_%m}"
    assert await parts_of(database, "record.history") == {this_month: 1, "record.history_other": 1}
    async with database.reading() as tx:
        assert [v.version for v in await history(tx, "Patient", "m1")] == [2, 1]
        first = await vread(tx, "Patient", "m1", 1)
        assert first is not None
        assert first.resource["name"] == [{"family": "A"}]


async def test_a_deleted_id_goes_on_counting_whatever_the_month(database: Database) -> None:
    for year in (2026, 2027):
        database.clock = FrozenClock(datetime(year, 1, 1, tzinfo=UTC))
        async with database.transaction() as tx:
            await put(tx, patient(str(year)))
        async with database.transaction() as tx:
            await delete(tx, "Patient", "m1")
    async with database.transaction() as tx:
        again = await put(tx, patient("again"))
        assert again.version == 5
        found = await read(tx, "Patient", "m1")
        assert found is not None
        assert not found.deleted


async def test_the_coming_months_are_made_in_advance_and_once(database: Database) -> None:
    async with database.transaction() as tx:
        assert await months.keep(tx) == 0
        names = await tx.fetch(
            "select inhrelid::regclass::text from pg_inherits "
            "where inhparent = 'journal.entry'::regclass"
        )
    assert len(names) == 4  # this month, two to come, and all others


@pytest.mark.parametrize("table", ["record.history", "journal.entry"])
async def test_no_part_is_read_past_the_wall(database: Database, table: str) -> None:
    part = f"{table}_{datetime.now(UTC):%Y_%m}"
    for name in (part, f"{table}_other"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.reading() as tx:
                await tx.fetch(f"select * from {name}")
