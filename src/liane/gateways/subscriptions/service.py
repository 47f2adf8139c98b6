"""What does `liane worker` run for subscriptions?"""

from __future__ import annotations

import asyncio
import logging
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

TIDY_SECONDS = 600.0


async def serve(
    database: Database, policy: Policy, standing_of: StandingOf, stop: asyncio.Event
) -> None:
    """Number events, deliver them, forget the old ones, until `stop`."""
    owners = Owners(standing_of)
    process = Process(database)
    hooks = RestHooks(policy)
    grown = asyncio.Event()
    deliverer = Deliverer(database, process, Attempts(Turns(database, owners, policy), hooks))
    tasks = [
        asyncio.create_task(one)
        for one in (
            process.run(stop),
            changes.listen(database.dsn, stop, lambda _: grown.set(), tenant=database.tenant),
            Placer(database, owners, policy).run(stop, grown),
            deliverer.run(stop),
            _tidy(database, policy, stop),
        )
    ]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await hooks.close()


async def _tidy(database: Database, policy: Policy, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            async with database.transaction() as tx:
                await tx.execute(Q["forget_events"], tx.now - timedelta(days=policy.keep_days))
                await tx.execute(D["forget_bindings"], tx.now)
        except TROUBLE as failure:
            log.warning("old events are not forgotten yet: %s", failure)
        try:
            await asyncio.wait_for(stop.wait(), TIDY_SECONDS)
        except TimeoutError:
            pass
