"""What do the tests of the identity application share?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.house import House, running


@pytest.fixture(scope="session")
async def house(
    test_database: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """The front doors, served for real for the whole session."""
    home = tmp_path_factory.mktemp("house")
    async with running(test_database.app_dsn, test_database.identity_dsn, home) as served:
        yield served
