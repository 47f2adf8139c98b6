"""What does an operator do with an installation: import, look into the database, verify?"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from liane.assembly import services_open
from liane.installation import data_home, database_running, prepare_if_new
from liane.settings import Settings


async def run_import(settings: Settings, paths: list[str], mapping: str | None) -> int:
    """`liane import PATH…`: 0 when nothing was refused."""
    from liane.importing import import_paths
    from liane.importing.progress import for_terminal

    with database_running(settings) as dsns:
        await asyncio.to_thread(prepare_if_new, settings, dsns)
        async with services_open(settings, dsns) as services:
            report = await import_paths(
                services,
                [Path(path) for path in paths],
                Path(mapping) if mapping else None,
                for_terminal(sys.stderr),
            )
    print(report.as_text())
    return 0 if not report.refused else 1


def run_psql(settings: Settings, words: list[str]) -> int:
    """`liane psql -- ARGS`: psql as the database owner; its exit status."""
    from liane.store.psql import command

    with database_running(settings) as dsns:
        arguments, environment = command(dsns.owner, words)
        return os.spawnvpe(os.P_WAIT, arguments[0], arguments, {**os.environ, **environment})


async def verify_journal(settings: Settings) -> int:
    """`liane journal verify`: 0 when every proof holds; else the place of the first break."""
    from liane.access.verification import verify

    with database_running(settings) as dsns:
        async with services_open(settings, dsns) as services:
            report = await verify(services.database, data_home(settings))
    print(report.as_text())
    return 0 if report.intact else 1
