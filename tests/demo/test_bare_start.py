"""`liane demo` in an empty folder: ready, stopped without a trace, killed whole without a loss."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from liane.demo.checker import check
from liane.demo.commands import CLIENT_ID, CLIENT_SECRET
from liane.demo.doors import Address, ClientCredentials, Doors
from liane.demo.ledger import Ledger
from liane.demo.load import LoadOrder, run_load
from tests.running import free_port

pytestmark = [pytest.mark.fault, pytest.mark.enable_socket, pytest.mark.timeout(600)]
READY_SECONDS = 180.0
STOP_SECONDS = 10.0
PATIENTS = "12"


@dataclass
class Demonstration:
    """`liane demo` as a person starts it, on free ports, with fewer patients."""

    folder: Path
    http: int = field(default_factory=free_port)
    mllp: int = field(default_factory=free_port)
    dicom: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def log(self) -> Path:
        return self.folder / "demo.log"

    def start(self) -> str:
        """Wait for the line that says everything is ready; all that was said before it."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LIANE_")}
        settings = {
            "LIANE_HOME": str(self.home),
            "LIANE_HTTP_PORT": str(self.http),
            "LIANE_MLLP_PORT": str(self.mllp),
            "LIANE_DICOM_PORT": str(self.dicom),
            "LIANE_SIMULATOR_SPEED": "0",
            "LIANE_TEST_DEMO_PATIENTS": PATIENTS,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "liane.cli", "demo"],
                env=inherited | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_SECONDS
        while "Liane is ready" not in (said := self.log.read_text("utf-8")):
            assert self.process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        return said

    def everybody(self) -> list[psutil.Process]:
        """Every process of this demonstration: the tree, and who works in its folder."""
        found = {one.pid: one for one in self._tree()}
        for one in psutil.process_iter():
            try:
                at_home = Path(one.cwd()).is_relative_to(self.home)
                ours = at_home or one.environ().get("LIANE_HOME") == str(self.home)
                if ours and one.status() != psutil.STATUS_ZOMBIE:
                    found[one.pid] = one
            except (psutil.Error, OSError):
                continue
        return list(found.values())

    def _tree(self) -> list[psutil.Process]:
        if self.process is None or self.process.poll() is not None:
            return []
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def kill_all(self) -> None:
        """kill -9 of every process, as when the power goes."""
        while left := self.everybody():
            for one in left:
                try:
                    one.kill()
                except psutil.NoSuchProcess:
                    continue
            if self.process is not None:
                self.process.wait(10)

    def doors(self) -> Doors:
        keys = json.loads((self.home / "secrets" / "demo-client.json").read_text("utf-8"))
        web = f"http://127.0.0.1:{self.http}"
        return Doors(
            fhir_url=f"{web}/fhir",
            token=ClientCredentials(f"{web}/id/o/token/", keys[CLIENT_ID], keys[CLIENT_SECRET]),
            mllp=Address("127.0.0.1", self.mllp),
            dicom=Address("127.0.0.1", self.dicom),
        )


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    made = Demonstration(tmp_path_factory.mktemp("bare"))
    try:
        yield made
    finally:
        made.kill_all()


async def test_it_starts_stops_and_comes_back_with_everything_after_a_kill_of_all(
    demonstration: Demonstration, tmp_path: Path
) -> None:
    said = await asyncio.to_thread(demonstration.start)
    assert "arrivals 12/12" in said
    await asyncio.to_thread(_stops_when_told_several_times, demonstration)

    said = await asyncio.to_thread(demonstration.start)
    assert "seed:" not in said
    ledger, stop = Ledger(tmp_path / "messages"), asyncio.Event()
    order = LoadOrder(20.0, 4, 240.0)
    load = asyncio.create_task(run_load(demonstration.doors(), ledger, order, stop))
    await _answered(ledger, 60)
    await asyncio.to_thread(demonstration.kill_all)
    answered = ledger.answers()
    await asyncio.to_thread(demonstration.start)
    await _answered(ledger, answered + 20)
    stop.set()
    measures = await load
    assert set(measures.codes) == {"AA"}, measures
    findings = await check(demonstration.doors(), list(ledger.lines()))
    assert findings.clean, str(findings)
    assert findings.unanswered == 0
    ledger.close()
    await asyncio.to_thread(_stops_when_told_several_times, demonstration)


async def _answered(ledger: Ledger, wanted: int) -> None:
    async with asyncio.timeout(120):
        while ledger.answers() < wanted:
            await asyncio.sleep(0.05)


def _stops_when_told_several_times(demonstration: Demonstration) -> None:
    process = demonstration.process
    assert process is not None
    before = demonstration.everybody()
    assert len(before) > 5
    asked = time.monotonic()
    # Until it has ended: none of them may cut the way out short.
    while process.poll() is None and time.monotonic() - asked < STOP_SECONDS:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    assert process.wait(1) == 0
    assert time.monotonic() - asked < STOP_SECONDS
    assert [one for one in before if one.is_running()] == []
    assert demonstration.everybody() == []
