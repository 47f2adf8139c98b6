"""How does Liane bring its own database, when the hospital has not given one?

`EmbeddedServer(home).start()` gives the DSN of a running server: its own, or one that another
process of this installation already keeps. Recovery after a crash is waited for without limit.
"""

from __future__ import annotations

import fcntl
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from liane.base.errors import Unavailable
from liane.store.cluster import DATABASE, ROLES, Cluster
from liane.store.keeper import ALREADY_KEPT

log = logging.getLogger(__name__)

LOG_LIMIT_BYTES = 16 * 1024 * 1024
Say = Callable[[str], None]


class EmbeddedServer:
    """One PostgreSQL below `home`, started, adopted and stopped by this process."""

    def __init__(self, home: Path, *, settings: dict[str, str] | None = None) -> None:
        self.cluster = Cluster(Path(home).absolute(), dict(settings or {}))
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def app_dsn(self) -> str:
        """For the platform: no superuser, row-level security applies."""
        return self.cluster.dsn("liane_app")

    @property
    def owner_dsn(self) -> str:
        """For migrations and operators: owns the tables."""
        return self.cluster.dsn("liane_owner")

    @property
    def identity_dsn(self) -> str:
        """For the identity application: its own schema only."""
        return self.cluster.dsn("liane_identity")

    @property
    def superuser_dsn(self) -> str:
        """For the set-up of roles and for tests; nothing else uses it."""
        return self.cluster.dsn("postgres", "postgres")

    def start(self, say: Say = log.info) -> str:
        """Start or adopt, wait until it serves, and give the DSN of the application role."""
        self.cluster.prepare()
        self._wait_until_ready(say)
        self._set_up_roles()
        return self.app_dsn

    def stop(self) -> None:
        """Stop the server if this process keeps it; waits for a clean shutdown."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        if keeper.stdin is not None:
            keeper.stdin.close()
        keeper.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_until_ready(self, say: Say) -> None:
        told_at = time.monotonic()
        while True:
            self._keep_if_nobody_does()
            try:
                psycopg.connect(self.superuser_dsn, connect_timeout=5).close()
                return
            except psycopg.OperationalError as failure:
                if "password authentication failed" in str(failure):
                    raise self._cannot_start(str(failure)) from failure
                if time.monotonic() - told_at > 5:
                    told_at = time.monotonic()
                    say(f"waiting for PostgreSQL: {str(failure).strip().splitlines()[-1]}")
            time.sleep(0.05)

    def _keep_if_nobody_does(self) -> None:
        if self._keeper is not None:
            status = self._keeper.poll()
            if status is None:
                return
            self._keeper = None
            if status != ALREADY_KEPT:
                raise self._cannot_start(self._last_words())
        if not self._lock_is_free():
            return
        _turn_over(self.cluster.log)
        with self.cluster.log.open("ab") as log_file:
            self.cluster.log.chmod(0o600)
            self._keeper = subprocess.Popen(  # noqa: S603 - our own module
                [
                    sys.executable,
                    "-m",
                    "liane.store.keeper",
                    str(self.cluster.home),
                    json.dumps(self.cluster.settings),
                ],
                stdin=subprocess.PIPE,
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,
            )

    def _lock_is_free(self) -> bool:
        with self.cluster.lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def _set_up_roles(self) -> None:
        """Roles, passwords and the database; repeating it changes nothing."""
        passwords = self.cluster.passwords()
        with psycopg.connect(self.superuser_dsn, autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(7201)")
            known = {row[0] for row in connection.execute("select rolname from pg_roles")}
            for role in ROLES[1:]:
                if role not in known:
                    connection.execute(
                        sql.SQL("create role {} login password {}").format(
                            sql.Identifier(role), sql.Literal(passwords[role])
                        )
                    )
            found = connection.execute(
                "select 1 from pg_database where datname = %s", [DATABASE]
            ).fetchone()
            if found is None:
                create_database(connection, DATABASE)

    def _last_words(self) -> str:
        try:
            lines = self.cluster.log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return " / ".join(lines[-5:])

    def _cannot_start(self, why: str) -> Unavailable:
        return Unavailable(
            "store.cannot-start",
            f"PostgreSQL ne démarre pas : {why}",
            f"PostgreSQL does not start: {why}",
            f"Lisez {self.cluster.log}",
            f"Read {self.cluster.log}",
        )


def _turn_over(log_file: Path) -> None:
    """Start a new log when the old one has grown; the one before is kept."""
    if log_file.exists() and log_file.stat().st_size > LOG_LIMIT_BYTES:
        log_file.replace(log_file.with_suffix(".log.1"))


def create_database(
    connection: psycopg.Connection[tuple[object, ...]], name: str, template: str | None = None
) -> None:
    """A database owned by `liane_owner`, closed to every role but ours."""
    statement = sql.SQL("create database {} owner liane_owner").format(sql.Identifier(name))
    if template is not None:
        statement += sql.SQL(" template {}").format(sql.Identifier(template))
    connection.execute(statement)
    connection.execute(
        sql.SQL("revoke all on database {} from public").format(sql.Identifier(name))
    )
    connection.execute(
        sql.SQL("grant connect on database {} to liane_app, liane_identity").format(
            sql.Identifier(name)
        )
    )
