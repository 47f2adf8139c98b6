"""Which work is to be done after a commit, again and again until it succeeds or a person looks?

Every job may run more than once (a worker may die after the work and before saying so), so every
handler must be repeatable. A job that keeps failing stops and shows itself; it is never dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from liane.base.errors import LianeError
from liane.fhir import json as fhir_json
from liane.store.database import Database, Tx
from liane.store.sql import queries

log = logging.getLogger(__name__)

Q = queries("liane.store", "jobs.sql")

LEASE_SECONDS = 60.0
BACK_OFF_SECONDS = (5, 30, 120, 600, 3600)
MOST_ATTEMPTS = len(BACK_OFF_SECONDS) + 1
IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work; `attempts` counts this run."""

    id: int
    kind: str
    key: str
    payload: dict[str, Any]
    attempts: int
    enqueued: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that gave up."""

    job: Job
    failed: datetime
    error: str


Handler = Callable[[Database, Job], Awaitable[None]]


async def enqueue(
    tx: Tx, kind: str, key: str, payload: dict[str, Any], *, run_at: datetime | None = None
) -> int | None:
    """Queue with this commit; None when the same kind and key already wait."""
    text = fhir_json.dumps(payload)
    number: int | None = await tx.fetchval(
        Q.enqueue, tx.tenant, kind, key, text, tx.now, run_at or tx.now
    )
    return number


async def failures(tx: Tx, limit: int = 100) -> list[Failure]:
    """Jobs that wait for a person, the latest first."""
    rows = await tx.fetch(Q.failures, limit)
    return [Failure(_job(row), row["failed"], row["last_error"] or "") for row in rows]


async def retry(tx: Tx, job_id: int) -> bool:
    """Try a failed job again."""
    return await tx.fetchval(Q.retry, job_id, tx.now) is not None


async def work(
    database: Database,
    handlers: Mapping[str, Handler],
    stop: asyncio.Event,
    *,
    concurrency: int = 4,
) -> None:
    """Run due jobs until `stop`; running jobs are finished first."""
    running: set[asyncio.Task[None]] = set()
    while not stop.is_set():
        free = concurrency - len(running)
        try:
            jobs = await _claim(database, handlers, free) if free else []
        except LianeError as failure:
            log.warning("jobs are not reachable: %s", failure.code)
            jobs = []
        running |= {asyncio.create_task(_run(database, handlers[j.kind], j)) for j in jobs}
        if len(jobs) == free and free:
            continue
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait(
            {*running, stopped}, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        stopped.cancel()
        running -= done
    if running:
        await asyncio.wait(running)


async def _claim(database: Database, handlers: Mapping[str, Handler], most: int) -> list[Job]:
    async with database.transaction() as tx:
        rows = await tx.fetch(Q.claim, list(handlers), tx.now, most, LEASE_SECONDS)
    return [_job(row) for row in rows]


def _job(row: Any) -> Job:
    return Job(
        row["id"],
        row["kind"],
        row["key"],
        fhir_json.loads(row["payload"]),
        row["attempts"],
        row["enqueued"],
    )


async def _run(database: Database, handler: Handler, job: Job) -> None:
    heart = asyncio.create_task(_keep_lease(database, job))
    try:
        await handler(database, job)
    except Exception as failure:
        log.exception("job %s %s failed (attempt %s)", job.kind, job.key, job.attempts)
        await _settle(database, job, f"{type(failure).__name__}: {failure}"[:2000])
    else:
        await _settle(database, job, None)
    finally:
        heart.cancel()


async def _keep_lease(database: Database, job: Job) -> None:
    while True:
        await asyncio.sleep(LEASE_SECONDS / 3)
        try:
            async with database.transaction() as tx:
                until = tx.now + timedelta(seconds=LEASE_SECONDS)
                await tx.execute(Q.extend, job.id, until, job.attempts)
        except LianeError as failure:
            log.warning("the lease of job %s could not be extended: %s", job.id, failure.code)


async def _settle(database: Database, job: Job, error: str | None) -> None:
    """Record the outcome; when that fails too, the lease runs out and the job runs again."""
    try:
        async with database.transaction() as tx:
            if error is None:
                await tx.execute(Q.finish, job.id, job.attempts)
            elif job.attempts < MOST_ATTEMPTS:
                later = tx.now + timedelta(seconds=BACK_OFF_SECONDS[job.attempts - 1])
                await tx.execute(Q.postpone, job.id, job.attempts, error, later, None)
            else:
                await tx.execute(Q.postpone, job.id, job.attempts, error, None, tx.now)
    except LianeError as failure:
        log.warning("the outcome of job %s is not recorded: %s", job.id, failure.code)
