"""Who watches over our own PostgreSQL, and brings it back when it falls?

A process of its own: `python -m liane.store.keeper HOME`. It holds the lock of the data folder,
makes the cluster if there is none, runs the server, restarts it when it dies, and stops it cleanly
when asked (SIGTERM, SIGINT) or when the process that started it is gone (its standard input ends).
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from liane.store.cluster import (
    SETTINGS,
    Cluster,
    as_allowed_account,
    program,
    sync_folder,
)

NOBODYS_NUMBER = 4_194_303
"""The highest process number Linux can be set to give; practically never in use."""

ALREADY_KEPT = 75
"""Exit status when another keeper holds the lock."""

CANNOT_SERVE = 1
MOST_SHORT_LIVES = 60
"""A server that refuses to start so often in a row will not start: a wrong setting, a full disk."""

_ACCESS = """# Written by Liane at each start. Nobody is trusted: every role gives its password.
local all all scram-sha-256
"""


class Keeper:
    """The life of one server, from lock to shutdown."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        self._server: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Keep the server until told to stop; the exit status says how it went."""
        self._cluster.prepare()
        lock = self._cluster.lock.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ALREADY_KEPT
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: self._wake())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.set_blocking(self._wake_write, False)
        self._make_cluster()
        self._write_settings()
        short_lives = 0
        while not self._stopping:
            self._clear_foreign_pid_file()
            began = time.monotonic()
            status = self._serve_once()
            lived = time.monotonic() - began
            short_lives = short_lives + 1 if status > 0 and lived < 2 else 0
            if short_lives > MOST_SHORT_LIVES:
                return CANNOT_SERVE
            if not self._stopping and lived < 1:
                # A server that was killed leaves children that need a moment to go.
                time.sleep(0.2)
        return 0

    def _asked_to_stop(self, *_: object) -> None:
        self._stopping = True
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            pass  # a wake-up is already waiting

    def _make_cluster(self) -> None:
        """Initdb into a draft that is renamed when complete, so that a crash leaves no half."""
        cluster = self._cluster
        if (cluster.data / "PG_VERSION").exists():
            return
        draft = cluster.root / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        password = cluster.root / "initdb.password"
        password.touch(mode=0o600)
        password.write_text(cluster.passwords()["postgres"], "utf-8")
        command = [str(program("initdb")), "-D", str(draft), "-U", "postgres", "-k"]
        command += ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        # Thousands of small files: one flush of the file system instead of one for each.
        command += ["--sync-method=syncfs"]
        line = as_allowed_account(command, cluster)
        if line[0] == "setpriv" and os.geteuid() == 0:
            owner = cluster.root.stat()
            os.chown(password, owner.st_uid, owner.st_gid)
        subprocess.run(line, check=True, stdin=subprocess.DEVNULL, cwd=cluster.root)  # noqa: S603
        password.unlink()
        draft.rename(cluster.data)
        sync_folder(cluster.root)

    def _write_settings(self) -> None:
        data = self._cluster.data
        run = str(self._cluster.run).replace("'", "''")
        settings = {**SETTINGS, "unix_socket_directories": f"'{run}'"}
        settings |= {"unix_socket_permissions": "0700"} | self._cluster.settings
        lines = ["# Written by Liane at each start. Your own settings go into ../operator.conf."]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        lines.append("include_if_exists '../operator.conf'")
        (data / "postgresql.conf").write_text("\n".join(lines) + "\n", "utf-8")
        (data / "pg_hba.conf").write_text(_ACCESS, "utf-8")

    def _clear_foreign_pid_file(self) -> None:
        """After a crash the number in postmaster.pid may belong to an unrelated process now.

        PostgreSQL would then refuse to start for ever. The number is replaced by one that nobody
        has; the rest of the file stays, so that PostgreSQL itself still looks for orphans that
        hold the shared memory named there.
        """
        file = self._cluster.data / "postmaster.pid"
        try:
            first, _, rest = file.read_text("utf-8").partition("\n")
            process = Path("/proc") / str(int(first))
        except (OSError, ValueError):
            return
        if process.exists() and not _may_be_ours(process, str(self._cluster.data.resolve())):
            file.write_text(f"{NOBODYS_NUMBER}\n{rest}", "utf-8")

    def _serve_once(self) -> int:
        """Run the server until it ends, passing on the wish to stop; its exit status."""
        command = [str(program("postgres")), "-D", str(self._cluster.data)]
        self._server = subprocess.Popen(  # noqa: S603 - our own program and folder
            as_allowed_account(command, self._cluster),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        told = False
        while self._server.poll() is None:
            if self._stopping and not told:
                # SIGINT is PostgreSQL's fast shutdown; a postmaster is never killed.
                self._server.send_signal(signal.SIGINT)
                told = True
            self._wait_for_news()
        return self._server.returncode

    def _wait_for_news(self) -> None:
        watched = [self._wake_read] if self._stopping else [self._wake_read, 0]
        ready, _, _ = select.select(watched, [], [], 5.0)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        if 0 in ready and not os.read(0, 4096):
            self._stopping = True


def _may_be_ours(process: Path, folder: str) -> bool:
    """Whether a process is a PostgreSQL that works in `folder`, or hides where it works."""
    try:
        if (process / "comm").read_text("utf-8").strip() != "postgres":
            return False
        return str((process / "cwd").readlink()) == folder
    except PermissionError:
        # Containers hide where others work. The server is left to decide for itself.
        return True
    except OSError:
        return False


def main() -> int:
    """Arguments: the home folder, and settings as JSON."""
    cluster = Cluster(Path(sys.argv[1]), json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})
    return Keeper(cluster).run()


if __name__ == "__main__":
    sys.exit(main())
