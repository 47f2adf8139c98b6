"""What does `liane worker` run for subscriptions?"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from liane.gateways.subscriptions.attempts import Attempts
from liane.gateways.subscriptions.delivery import Deliverer
from liane.gateways.subscriptions.owners import Owners, StandingOf
from liane.gateways.subscriptions.placing import Placer
from liane.gateways.subscriptions.policy import Policy
from liane.gateways.subscriptions.process import Process
from liane.gateways.subscriptions.rest_hook import RestHooks
from liane.gateways.subscriptions.state import TROUBLE, Q
from liane.gateways.subscriptions.transitions import D
from liane.gateways.subscriptions.turns import Turns
from liane.store import Database, changes

log = logging.getLogger(__name__)

TIDY_SECONDS = 60.0
DISMISS_SECONDS = 20.0


async def serve(
    database: Database, policy: Policy, standing_of: StandingOf, stop: asyncio.Event
) -> None:
    """Number events, deliver them, forget the old ones, until `stop`."""
    owners = Owners(standing_of)
    process = Process(database)
    hooks = RestHooks(policy)
    grown = asyncio.Event()
    placer = Placer(database, owners, policy)
    deliverer = Deliverer(database, process, Attempts(Turns(database, owners, policy), hooks))
    tasks = [
        asyncio.create_task(one)
        for one in (
            process.run(stop),
            changes.listen(database.dsn, stop, lambda _: grown.set(), tenant=database.tenant),
            placer.run(stop, grown),
            deliverer.run(stop),
            _again(stop, DISMISS_SECONDS, placer.dismiss),
            _again(stop, TIDY_SECONDS, lambda: _tidy(database, policy)),
        )
    ]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await hooks.close()


async def _tidy(database: Database, policy: Policy) -> None:
    async with database.transaction() as tx:
        await tx.execute(Q["forget_events"], tx.now - timedelta(days=policy.keep_days))
        await tx.execute(D["forget_bindings"], tx.now)


async def _again(stop: asyncio.Event, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` every so often until `stop`; a failure is tried again the next time."""
    while not stop.is_set():
        try:
            await work()
        except TROUBLE as failure:
            log.warning("subscriptions: upkeep is put off: %s", failure)
        except Exception:
            log.exception("subscriptions: upkeep is put off")
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            pass
