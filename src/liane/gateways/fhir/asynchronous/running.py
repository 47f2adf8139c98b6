"""How is a request that is answered later carried out by the worker, whatever becomes of a run?

A run that ends tells the asker the answer or the reason why there is none. A run that dies is
begun again by the queue of jobs, and goes on from its last checkpoint.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from liane.access import journal
from liane.base.errors import Fault, LianeError, Unavailable
from liane.gateways.fhir.asynchronous import files, requests
from liane.gateways.fhir.asynchronous.requests import Overtaken, Request
from liane.store import Database, Tx
from liane.store.jobs import MOST_ATTEMPTS, Handler, Job

log = logging.getLogger(__name__)

Work = Callable[[Database, Request], Awaitable[dict[str, Any] | None]]
"""Carries a request out; what it returns is the answer (`asynchronous.polling` tells it), None when
the work has ended the request by itself (`end`)."""


def handler(home: Path, work: Work) -> Handler:
    """The job that carries out one kind of request."""

    async def run(database: Database, job: Job) -> None:
        async with database.transaction() as tx:
            request = await requests.take(tx, job.key)
        if request is None:
            return
        try:
            await _carried_out(database, request, work)
        except Overtaken:
            await _cleared_if_cancelled(database, request, home)
        except Exception as problem:
            if not _final(problem, job):
                raise
            if not isinstance(problem, LianeError):
                log.exception("request %s cannot be carried out", request.id)
            await _told(database, request, problem)

    return run


async def _carried_out(database: Database, request: Request, work: Work) -> None:
    result = await work(database, request)
    if result is not None:
        async with database.transaction() as tx:
            await end(tx, request, result)


async def end(tx: Tx, request: Request, result: dict[str, Any]) -> None:
    """The answer is there with this commit. Raises `Overtaken`."""
    await requests.finish(tx, request, result)
    await journal.record(
        tx,
        request.actor,
        f"FHIR ${request.kind}",
        resource=f"$job/{request.id}",
        detail={"finished": True, "count": result.get("count", 0)},
    )


def _final(problem: Exception, job: Job) -> bool:
    """Whether trying again would be of no use."""
    refused = isinstance(problem, LianeError) and not isinstance(problem, (Unavailable, Fault))
    return refused or job.attempts >= MOST_ATTEMPTS


async def _told(database: Database, request: Request, problem: Exception) -> None:
    error = problem if isinstance(problem, LianeError) else _fault()
    try:
        async with database.transaction() as tx:
            await requests.fail(tx, request, error)
    except Overtaken:
        pass  # nobody waits for it any more


def _fault() -> Fault:
    return Fault(
        "fhir.request-failed",
        "Une erreur de notre fait a empêché de mener cette demande à son terme.",
        "A fault of ours kept this request from being carried out.",
    )


async def _cleared_if_cancelled(database: Database, request: Request, home: Path) -> None:
    """Remove the files of a request that is known no more."""
    async with database.reading() as tx:
        known = await requests.load(tx, request.id)
    if known is None:
        await asyncio.to_thread(files.remove, home, request.id)


def tidy_job(home: Path) -> Handler:
    """The job that removes an answer nobody may fetch any more."""

    async def run(database: Database, job: Job) -> None:
        async with database.transaction() as tx:
            request = await requests.load(tx, job.key)
            if request is not None and request.expires and request.expires <= tx.now:
                await requests.forget(tx, job.key)
        await asyncio.to_thread(files.remove, home, job.key)

    return run
