"""A reader of the feed sees every committed change once, in one order, soon."""

from __future__ import annotations

import asyncio
import time

import pytest

from liane.store import Database
from liane.store.changes import append, current_position, listen, read_since
from liane.store.resources import delete, put
from liane.store.sequencer import run


def patient(id_: str) -> dict[str, object]:
    return {"resourceType": "Patient", "id": id_}


async def test_a_slow_transaction_is_never_passed_by(database: Database) -> None:
    stop = asyncio.Event()
    sequencer = asyncio.create_task(run(database.dsn, stop))
    try:
        async with database.transaction() as slow:
            await put(slow, patient("slow"))
            async with database.transaction() as quick:
                await put(quick, patient("quick"))
            seen = await _wait_for(database, 0, 1)
            assert [c.id for c in seen] == ["quick"]
            position = seen[-1].position
        later = await _wait_for(database, position, 1)
        assert [c.id for c in later] == ["slow"]
        assert later[0].position > position
    finally:
        stop.set()
        await sequencer


async def test_positions_have_no_gap_and_no_double_under_concurrent_writers(
    database: Database,
) -> None:
    stop = asyncio.Event()
    sequencers = [asyncio.create_task(run(database.dsn, stop)) for _ in range(2)]

    async def write(n: int) -> None:
        for i in range(10):
            async with database.transaction() as tx:
                await put(tx, patient(f"p{n}-{i}"))
                await append(tx, "note", f"n{n}-{i}", f"p{n}-{i}", {"unit": "uf-1"})

    seen: list[tuple[int, str | None]] = []
    try:
        writers = asyncio.gather(*(write(n) for n in range(6)))
        position = 0
        deadline = time.monotonic() + 20
        while len(seen) < 120 and time.monotonic() < deadline:
            async with database.reading() as tx:
                for change in await read_since(tx, position, 7):
                    seen.append((change.position, change.id))
                    position = change.position
            await asyncio.sleep(0.001)
        await writers
    finally:
        stop.set()
        await asyncio.gather(*sequencers)
    assert len({id_ for _, id_ in seen}) == len(seen) == 120
    start = seen[0][0]
    assert [p for p, _ in seen] == list(range(start, start + 120))


async def test_a_change_is_published_within_40_ms_of_its_commit(database: Database) -> None:
    stop = asyncio.Event()
    heard: asyncio.Queue[int] = asyncio.Queue()
    tasks = [
        asyncio.create_task(run(database.dsn, stop)),
        asyncio.create_task(listen(database.dsn, stop, heard.put_nowait)),
    ]
    try:
        await heard.get()
        delays = []
        for n in range(30):
            async with database.transaction() as tx:
                await put(tx, patient(f"p{n}"))
            committed = time.perf_counter()
            await asyncio.wait_for(heard.get(), 5)
            delays.append(time.perf_counter() - committed)
            await asyncio.sleep(0.01)
        assert sorted(delays)[len(delays) // 2] < 0.04
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def test_the_feed_tells_what_was_written_and_what_was_deleted(database: Database) -> None:
    stop = asyncio.Event()
    sequencer = asyncio.create_task(run(database.dsn, stop))
    try:
        async with database.transaction() as tx:
            await put(tx, patient("a"))
            await delete(tx, "Patient", "a")
            await append(tx, "journal", None, None, {"n": 1})
        seen = await _wait_for(database, 0, 3)
        assert [(c.type, c.id, c.version, c.deleted, c.patient) for c in seen] == [
            ("Patient", "a", 1, False, "a"),
            ("Patient", "a", 2, True, "a"),
            ("journal", None, None, False, None),
        ]
        assert seen[2].facts == {"n": 1}
        async with database.reading() as tx:
            assert await current_position(tx) == seen[-1].position
    finally:
        stop.set()
        await sequencer


async def test_what_is_rolled_back_is_never_announced(database: Database) -> None:
    stop = asyncio.Event()
    sequencer = asyncio.create_task(run(database.dsn, stop))
    try:
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is what is tested
            async with database.transaction() as tx:
                await put(tx, patient("never"))
                raise ZeroDivisionError
        async with database.transaction() as tx:
            await put(tx, patient("kept"))
        assert [c.id for c in await _wait_for(database, 0, 1)] == ["kept"]
    finally:
        stop.set()
        await sequencer


async def _wait_for(database: Database, position: int, count: int) -> list:
    for _ in range(400):
        async with database.reading() as tx:
            found = await read_since(tx, position, 100)
        if len(found) >= count:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"{count} changes after {position} were not announced")
