"""A resource comes back exactly as it was stored, in every version."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from liane.base import heap
from liane.base.errors import Conflict, Invalid, NotFound
from liane.store import Database
from liane.store.resources import (
    HistoryCursor,
    Version,
    Write,
    create,
    delete,
    history,
    put,
    read,
    read_many,
    vread,
    write_many,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def weight(value: str, patient: str = "p1", id_: str = "w1") -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-03-01T08:00:00Z",
        "valueQuantity": {
            "value": Decimal(value),
            "unit": "kg",
            "system": "http://unitsofmeasure.org",
            "code": "kg",
        },
    }


async def test_72_50_stays_72_50_through_create_read_update_and_history(database: Database) -> None:
    async with database.transaction() as tx:
        created = await create(tx, weight("72.50"))
    async with database.transaction() as tx:
        found = await read(tx, "Observation", created.id)
        assert found == created
        assert '"value":72.50,' in found.body
        changed = found.resource
        changed["status"] = "amended"
        updated = await put(tx, changed)
        assert updated.version == 2
    async with database.reading() as tx:
        versions = await history(tx, "Observation", created.id)
        assert [v.version for v in versions] == [2, 1]
        assert all('"value":72.50,' in v.body for v in versions)
        assert await vread(tx, "Observation", created.id, 1) == created


async def test_an_identical_body_makes_no_new_version_but_another_precision_does(
    database: Database,
) -> None:
    async with database.transaction() as tx:
        first = await put(tx, weight("72.50"))
        assert await put(tx, weight("72.50")) == first
        assert await put(tx, first.resource) == first
        assert (await put(tx, weight("72.5"))).version == 2


async def test_a_create_takes_a_new_id_and_an_update_keeps_the_one_it_carries(
    database: Database,
) -> None:
    async with database.transaction() as tx:
        created = await create(tx, weight("70", id_="mine"))
        assert created.id != "mine"
        kept = await put(tx, weight("70", id_="mine"))
        assert (kept.id, kept.version) == ("mine", 1)
        assert set(await read_many(tx, "Observation", ["mine", created.id, "other"])) == {
            "mine",
            created.id,
        }


async def test_a_deleted_resource_is_told_as_deleted_and_may_come_back(database: Database) -> None:
    async with database.transaction() as tx:
        await put(tx, weight("70"))
        gone = await delete(tx, "Observation", "w1")
        assert gone is not None
        assert (gone.version, gone.deleted) == (2, True)
        assert await read(tx, "Observation", "w1") == gone
        assert await read_many(tx, "Observation", ["w1"]) == {}
        again = await delete(tx, "Observation", "w1")
        assert again is not None
        assert again.version == 2
        back = await put(tx, weight("71"))
        assert back.version == 3
        assert await read(tx, "Observation", "w1") == back
        versions = await history(tx, "Observation", "w1")
        assert [(v.version, v.deleted) for v in versions] == [(3, False), (2, True), (1, False)]
        assert await delete(tx, "Observation", "never") is None
        assert await read(tx, "Observation", "never") is None


async def test_a_stale_writer_is_refused(database: Database) -> None:
    async with database.transaction() as tx:
        await put(tx, weight("70"))
        await put(tx, weight("71"), if_match=1)
    with pytest.raises(Conflict) as refusal:
        async with database.transaction() as tx:
            await put(tx, weight("72"), if_match=1)
    assert refusal.value.code == "store.version-mismatch"
    with pytest.raises(NotFound):
        async with database.transaction() as tx:
            await put(tx, weight("72", id_="absent"), if_match=1)
    with pytest.raises(Conflict):
        async with database.transaction() as tx:
            await write_many(tx, [Write(weight("73"), must_be_new=True)])


async def test_what_fails_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(Invalid):  # noqa: PT012 - the transaction is what is tested
        async with database.transaction() as tx:
            await put(tx, weight("70"))
            await put(tx, {"resourceType": "NoSuchType", "id": "x"})
    async with database.reading() as tx:
        assert await read(tx, "Observation", "w1") is None
        assert await tx.fetchval("select count(*) from record.change") == 0
        assert await tx.fetchval("select count(*) from record.ix") == 0


async def test_many_writes_of_many_types_in_one_go(database: Database) -> None:
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Lenoir"}]}
    async with database.transaction() as tx:
        await put(tx, weight("70", id_="w1"))
        await put(tx, weight("70", id_="w2"))
        done = await write_many(
            tx,
            [
                Write(patient),
                Write(weight("71", id_="w1")),
                Write({"resourceType": "Observation"}, id="w2", deletes=True),
                Write(weight("70", id_="w3")),
            ],
        )
        assert [(v.type, v.version, v.deleted) for v in done] == [
            ("Patient", 1, False),
            ("Observation", 2, False),
            ("Observation", 2, True),
            ("Observation", 1, False),
        ]
        assert await tx.fetchval("select count(*) from record.resource") == 3
        assert await tx.fetchval("select patient from record.resource where id = 'w3'") == "p1"
        with pytest.raises(Invalid):
            await write_many(tx, [Write(patient), Write(patient)])


@pytest.fixture
def settled_heap() -> Iterator[None]:
    """As in our processes: what other tests left in memory is not looked through meanwhile."""
    before = gc.get_threshold()
    heap.settle()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("settled_heap")
async def test_a_very_large_write_lets_others_work_meanwhile(database: Database) -> None:
    longest, done, began = 0.0, asyncio.Event(), time.process_time()

    async def other_work() -> None:
        nonlocal longest
        while not done.is_set():
            # Processor time of this process: what other programs take of the machine is not asked.
            before = time.process_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.process_time() - before)

    other = asyncio.create_task(other_work())
    async with database.transaction() as tx:
        versions = await write_many(tx, [Write(weight("70", id_=f"w{n}")) for n in range(9000)])
    done.set()
    await other
    assert len(versions) == 9000
    # One piece among many, whatever the speed of the machine: never a quarter of the whole.
    assert longest < (time.process_time() - began) / 4
    async with database.reading() as tx:
        assert await tx.fetchval("select count(*) from record.resource") == 9000
        assert await tx.fetchval("select sum(size) from record.unannounced") == 9000


@pytest.mark.parametrize("odd", ['a","b', "a\\", "NULL", "{}", 'x"', "é,b"])
async def test_odd_words_of_a_reference_stay_one_word(database: Database, odd: str) -> None:
    async with database.transaction() as tx:
        await write_many(tx, [Write(weight("70", patient=odd)), Write(weight("71", id_="w2"))])
        rows = await tx.fetch("select id, version, body from record.resource order by id")
    assert [row["id"] for row in rows] == ["w1", "w2"]
    assert (
        f"Patient/{odd}"
        == Version("Observation", "w1", 1, NOW, False, rows[0]["body"]).resource["subject"][
            "reference"
        ]
    )


async def test_an_update_leaves_no_key_of_the_old_version(database: Database) -> None:
    async with database.transaction() as tx:
        await put(tx, weight("70"))
        before = [tuple(r) for r in await tx.fetch("select * from record.ix order by h")]
        dates = await tx.fetch("select * from record.ix_date")
        other = weight("70.5")
        other["code"] = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
        other["effectiveDateTime"] = "2026-04-01"
        await put(tx, other)
        await put(tx, weight("70"))
        after = [tuple(r) for r in await tx.fetch("select * from record.ix order by h")]
        assert after == before
        assert await tx.fetch("select * from record.ix_date") == dates
        await delete(tx, "Observation", "w1")
        for table in ("ix", "ix_date", "ix_number", "ix_text", "content", "resource"):
            assert await tx.fetchval(f"select count(*) from record.{table}") == 0


async def test_history_of_everything_is_read_page_by_page(database: Database) -> None:
    for n in range(5):
        async with database.transaction() as tx:
            await put(tx, weight(f"{70 + n}", id_="w1"))
            await put(tx, weight(f"{70 + n}", id_=f"x{n}"))
    seen: list[tuple[str, int]] = []
    cursor: HistoryCursor | None = None
    async with database.reading() as tx:
        while page := await history(tx, "Observation", count=3, before=cursor):
            seen += [(v.id, v.version) for v in page]
            last = page[-1]
            cursor = HistoryCursor(last.updated, last.type, last.id, last.version)
        assert len(seen) == len(set(seen)) == 10
        assert len(await history(tx, count=100)) == 10
        moment = (await vread(tx, "Observation", "w1", 2)).updated
        assert {v.version for v in await history(tx, "Observation", "w1", at=moment)} == {1, 2}
        assert {v.version for v in await history(tx, "Observation", "w1", since=moment)} == {
            2,
            3,
            4,
            5,
        }


async def test_two_coded_values_with_equal_numbers_do_not_mix(database: Database) -> None:
    async with database.transaction() as tx:
        written = await put(tx, weight("1.0"))
        assert written.resource["valueQuantity"]["value"].as_tuple() == Decimal("1.0").as_tuple()
