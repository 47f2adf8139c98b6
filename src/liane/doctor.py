"""Is this installation well, and if not, what mends it?

Each examination says in one line what it found; a bad finding says what to do. The exit status is
0 when everything is well.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from liane.base.errors import LianeError
from liane.fhir import definitions
from liane.installation import Dsns, data_home, database_running
from liane.settings import Settings
from liane.store.migrate import missing
from liane.web.static import built_folder

ENOUGH_GIB = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    well: bool
    what: str
    mend: str = ""

    def __str__(self) -> str:
        line = f"{'ok  ' if self.well else 'BAD '} {self.what}"
        return line if self.well or not self.mend else f"{line}\n     -> {self.mend}"


async def examine(settings: Settings) -> int:
    """`liane doctor`: print every finding; 0 when all is well."""
    findings = [*_machine(settings), *await _database(settings), *await _doors(settings)]
    for finding in findings:
        print(finding)
    return 0 if all(finding.well for finding in findings) else 1


def _machine(settings: Settings) -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding(sys.version_info >= (3, 11), f"Python {version}", "Install Python 3.11 or newer.")
    home = data_home(settings)
    free = shutil.disk_usage(home).free / 2**30
    yield Finding(
        free > ENOUGH_GIB,
        f"{free:.0f} GiB free for {home}",
        "Free space, or move LIANE_HOME; writes stop safely when the disk is full.",
    )
    open_to_others = home.stat().st_mode & 0o077
    yield Finding(
        not open_to_others,
        f"{home} is closed to other accounts",
        f"chmod 700 {home}",
    )
    style = built_folder() / "liane.css"
    yield Finding(style.exists(), "pages have their style and script", "Run `make frontend`.")
    try:
        count = len(definitions.types())
    except LianeError as error:
        yield Finding(False, f"FHIR definitions: {error.en}", "Run `make definitions`.")
    else:
        yield Finding(count > 140, f"FHIR definitions of {count} resource types")
    for program, use in (("tesseract", "text of scans"), ("psql", "liane psql")):
        found = shutil.which(program) is not None
        yield Finding(True, f"{program} {'present' if found else 'absent'} ({use})")


async def _database(settings: Settings) -> list[Finding]:
    try:
        with database_running(settings) as dsns:
            return await _inside(dsns)
    except (LianeError, OSError) as error:
        return [
            Finding(
                False,
                f"database: {error}",
                f"Read {data_home(settings)}/postgres/*.log, or check LIANE_DATABASE_URL.",
            )
        ]


async def _inside(dsns: Dsns) -> list[Finding]:
    late = await missing(dsns.owner)
    return [
        Finding(True, "the database answers"),
        Finding(not late, f"{len(late)} migrations missing", "Run `liane migrate`."),
    ]


async def _doors(settings: Settings) -> list[Finding]:
    address = f"http://{settings.http_host}:{settings.http_port}/health/doors"
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        try:
            parts = (await client.get(address)).json()["parts"]
        except (httpx.HTTPError, ValueError, KeyError):
            return [
                Finding(
                    False,
                    f"the web server does not answer at {address}",
                    "Start it: `make demo`, or `liane serve`, `liane gateway`, `liane worker`.",
                )
            ]
    return [
        Finding(
            state == "up",
            f"door {name}: {state}",
            f"Start `liane {'worker' if name == 'worker' else 'gateway'}` and read its log.",
        )
        for name, state in parts.items()
    ]
