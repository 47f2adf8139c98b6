"""How does the demonstration come up: database, processes, synthetic hospital, simulator?"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from liane.demo.marker import MARKER, read_marker
from liane.demo.staff import accounts
from liane.identity import commands
from liane.installation import (
    Dsns,
    data_home,
    database_running,
    identity_settings,
    prepare,
)
from liane.settings import Settings
from liane.store import Database, resources
from liane.supervisor import Child, Supervisor, own_command

DEMO_PASSWORD = "liane-demo-2026"  # noqa: S105 - printed at each start, synthetic data only
DEMO_CLIENT = "demo group"


def say(line: str) -> None:
    """Print at once, so that whoever waits for a line sees it."""
    print(line, flush=True)


async def run_demo(settings: Settings) -> int:
    """`liane demo`: everything on one machine, until Ctrl-C or SIGTERM."""
    supervisor = Supervisor(say)
    supervisor.hear_signals()
    say("Liane is starting. Not a CE-marked medical device: synthetic data only.")
    loop = asyncio.get_running_loop()
    opened = ExitStack()
    try:
        entered = loop.run_in_executor(None, opened.enter_context, database_running(settings))
        processes = [Child(name, own_command(name)) for name in ("worker", "gateway", "serve")]
        for process in processes:
            await supervisor.hold(process)
        await _start(settings, entered, supervisor, processes)
        await supervisor.stopping.wait()
        say("Liane is stopping.")
    finally:
        await supervisor.stop()
        await loop.run_in_executor(None, opened.close)
        supervisor.hear_no_more()
    return 0


async def _start(
    settings: Settings,
    database: asyncio.Future[Dsns],
    supervisor: Supervisor,
    processes: Sequence[Child],
) -> None:
    from liane.accounts import introduce_loopback  # read while the database starts

    loop = asyncio.get_running_loop()
    dsns = await database
    if supervisor.stopping.is_set():
        return
    await loop.run_in_executor(None, prepare, settings, dsns)
    await introduce_loopback(settings, dsns)
    await loop.run_in_executor(None, _demo_accounts, settings, dsns)
    if supervisor.stopping.is_set():
        return
    for process in processes:
        await supervisor.release(process)
    loaded = await _already_loaded(settings, dsns)
    if not await _every_door_answers(settings, supervisor):
        return
    keys = await loop.run_in_executor(None, _demo_client, settings, dsns)
    if not (loaded or await _seeded(settings, supervisor, keys)):
        return
    if settings.simulator_speed > 0:
        await supervisor.start(Child("simulator", _demo_command(settings, "simulator"), keys))
    _print_accounts()
    say(f"Liane is ready: {settings.base_url}")


async def _already_loaded(settings: Settings, dsns: Dsns) -> bool:
    """Whether the synthetic hospital is there completely; asking the seed would take seconds."""
    async with (
        await Database.open(dsns.app, tenant=settings.tenant, max_size=1) as database,
        database.reading() as tx,
    ):
        found = await resources.read(tx, "Basic", MARKER)
    return found is not None and not found.deleted and read_marker(json.loads(found.body))[1]


async def _every_door_answers(settings: Settings, supervisor: Supervisor) -> bool:
    address = f"http://{settings.http_host}:{settings.http_port}/health/doors"
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        while not supervisor.stopping.is_set():
            try:
                answer = await client.get(address)
                if answer.status_code == httpx.codes.OK:
                    return True
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    return False


def _demo_accounts(settings: Settings, dsns: Dsns) -> None:
    """Sign-in accounts of the demonstration; their Practitioner resources come with the seed."""
    identity = identity_settings(settings, dsns)
    known = {line.login for line in commands.users(identity)}
    for colleague in accounts():
        if colleague.login not in known:
            commands.add_user(identity, colleague.login, colleague.name, DEMO_PASSWORD, check=False)


def _demo_client(settings: Settings, dsns: Dsns) -> dict[str, str]:
    """The API client of the seed and the simulator, kept for the next start."""
    file = data_home(settings) / "secrets" / "demo-client.json"
    identity = identity_settings(settings, dsns)
    known = {client_id for client_id, *_ in commands.clients(identity)}
    if file.exists():
        kept: dict[str, str] = json.loads(file.read_text("utf-8"))
        if kept["LIANE_TEST_DEMO_CLIENT_ID"] in known:
            return _with_address(settings, kept)
    made = commands.add_client(identity, name=DEMO_CLIENT, scope="system/*.cruds")
    keys = {
        "LIANE_TEST_DEMO_CLIENT_ID": made["client_id"],
        "LIANE_TEST_DEMO_CLIENT_SECRET": made["client_secret"],
    }
    _write_private(file, json.dumps(keys))
    return _with_address(settings, keys)


def _with_address(settings: Settings, keys: dict[str, str]) -> dict[str, str]:
    return {**keys, "LIANE_TEST_DEMO_BASE_URL": settings.base_url}


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text, "utf-8")


async def _seeded(settings: Settings, supervisor: Supervisor, keys: dict[str, str]) -> bool:
    started = time.monotonic()
    status = await supervisor.run_once("seed", _demo_command(settings, "seed"), keys)
    if supervisor.stopping.is_set():
        return False
    if status != 0:
        say("The synthetic hospital could not be loaded completely; see the lines above.")
        return True
    if (seconds := time.monotonic() - started) > 5:
        say(f"Synthetic hospital loaded in {seconds:.0f} s.")
    return True


def _demo_command(settings: Settings, module: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        f"liane.demo.{module}",
        "--http",
        f"http://{settings.http_host}:{settings.http_port}",
        "--mllp",
        f"{settings.mllp_host}:{settings.mllp_port}",
        "--dicom",
        f"{settings.dicom_host}:{settings.dicom_port}:{settings.dicom_ae_title}",
        "--ledger",
        str(data_home(settings) / f"demo-{module}.ledger"),
        *(["--speed", str(settings.simulator_speed)] if module == "simulator" else []),
    ]


def _print_accounts() -> None:
    say(f"Demo accounts (password {DEMO_PASSWORD}):")
    for colleague in accounts():
        say(f"  {colleague.login:<22} {colleague.name}, {colleague.role}")


def run_simulator(settings: Settings, words: list[str]) -> int:
    """`liane simulate …`: the simulator of the demo, with the options given."""
    with database_running(settings) as dsns:
        keys = _demo_client(settings, dsns)
        command = [*_demo_command(settings, "simulator"), *words]
        return os.spawnvpe(os.P_WAIT, command[0], command, {**os.environ, **keys})
