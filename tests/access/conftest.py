"""What do the tests of the gate and the journal share?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from liane.access.actor import Actor, Role
from liane.access.witness import Witness

NURSE = Actor(
    "staff",
    "pr-nurse",
    "Claire Martin",
    (Role("ide", "chu", ("uf-3120",)),),
    session="abc",
    login="claire.martin",
)


@pytest.fixture
def nurse() -> Actor:
    """A nurse of the unit 3120 of the university hospital."""
    return NURSE


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """An empty witness folder."""
    return Witness.at_home(tmp_path, 1)


@pytest.fixture
async def owner(test_database: Any) -> AsyncIterator[Any]:
    """A connection as the owner of the tables: the strongest attacker of the journal."""
    connection = await asyncpg.connect(test_database.owner_dsn)
    await connection.execute("set liane.tenant = '1'")
    yield connection
    await connection.close()
