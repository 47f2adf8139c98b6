"""How is each server started, held still while the other works, and read for what it uses?

Both stand on a PostgreSQL of the same build with the same settings, each its own, reached by a
local socket. The one that does not work is stopped by signal, so it takes nothing and stays warm.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from tests.running import KEEP_DATABASE, Installation, free_port

from liane.store.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / "bench" / "peers" / "hapi"
BUILT = ROOT / ".build" / "peers" / "hapi"
TICKS = os.sysconf("SC_CLK_TCK")
CONNECTIONS = 10
HEAP = "2g"
BLOCKING = ("cardinality", "type", "binding", "invariant", "target")
"""Findings that refuse a write to Liane unless the establishment chooses otherwise."""


class NoPeer(Exception):
    """The peer cannot be built or started on this machine."""


@dataclass
class Server:
    """A running server and its database."""

    name: str
    port: int
    cluster: Cluster
    program: list[int]
    database: list[int]
    headers: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)

    def renew(self) -> None:
        """A fresh token, where one is asked for."""
        if not self.keys:
            return
        answer = httpx.post(
            self.keys["token_endpoint"],
            data={"grant_type": "client_credentials", "scope": "system/*.cruds"},
            auth=(self.keys["client_id"], self.keys["client_secret"]),
            trust_env=False,
            timeout=60,
        )
        answer.raise_for_status()
        self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def hold(self) -> None:
        """Stand still: the program first, then its database."""
        _signal([*_trees(self.program), *_trees(self.database)], signal.SIGSTOP)

    def go_on(self) -> None:
        """Work again."""
        _signal([*_trees(self.database), *_trees(self.program)], signal.SIGCONT)

    def cpu(self) -> tuple[float, float]:
        """Processor seconds used so far by the program and by its database."""
        return _cpu(self.program), _cpu(self.database)

    def ask_database(self, question: str) -> list[tuple[Any, ...]]:
        """A question to the database, as its superuser."""
        with psycopg.connect(self.cluster.dsn("postgres", "liane"), autocommit=True) as connection:
            cursor = connection.execute(question.encode())
            return cursor.fetchall() if cursor.description else []

    def bytes_used(self) -> int:
        """All tables, indexes and long values of the database."""
        return int(self.ask_database("select pg_database_size(current_database())")[0][0])

    def wal(self) -> int:
        """Bytes of the write-ahead log written so far."""
        return int(self.ask_database("select pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0])


class Bench(Installation):
    """An installation with as many connections as the peer, and nothing else unusual."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "LIANE_DATABASE_POOL": str(CONNECTIONS)}


@contextlib.contextmanager
def liane(home: Path, validate: bool) -> Iterator[Server]:
    """Liane with its journal on, its tokens on; without validation only what has another shape
    than the standard's is still refused.
    """
    installation = Bench(home)
    try:
        installation.start()
        for kind in BLOCKING:
            installation.command("validation", kind, "default" if validate else "ignore")
        words = ["client", "add", "bench", "--scope", "system/*.cruds", "--json"]
        keys = json.loads(installation.command(*words))
        programs = [one.pid for one in installation.processes.values()]
        server = Server(
            "Liane",
            installation.http_port,
            Cluster(home.absolute()),
            programs,
            [installation.keeper.pid],
            keys=keys,
        )
        server.renew()
        try:
            yield server
        finally:
            server.go_on()
    finally:
        installation.stop()


def build_peer() -> None:
    """Make the peer from Maven Central. Raises `NoPeer` with the reason when it cannot be made."""
    if (BUILT / "lib").is_dir() and _newest(PEER) <= (BUILT / "classes").stat().st_mtime:
        return
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise NoPeer(f"{program} is not on this machine (Java 17 and Maven 3.8.3 or later)")
    done = subprocess.run(
        ["mvn", "-q", "-B", "package"], cwd=PEER, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoPeer(f"Maven did not build it:\n{done.stdout[-1500:]}{done.stderr[-500:]}")
    (BUILT / "classes").touch()


def _newest(folder: Path) -> float:
    return max(one.stat().st_mtime for one in folder.rglob("*") if one.is_file())


@contextlib.contextmanager
def hapi(home: Path, validate: bool, integrity: bool, reuse_milliseconds: int) -> Iterator[Server]:
    """HAPI FHIR JPA as `bench/peers/hapi` sets it up."""
    build_peer()
    home.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-c", KEEP_DATABASE, str(home)]
    keeper = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    program: subprocess.Popen[bytes] | None = None
    try:
        if keeper.stdout.readline() != b"up\n":
            raise NoPeer("its PostgreSQL did not start")
        cluster, port = Cluster(home.absolute()), free_port()
        program = _java(home, _words(cluster, port, validate, integrity, reuse_milliseconds))
        _wait(program, port, home / "hapi.log")
        server = Server("HAPI", port, cluster, [program.pid], [keeper.pid])
        try:
            yield server
        finally:
            server.go_on()
    finally:
        if program is not None:
            program.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(20)
            program.kill()
        keeper.stdin.close()
        keeper.wait(120)


def _words(cluster: Cluster, port: int, validate: bool, integrity: bool, reuse: int) -> list[str]:
    factory = "org.newsclub.net.unix.AFUNIXSocketFactory$FactoryArg"
    socket = f"{cluster.run}/.s.PGSQL.5432"
    address = f"sslMode=disable&socketFactory={factory}&socketFactoryArg={socket}"
    return [
        f"--server.port={port}",
        f"--spring.datasource.url=jdbc:postgresql://localhost/liane?{address}",
        "--spring.datasource.username=liane_owner",
        f"--peer.connections={CONNECTIONS}",
        f"--peer.validate={str(validate).lower()}",
        f"--peer.integrity={str(integrity).lower()}",
        f"--peer.reuse-milliseconds={reuse}",
    ]


def _java(home: Path, words: list[str]) -> subprocess.Popen[bytes]:
    log = (home / "hapi.log").open("ab")
    password = Cluster(home.absolute()).passwords()["liane_owner"]
    return subprocess.Popen(
        ["java", f"-Xmx{HEAP}", "-cp", "classes:lib/*", "fr.liane.peer.HapiPeer", *words],
        cwd=BUILT,
        env={**os.environ, "SPRING_DATASOURCE_PASSWORD": password},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _wait(program: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and program.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            address = f"http://127.0.0.1:{port}/fhir/metadata"
            if httpx.get(address, trust_env=False, timeout=120).status_code == 200:
                return
        time.sleep(0.5)
    raise NoPeer(f"it did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")


def _trees(roots: list[int]) -> list[int]:
    """These processes and everything they started."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = stat.read_text().rpartition(")")[2].split()
            parents.setdefault(int(words[1]), []).append(int(stat.parent.name))
    found, ahead = [], list(roots)
    while ahead:
        one = ahead.pop()
        found.append(one)
        ahead += parents.get(one, [])
    return found


def _signal(processes: list[int], number: signal.Signals) -> None:
    for one in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, number)


def _cpu(roots: list[int]) -> float:
    total = 0.0
    for one in _trees(roots):
        with contextlib.suppress(OSError, IndexError):
            words = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(words[n]) for n in (11, 12, 13, 14)) / TICKS
    return total
