"""Is there a table for what will be written next month?"""

from __future__ import annotations

import logging

from liane.store.database import Database, Tx

log = logging.getLogger(__name__)


async def keep(tx: Tx) -> int:
    """Make the tables of this month and the next two where they are missing; how many were made.

    Old versions and journal entries lie in one table for each month (migration 0131).
    """
    made: int = await tx.fetchval("select record.keep_months()")
    return made


async def keep_hourly(database: Database) -> None:
    """The same, where a failure must stop nothing: two months are there in advance."""
    try:
        async with database.transaction() as tx:
            await keep(tx)
    except Exception:
        log.exception("the tables of the coming months could not be made")
