"""How long does the demonstration hospital take to load, and what load does it then bear?

Starts a whole installation in a folder of its own (`liane demo`, simulator off), waits until it is
ready, sends HL7 v2 at a fixed rate over several connections, then compares everything that was
acknowledged, at the loading and under load, with what the record holds. One line per figure.

    python bench/load/hospital.py --rate 300 --connections 8 --seconds 30
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

READY_WITHIN_SECONDS = 600


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Demonstration:
    """`liane demo` in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = {name: free_port() for name in ("HTTP", "MLLP", "DICOM")}
        self.log = home / "demo.log"
        settings = {f"LIANE_{name}_PORT": str(port) for name, port in self.ports.items()}
        self.environment = os.environ | settings | {
            "LIANE_HOME": str(home / "home"), "LIANE_SIMULATOR_SPEED": "0",
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Seconds until everything is ready."""
        started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "liane.cli", "demo"], env=self.environment,
            stdout=self.log.open("ab"), stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        seen = self.log.stat().st_size
        while "Liane is ready" not in self.log.read_text("utf-8")[seen:]:
            if self.process.poll() is not None or time.monotonic() - started > READY_WITHIN_SECONDS:
                raise SystemExit(self.log.read_text("utf-8")[-3000:])
            time.sleep(0.1)
        return time.monotonic() - started

    def stop(self) -> float:
        """Seconds until everything has stopped."""
        assert self.process is not None
        asked = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return time.monotonic() - asked

    def program(self, module: str, *words: str) -> str:
        """Run a program of the demonstration against the doors; what it printed."""
        keys = json.loads((self.home / "home" / "secrets" / "demo-client.json").read_text())
        doors = [
            "--http", f"http://127.0.0.1:{self.ports['HTTP']}",
            "--mllp", f"127.0.0.1:{self.ports['MLLP']}",
            "--dicom", f"127.0.0.1:{self.ports['DICOM']}:LIANE",
        ]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", f"liane.demo.{module}", *doors, *words],
            env=self.environment | keys, capture_output=True, check=False,
        )  # fmt: skip
        return (done.stdout + done.stderr).decode().strip()


def main() -> None:
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("--rate", default="300")
    made.add_argument("--connections", default="8")
    made.add_argument("--seconds", default="30")
    given = made.parse_args()
    with tempfile.TemporaryDirectory(prefix="liane-load-") as folder:
        demonstration = Demonstration(Path(folder))
        try:
            print(f"first start: {demonstration.start():.1f} s until ready", flush=True)
            print(f"stop: {demonstration.stop():.1f} s", flush=True)
            print(f"second start: {demonstration.start():.1f} s until ready", flush=True)
            measure(demonstration, given)
        finally:
            demonstration.stop()


def measure(demonstration: Demonstration, given: argparse.Namespace) -> None:
    loading = str(demonstration.home / "home" / "demo-seed.ledger")
    print("loading ", demonstration.program("checker", "--ledger", loading), flush=True)
    ledger = str(demonstration.home / "simulator.ledger")
    words = ("--load", given.rate, "--connections", given.connections, "--seconds", given.seconds)
    print(demonstration.program("simulator", *words, "--ledger", ledger), flush=True)
    written = str(demonstration.home / "simulator-load.ledger")
    print("load ", demonstration.program("checker", "--ledger", written), flush=True)


if __name__ == "__main__":
    main()
