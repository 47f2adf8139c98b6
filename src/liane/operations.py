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


async def load_terminology(
    settings: Settings, kind: str, paths: list[str], edition: str, url: str
) -> int:
    """`liane terminology load KIND PATH…`: 0 when nothing was refused."""
    from liane.importing.progress import for_terminal
    from liane.importing.terminology import load
    from liane.importing.terminology.nomenclature import Edition

    with database_running(settings) as dsns:
        await asyncio.to_thread(prepare_if_new, settings, dsns)
        async with services_open(settings, dsns) as services:
            report = await load(
                services.database,
                kind,
                [Path(path) for path in paths],
                Edition(edition, url),
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


async def add_package(settings: Settings, path: str) -> int:
    """`liane package add FILE.tgz`: the definitions of a guide, for validation and for `/fhir`."""
    from liane.importing.packages import add_package as add

    data = await asyncio.to_thread(Path(path).read_bytes)
    with database_running(settings) as dsns:
        await asyncio.to_thread(prepare_if_new, settings, dsns)
        async with services_open(settings, dsns) as services:
            package, changed = await add(services.database, data)
    count = len(package.resources)
    print(f"{package.name} {package.version}: {count} definitions, {changed} new or changed.")
    return 0


async def list_packages(settings: Settings) -> int:
    """`liane package list`."""
    from liane.importing.packages import list_packages as loaded

    with database_running(settings) as dsns:
        async with services_open(settings, dsns) as services:
            packages = await loaded(services.database)
    for one in packages:
        print(f"{one.name:<40} {one.version:<16} {one.count:>5} definitions  {one.title}")
    if not packages:
        print("No package is loaded.")
    return 0


async def remove_package(settings: Settings, named: str) -> int:
    """`liane package remove NAME[@VERSION]`."""
    from liane.importing.packages import remove_package as remove

    name, _, version = named.partition("@")
    with database_running(settings) as dsns:
        async with services_open(settings, dsns) as services:
            count = await remove(services.database, name, version or None)
    print(f"{named}: {count} definitions removed.")
    return 0


async def choose_validation(
    settings: Settings, establishment: str, kind: str | None, effect: str | None
) -> int:
    """`liane validation [KIND EFFECT]`: what blocks, warns or passes, and changing it."""
    from liane.store import conformance

    with database_running(settings) as dsns:
        async with services_open(settings, dsns) as services:
            if kind is not None:
                async with services.database.transaction() as tx:
                    chosen = None if effect == "default" else effect
                    await conformance.choose(tx, establishment, kind, chosen)
            async with services.database.reading() as tx:
                effects = await conformance.choices(tx, establishment)
    for one, does in effects.items():
        print(f"{one:<16} {does}")
    return 0
