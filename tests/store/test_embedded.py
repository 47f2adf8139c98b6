"""Our own server loses nothing that was acknowledged, comes back by itself, and opens no door."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import psycopg
import pytest

from liane.base.errors import LianeError, Unavailable
from liane.store import Database
from liane.store.embedded import EmbeddedServer
from liane.store.migrate import migrate, missing
from liane.store.psql import command
from liane.store.resources import put

pytestmark = pytest.mark.fault


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    kept = EmbeddedServer(tmp_path / "home", settings={"shared_buffers": "'32MB'"})
    kept.start()
    yield kept
    kept.stop()


def postmaster(server: EmbeddedServer) -> int:
    return int((server.cluster.data / "postmaster.pid").read_text().splitlines()[0])


def processes_below(server: EmbeddedServer) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            words, home = process.cmdline(), str(server.cluster.home)
            starter = "-c" in words
            if not starter and (home in " ".join(words) or process.cwd().startswith(home)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill(processes: list[psutil.Process], only: str = "") -> None:
    """Kill those whose command names `only`; one that has ended meanwhile needs no killing."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if only in " ".join(process.cmdline()):
                process.kill()


async def test_kill_9_of_the_server_during_commits_loses_nothing_acknowledged(
    server: EmbeddedServer,
) -> None:
    await migrate(server.owner_dsn)
    database = await Database.open(server.app_dsn)
    acknowledged: list[str] = []
    stop = asyncio.Event()
    refused = 0

    async def writer(name: str) -> None:
        nonlocal refused
        n = 0
        while not stop.is_set():
            n += 1
            try:
                async with database.transaction() as tx:
                    await put(tx, {"resourceType": "Patient", "id": f"{name}-{n}"})
                acknowledged.append(f"{name}-{n}")
            except LianeError:
                refused += 1
                await asyncio.sleep(0.02)

    writers = [asyncio.create_task(writer(f"w{n}")) for n in range(6)]
    for _ in range(4):
        await asyncio.sleep(0.4)
        pid = await asyncio.to_thread(postmaster, server)
        os.kill(pid, signal.SIGKILL)
        before = len(acknowledged)
        deadline = time.monotonic() + 60
        while len(acknowledged) < before + 20 and time.monotonic() < deadline:
            assert not any(w.done() for w in writers)
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*writers)
    await asyncio.sleep(0.2)
    async with database.reading() as tx:
        rows = await tx.fetch("select id from record.resource")
    await database.close()
    assert len(acknowledged) > 80
    assert set(acknowledged) <= {row["id"] for row in rows}


STARTER = """
import sys, time
from pathlib import Path
from liane.store.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), settings={"shared_buffers": "'32MB'"})
server.start()
print("ready", flush=True)
time.sleep(600)
"""


def start_elsewhere(home: Path) -> subprocess.Popen[bytes]:
    started = subprocess.Popen([sys.executable, "-c", STARTER, str(home)], stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    return started


def test_kill_9_of_the_whole_tree_and_the_next_start_just_works(tmp_path: Path) -> None:
    home = tmp_path / "home"
    again = EmbeddedServer(home, settings={"shared_buffers": "'32MB'"})
    for turn in range(3):
        started = start_elsewhere(home)
        with psycopg.connect(again.owner_dsn) as connection:
            connection.execute("create table if not exists kept (n int)")
            connection.execute("insert into kept values (%s)", [turn])
        started.kill()
        kill(processes_below(again))
        started.wait()
        again.start()
        with psycopg.connect(again.owner_dsn) as connection:
            rows = connection.execute("select n from kept order by n").fetchall()
        again.stop()
        assert rows == [(n,) for n in range(turn + 1)]
        assert processes_below(again) == []


@pytest.mark.parametrize("victim", ["starter", "keeper"])
def test_no_process_outlives_the_one_that_started_the_server(tmp_path: Path, victim: str) -> None:
    home = tmp_path / "home"
    server = EmbeddedServer(home)
    started = start_elsewhere(home)
    if victim == "starter":
        started.kill()
    else:
        kill(processes_below(server), "liane.store.keeper")
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        left = [p for p in processes_below(server) if p.pid != started.pid]
        if not left:
            break
        time.sleep(0.05)
    assert left == []
    started.kill()
    started.wait()


def test_a_second_process_adopts_the_running_server(server: EmbeddedServer) -> None:
    second = EmbeddedServer(server.cluster.home)
    assert second.start() == server.app_dsn
    second.stop()
    with psycopg.connect(server.app_dsn) as connection:
        assert connection.execute("select current_user").fetchone() == ("liane_app",)


def test_recovery_is_waited_for_without_limit_and_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = EmbeddedServer(home)
    first.start()
    first.stop()
    told: list[str] = []
    # A server that answers "starting up" for longer than any usual patience of a start script.
    slow = EmbeddedServer(home)
    slow.cluster.prepare()
    lock = slow.cluster.lock.open("a")
    import fcntl
    import threading

    fcntl.flock(lock, fcntl.LOCK_EX)
    threading.Timer(12, lock.close).start()
    began = time.monotonic()
    slow.start(told.append)
    slow.stop()
    assert time.monotonic() - began > 11
    assert told
    assert "waiting for PostgreSQL" in told[0]


def test_nobody_is_trusted(server: EmbeddedServer) -> None:
    cluster = server.cluster
    for role in ("postgres", "liane_owner", "liane_app", "liane_identity"):
        for password in ("", "wrong", role):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(
                    host=str(cluster.run), user=role, password=password, dbname="postgres"
                )
    hba = (cluster.data / "pg_hba.conf").read_text()
    assert [line for line in hba.splitlines() if not line.startswith("#")] == [
        "local all all scram-sha-256"
    ]
    with psycopg.connect(server.superuser_dsn) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        for name, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
        }.items():
            assert connection.execute(f"show {name}").fetchone() == (value,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_reaches_neither_socket_nor_files(server: EmbeddedServer) -> None:
    for path in (server.cluster.run / ".s.PGSQL.5432", server.cluster.root / "passwords.json"):
        assert path.exists()
        trial = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        tried = subprocess.run([*trial, "stat", str(path)], capture_output=True, check=False)
        assert tried.returncode != 0


def test_no_permission_is_changed_outside_our_own_folder(tmp_path: Path) -> None:
    parent = tmp_path / "private"
    parent.mkdir(mode=0o700)
    watched = [*parent.parents, parent]
    before = [(p.stat().st_mode, p.stat().st_uid, p.stat().st_gid) for p in watched]
    with EmbeddedServer(parent / "home") as server:
        own = server.cluster.root
        assert stat.S_IMODE(own.stat().st_mode) == 0o700
        assert stat.S_IMODE((own / "passwords.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(server.cluster.data.stat().st_mode) == 0o700
    assert [(p.stat().st_mode, p.stat().st_uid, p.stat().st_gid) for p in watched] == before


def test_a_number_of_a_dead_server_that_another_process_has_now_is_no_obstacle(
    tmp_path: Path,
) -> None:
    server = EmbeddedServer(tmp_path / "home")
    server.start()
    content = (server.cluster.data / "postmaster.pid").read_text().splitlines()
    server.stop()
    content[0] = str(os.getpid())
    (server.cluster.data / "postmaster.pid").write_text("\n".join(content) + "\n")
    server.start()
    server.stop()


def test_a_crash_during_the_first_start_leaves_no_half_made_cluster(tmp_path: Path) -> None:
    home = tmp_path / "home"
    server = EmbeddedServer(home)
    server.cluster.prepare()
    half = server.cluster.root / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    server.start()
    server.stop()
    assert not half.exists()


def test_a_setting_that_cannot_work_is_said_instead_of_waited_for(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "home")
    server.start()
    server.stop()
    (server.cluster.root / "operator.conf").write_text("shared_buffers = 'much'\n")
    with pytest.raises(Unavailable) as refusal:
        server.start()
    assert "shared_buffers" in refusal.value.en
    (server.cluster.root / "operator.conf").unlink()
    server.start()
    server.stop()


def test_a_deep_home_still_has_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with EmbeddedServer(deep) as server:
        assert len(str(server.cluster.run)) < 60
        assert stat.S_IMODE(server.cluster.run.stat().st_mode) == 0o700
    server.cluster.run.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="the fallback is for root")
def test_without_user_namespaces_an_ordinary_account_runs_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import shutil
    import tempfile

    monkeypatch.setenv("LIANE_TEST_NO_USER_NAMESPACE", "1")
    open_parent = Path(tempfile.mkdtemp(prefix="liane-open-"))
    open_parent.chmod(0o755)
    closed = Path(tempfile.mkdtemp(prefix="liane-closed-"))
    try:
        with EmbeddedServer(open_parent / "home") as server:
            owner = psutil.Process(postmaster(server)).uids().real
            assert owner != 0
            with psycopg.connect(server.app_dsn) as connection:
                assert connection.execute("select 1").fetchone() == (1,)
        monkeypatch.setenv("LIANE_TEST_NO_CAPABILITY", "1")
        with pytest.raises(Unavailable) as refusal:
            EmbeddedServer(closed / "home").start()
        assert "cannot pass through" in refusal.value.en
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        shutil.rmtree(open_parent)
        shutil.rmtree(closed)


@pytest.mark.skipif(os.geteuid() != 0, reason="the fallback is for root")
def test_without_user_namespaces_a_closed_folder_above_stays_closed_and_is_passed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    server = EmbeddedServer(tmp_path / "home")
    with server:
        pass  # made as root, in a user namespace where this machine allows one
    monkeypatch.setenv("LIANE_TEST_NO_USER_NAMESPACE", "1")
    with server:
        owner = psutil.Process(postmaster(server)).uids().real
        assert owner != 0
        assert server.cluster.data.stat().st_uid == owner
        status = Path(f"/proc/{postmaster(server)}/status").read_text()
        assert "CapBnd:\t0000000000000002" in status
        with psycopg.connect(server.app_dsn) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    assert (tmp_path.stat().st_uid, stat.S_IMODE(tmp_path.stat().st_mode)) == (0, 0o700)
    monkeypatch.delenv("LIANE_TEST_NO_USER_NAMESPACE")
    with server, psycopg.connect(server.app_dsn) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


async def test_roles_reach_their_own_part_only(server: EmbeddedServer) -> None:
    assert await migrate(server.owner_dsn) != []
    assert await migrate(server.owner_dsn) == []
    assert await missing(server.app_dsn) == []
    identity = await asyncpg.connect(server.identity_dsn)
    await identity.execute("create table identity.trial (n int)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await identity.fetch("select * from record.resource")
    app = await asyncpg.connect(server.app_dsn)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.fetch("select * from identity.trial")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("create table record.own (n int)")
    await identity.close()
    await app.close()


def test_psql_answers_as_the_owner_and_shows_no_password(server: EmbeddedServer) -> None:
    arguments, environment = command(server.owner_dsn, ["-Atc", "select current_user"])
    assert not any(server.cluster.passwords()["liane_owner"] in word for word in arguments)
    told = subprocess.run(
        arguments, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "liane_owner"


async def test_a_changed_migration_is_refused(server: EmbeddedServer) -> None:
    await migrate(server.owner_dsn)
    owner = await asyncpg.connect(server.owner_dsn)
    await owner.execute("update store.migration set sha256 = 'other' where number = 1")
    await owner.close()
    with pytest.raises(LianeError) as refusal:
        await migrate(server.owner_dsn)
    assert refusal.value.code == "store.migration-changed"
