"""Work that was promised is done, again and again if need be, and a failure shows itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from liane.base.clock import FrozenClock, SystemClock
from liane.store import Database, jobs


async def _work_until(database: Database, handler: jobs.Handler, done: asyncio.Event) -> None:
    stop = asyncio.Event()
    worker = asyncio.create_task(jobs.work(database, {"ocr": handler}, stop))
    try:
        await asyncio.wait_for(done.wait(), 10)
        await asyncio.sleep(0.05)
    finally:
        stop.set()
        await worker


async def test_the_same_work_is_queued_once_and_done(database: Database) -> None:
    seen, done = [], asyncio.Event()

    async def handler(_: Database, job: jobs.Job) -> None:
        seen.append((job.key, job.payload))
        done.set()

    async with database.transaction() as tx:
        assert await jobs.enqueue(tx, "ocr", "d1", {"blob": "x"}) is not None
        assert await jobs.enqueue(tx, "ocr", "d1", {"blob": "x"}) is None
    await _work_until(database, handler, done)
    assert seen == [("d1", {"blob": "x"})]
    async with database.reading() as tx:
        assert await tx.fetchval("select count(*) from work.job") == 0


async def test_a_failing_job_is_tried_later_then_waits_for_a_person(database: Database) -> None:
    clock = FrozenClock(SystemClock().now())
    database.clock = clock
    runs, tried = 0, asyncio.Event()

    async def handler(_: Database, job: jobs.Job) -> None:
        nonlocal runs
        runs += 1
        tried.set()
        raise ValueError("unreadable scan")

    async with database.transaction() as tx:
        await jobs.enqueue(tx, "ocr", "d1", {})
    for _ in range(jobs.MOST_ATTEMPTS):
        tried.clear()
        await _work_until(database, handler, tried)
        clock.advance(4000)
    assert runs == jobs.MOST_ATTEMPTS
    async with database.transaction() as tx:
        (failure,) = await jobs.failures(tx)
        assert "unreadable scan" in failure.error
        assert await jobs.retry(tx, failure.job.id)
        assert await jobs.failures(tx) == []


async def test_a_job_whose_worker_died_is_taken_up_again(database: Database) -> None:
    async with database.transaction() as tx:
        await jobs.enqueue(tx, "ocr", "d1", {})
    assert len(await jobs._claim(database, {"ocr": None}, 5)) == 1
    assert await jobs._claim(database, {"ocr": None}, 5) == []
    now = database.clock.now()
    database.clock = FrozenClock(now + timedelta(seconds=jobs.LEASE_SECONDS + 1))
    (again,) = await jobs._claim(database, {"ocr": None}, 5)
    assert again.attempts == 2


async def test_a_worker_never_takes_more_jobs_than_it_can_run(database: Database) -> None:
    async with database.transaction() as tx:
        for number in range(200):
            await jobs.enqueue(tx, "many", f"n{number}", {"n": number})
    at_once, most, done = 0, 0, asyncio.Event()
    seen: set[int] = set()

    async def handle(_database: Database, job: jobs.Job) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001)
        at_once -= 1
        seen.add(job.payload["n"])
        if len(seen) == 200:
            done.set()

    stop = asyncio.Event()
    working = asyncio.create_task(jobs.work(database, {"many": handle}, stop, concurrency=3))
    await asyncio.wait_for(done.wait(), 30)
    stop.set()
    await working
    assert most <= 3
