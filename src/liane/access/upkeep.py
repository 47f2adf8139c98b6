"""What is done each hour so that tables neither grow for ever nor lack the month that comes?"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from liane.access.sessions import Sessions
from liane.store import Database, months

log = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0


async def run(
    database: Database,
    sessions: Sessions,
    clear_identity: Callable[[], None],
    *,
    every_seconds: float = EVERY_SECONDS,
) -> None:
    """Each hour, until cancelled: make the tables of the months to come, forget old sessions and
    sign-ins, and let the identity application forget ended tokens (`clear_identity` runs in a
    thread).
    """
    while True:
        await months.keep_hourly(database)
        await asyncio.sleep(every_seconds)
        try:
            async with database.transaction() as tx:
                await sessions.forget_old(tx)
            await asyncio.to_thread(clear_identity)
        except Exception:
            # Nothing depends on it: the next hour does the rest.
            log.exception("old sessions could not be cleared")
