"""How do the end-to-end tests get a whole running installation of their own?"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 90.0
KEEP_DATABASE = """
import sys
from pathlib import Path
from liane.store.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.start()
print("up", flush=True)
sys.stdin.read()
server.stop()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Installation:
    """The processes of one installation in a folder of its own, on free ports."""

    home: Path
    http_port: int = field(default_factory=free_port)
    mllp_port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LIANE_")}
        return {
            **inherited,
            "LIANE_HOME": str(self.home),
            "LIANE_HTTP_PORT": str(self.http_port),
            "LIANE_MLLP_PORT": str(self.mllp_port),
            "LIANE_DICOM_PORT": str(self.dicom_port),
            "LIANE_SIMULATOR_SPEED": "0",
            "LIANE_LOG_LEVEL": "warning",
        }

    def command(self, *words: str, given: str = "", check: bool = True) -> str:
        """Run one `liane` command to its end; its standard output."""
        done = subprocess.run(  # noqa: PLW1510 - the status is read below
            [sys.executable, "-m", "liane.cli", *words],
            env=self.environment,
            input=given.encode(),
            capture_output=True,
            timeout=180,
        )
        if check and done.returncode:
            raise AssertionError(
                f"liane {words}: {done.returncode}\n{done.stderr.decode()[-3000:]}"
            )
        return done.stdout.decode()

    def launch(self, name: str) -> subprocess.Popen[bytes]:
        """Start one process; what it says goes to a file of its own."""
        log = (self.home / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "liane.cli", name],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        return self.processes[name]

    def start(self) -> None:
        """Prepare the database, start every process, wait until every door answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.keeper = subprocess.Popen(
            [
                sys.executable,
                "-c",
                KEEP_DATABASE,
                str(self.home),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.keeper.stdout is not None
        assert self.keeper.stdout.readline() == b"up\n"
        self.command("migrate")
        self.command("partner", "accept-loopback")
        for name in ("worker", "gateway", "serve"):
            self.launch(name)
        self.wait_for_doors()

    def wait_for_doors(self, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        last = ""
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(f"{self.base_url}/health/doors", trust_env=False)
                if answer.status_code == 200:
                    return
                last = answer.text
            except httpx.HTTPError as error:
                last = repr(error)
            ended = [name for name, one in self.processes.items() if one.poll() is not None]
            if ended:
                last = f"{ended} ended"
                break
            time.sleep(0.1)
        raise AssertionError(f"the doors do not answer: {last}\n{self.words()}")

    def words(self) -> str:
        """The last words of each process, for a failing test."""
        logs = [
            f"== {log.name}\n{log.read_text('utf-8', 'replace')[-2500:]}"
            for log in self.home.glob("*.log")
        ]
        return "\n".join(logs)

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        assert self.keeper.stdin is not None
        self.keeper.stdin.close()
        self.keeper.wait(60)

    def kill(self, name: str) -> None:
        """kill -9 of one process of the installation."""
        process = self.processes[name]
        process.kill()
        process.wait(10)

    def add_user(
        self,
        login: str,
        role: str,
        establishment: str,
        *units: str,
        name: str = "",
        scope: str = "unit",
    ) -> str:
        """A staff account; its password."""
        password = "Correct-horse-7-battery"
        words = ["user", "add", login, "--role", role, "--establishment", establishment]
        for unit in units:
            words += ["--unit", unit]
        words += ["--scope", scope, "--name", name or login, "--password-stdin"]
        self.command(*words, given=password + "\n")
        return password

    def token(self, scope: str = "system/*.cruds") -> str:
        """A bearer token of a fresh API client."""
        keys: dict[str, Any] = json.loads(
            self.command("client", "add", "test", "--scope", scope, "--json")
        )
        answer = httpx.post(
            keys["token_endpoint"],
            data={"grant_type": "client_credentials", "scope": scope},
            auth=(keys["client_id"], keys["client_secret"]),
            trust_env=False,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def fhir(self, token: str) -> httpx.Client:
        """A FHIR client of this installation."""
        return httpx.Client(
            base_url=f"{self.base_url}/fhir",
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"},
            trust_env=False,
            timeout=60,
        )


class Mllp:
    """A sending system: frames out, acknowledgements back."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.rest = b""

    def send(self, message: str | bytes) -> str:
        data = message.encode() if isinstance(message, str) else message
        self.socket.sendall(b"\x0b" + data + b"\x1c\r")
        return self.answer()

    def answer(self) -> str:
        while b"\x1c\r" not in self.rest:
            part = self.socket.recv(65536)
            if not part:
                raise ConnectionError("closed by the gateway")
            self.rest += part
        frame, _, self.rest = self.rest.partition(b"\x1c\r")
        return frame.lstrip(b"\x0b").decode("utf-8", "replace")

    def close(self) -> None:
        self.socket.close()
