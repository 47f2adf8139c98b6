"""What do the terminology tests stand on: a record whose writes fill the terminology tables."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from liane.store import Database
from liane.store.terminology import project


@pytest.fixture
async def record(database: Database) -> AsyncIterator[Database]:
    """The empty record with the terminology projection."""
    opened = await Database.open(database.dsn, max_size=4, projections=(project,))
    yield opened
    await opened.close()
