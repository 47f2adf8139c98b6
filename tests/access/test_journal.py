"""Does every act leave its trace, together with the act or not at all?"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from liane.access import journal, journal_reads
from liane.access.actor import Actor
from liane.access.journal import Act
from liane.store import Database


async def entries(database: Database) -> list[Any]:
    async with database.reading() as tx:
        return await tx.fetch("select * from journal.entry order by id")


async def test_an_entry_commits_with_its_act(database: Database, nurse: Actor) -> None:
    async with database.transaction() as tx:
        await journal.record(
            tx, nurse, "write", patient="p1", resource="Observation/1", detail={"reason": "note"}
        )
    (entry,) = await entries(database)
    assert (entry["actor"], entry["patient"], entry["action"]) == ("pr-nurse", "p1", "write")
    assert (entry["actor_role"], entry["establishment"]) == ("ide", "chu")
    assert entry["detail"] == '{"reason": "note"}'
    assert len(entry["leaf_hash"]) == 32


async def test_an_entry_disappears_with_an_act_that_failed(
    database: Database, nurse: Actor
) -> None:
    async def fail() -> None:
        async with database.transaction() as tx:
            await journal.record(tx, nurse, "write", patient="p1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await entries(database) == []


async def test_hostile_text_is_kept_as_text(database: Database, nurse: Actor) -> None:
    async with database.transaction() as tx:
        await journal.record(
            tx, nurse, "write\x00\ud800", patient="p'; drop--", detail={"é\x00": "\ud800"}
        )
    (entry,) = await entries(database)
    assert entry["patient"] == "p'; drop--"
    assert "\x00" not in entry["action"]


async def test_many_entries_are_one_statement_and_hash_alike(
    database: Database, nurse: Actor
) -> None:
    async with database.transaction() as tx:
        await journal.record_many(tx, nurse, [Act("read", f"p{n}") for n in range(200)])
    kept = await entries(database)
    assert len(kept) == 200
    names = [
        "tenant", "at", "actor", "actor_kind", "actor_name", "actor_role", "session", "action",
        "purpose", "establishment", "patient", "resource", "outcome", "detail", "id",
    ]  # fmt: skip
    for entry in kept:
        assert journal.leaf_hash(tuple(entry[name] for name in names)) == entry["leaf_hash"]


async def test_reads_are_released_after_their_entry_is_committed(
    database: Database, nurse: Actor
) -> None:
    async def read(number: int) -> int:
        await journal.record_reads(database, nurse, "read chart", patients=[f"p{number}"])
        return len([e for e in await entries(database) if e["patient"] == f"p{number}"])

    assert await asyncio.gather(*[read(n) for n in range(60)]) == [1] * 60


async def test_concurrent_reads_share_a_commit(database: Database, nurse: Actor) -> None:
    await asyncio.gather(
        *[
            journal.record_reads(database, nurse, "read chart", patients=[f"p{n}"])
            for n in range(50)
        ]
    )
    async with database.reading() as tx:
        commits = await tx.fetchval("select count(distinct xmin::text) from journal.entry")
    assert commits <= 3


async def test_a_read_whose_trace_cannot_be_kept_is_refused(
    database: Database, nurse: Actor, owner: Any
) -> None:
    await owner.execute("alter table journal.entry add constraint broken check (action <> 'x')")
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await journal.record_reads(database, nurse, "x", patients=["p1"])
        await journal.record_reads(database, nurse, "read", patients=["p1"])
    finally:
        await owner.execute("alter table journal.entry drop constraint broken")
    assert len(await entries(database)) == 1


async def test_nobody_updates_deletes_or_empties_the_journal(
    database: Database, nurse: Actor, owner: Any
) -> None:
    async with database.transaction() as tx:
        await journal.record(tx, nurse, "read", patient="p1")
    for attack in (
        "update journal.entry set actor = 'someone else'",
        "update journal.entry set seq = 1, actor = 'x', chain_seq = 1, sealed_at = now()",
        "delete from journal.entry",
        "truncate journal.entry",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await owner.execute(attack)
        with pytest.raises(asyncpg.PostgresError):
            async with database.transaction() as tx:
                await tx.execute(attack)
    assert len(await entries(database)) == 1


async def test_entries_of_another_tenant_cannot_be_seen_or_written(
    database: Database, nurse: Actor
) -> None:
    async with database.transaction() as tx:
        await journal.record(tx, nurse, "read", patient="p1")
    async with database.transaction() as tx:
        await tx.execute("set local liane.tenant = '2'")
        assert await tx.fetchval("select count(*) from journal.entry") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await journal.record(tx, nurse, "read", patient="p1")


def test_a_queue_of_reads_is_cut_into_batches(database: Database) -> None:
    queue = journal_reads.ReadJournal(database)
    loop = asyncio.new_event_loop()
    for _ in range(3):
        queue._waiting.append(([()] * 1500, loop.create_future()))
    assert [len(queue._take()), len(queue._take())] == [2, 1]
    loop.close()
