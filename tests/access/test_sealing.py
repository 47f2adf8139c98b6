"""Does the sealer give every committed entry exactly one place, without holes?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from liane.access import journal, sealing
from liane.access.actor import Actor, Role
from liane.access.journal import Act
from liane.access.sealing import seal_and_publish
from liane.access.verification import verify
from liane.access.witness import Witness
from liane.store import Database


async def write(database: Database, actor: Actor, count: int) -> None:
    async with database.transaction() as tx:
        await journal.record_many(tx, actor, [Act("read", f"p{n}") for n in range(count)])


async def test_committed_entries_get_numbers_without_holes(
    database: Database, nurse: Actor, witness: Witness
) -> None:
    await write(database, nurse, 3)

    async def fail() -> None:
        async with database.transaction() as tx:
            await journal.record(tx, nurse, "rolled back")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await seal_and_publish(database, witness) == 3
    await write(database, nurse, 2)
    assert await seal_and_publish(database, witness) == 2
    async with database.reading() as tx:
        rows = await tx.fetch("select seq from journal.entry order by seq")
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5]


async def test_each_establishment_has_its_own_chain(
    database: Database, nurse: Actor, witness: Witness, tmp_path: Path
) -> None:
    other = Actor("staff", "pr-2", "Paul", (Role("ide", "chg", ("uf-1",)),))
    for _ in range(2):
        await write(database, nurse, 2)
        await write(database, other, 1)
        await seal_and_publish(database, witness)
    async with database.reading() as tx:
        rows = await tx.fetch("select * from journal.chain order by establishment")
    assert [(row["establishment"], row["chain_seq"]) for row in rows] == [("chg", 2), ("chu", 4)]
    assert (await verify(database, tmp_path)).intact


async def test_many_sealers_and_writers_at_once_keep_one_order(
    database: Database, nurse: Actor, witness: Witness, tmp_path: Path
) -> None:
    async def writer() -> None:
        for _ in range(10):
            await write(database, nurse, 3)

    async def sealer() -> None:
        for _ in range(10):
            await seal_and_publish(database, witness)

    await asyncio.gather(writer(), sealer(), writer(), sealer(), writer())
    await seal_and_publish(database, witness)
    report = await verify(database, tmp_path)
    assert (report.intact, report.entries, report.last_seq) == (True, 90, 90), report.as_text()


async def test_the_sealer_runs_beside_and_stops(
    database: Database, nurse: Actor, tmp_path: Path
) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(sealing.run(database, tmp_path, stop))
    await write(database, nurse, 5)
    for _ in range(50):
        await asyncio.sleep(0.1)
        report = await verify(database, tmp_path)
        if report.entries == 5 and report.heads:
            break
    stop.set()
    await asyncio.wait_for(running, 5)
    assert (report.entries, report.intact) == (5, True)


async def test_a_witness_line_torn_by_a_crash_changes_nothing(
    database: Database, nurse: Actor, witness: Witness, tmp_path: Path
) -> None:
    await write(database, nurse, 2)
    await seal_and_publish(database, witness)
    with witness.files[0].open("ab") as torn:
        torn.write(b'{"tenant": 1, "se')
    await write(database, nurse, 2)
    await seal_and_publish(database, witness)
    assert (await verify(database, tmp_path)).intact
    await write(database, nurse, 1)
    await seal_and_publish(database, witness)
    report = await verify(database, tmp_path)
    assert report.intact, report.as_text()


async def test_a_head_missed_by_a_crash_is_published_at_the_next_pass(
    database: Database, nurse: Actor, witness: Witness
) -> None:
    await write(database, nurse, 2)
    async with database.transaction() as tx:
        await sealing.seal(tx)
    await seal_and_publish(database, witness)
    lines = witness.files[0].read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [2]


async def test_the_witness_never_goes_back(
    database: Database, nurse: Actor, witness: Witness
) -> None:
    await write(database, nurse, 2)
    async with database.transaction() as tx:
        _, early = await sealing.seal(tx)
    await write(database, nurse, 2)
    await seal_and_publish(database, witness)
    assert early is not None
    assert witness.publish(early) is False
