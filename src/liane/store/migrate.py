"""How does the database come to have the tables that this version of the code needs?

Files `schema/NNNN_pre_name.sql` (before the new code runs) and `NNNN_post_name.sql` (after it) are
applied in order of number, each in its own transaction, once, under a lock that lets several
processes start at the same time. A file that changed after it was applied is refused.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import asyncpg

from liane.base.errors import Fault

_FILE = re.compile(r"^(\d{4})_(pre|post)_([a-z0-9_]+)\.sql$")
_LOCK = 7202

_LEDGER = """
create schema if not exists store;
create table if not exists store.migration (
  number int primary key,
  moment text not null,
  name text not null,
  sha256 text not null,
  applied timestamptz not null default now()
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of the schema."""

    number: int
    moment: Literal["pre", "post"]
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """What the ledger compares."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All files, in order; a number used twice is an error."""
    found: dict[int, Migration] = {}
    for file in (resources.files("liane.store") / "schema").iterdir():
        match = _FILE.match(file.name)
        if match is None:
            continue
        number = int(match.group(1))
        if number in found:
            raise ValueError(f"migration {number:04d} exists twice")
        moment: Literal["pre", "post"] = "pre" if match.group(2) == "pre" else "post"
        found[number] = Migration(number, moment, match.group(3), file.read_text("utf-8"))
    return [found[number] for number in sorted(found)]


async def migrate(dsn: str, *, moment: Literal["pre", "post", "all"] = "all") -> list[str]:
    """Apply what is missing, as the owner of the tables; gives the names applied."""
    connection = await asyncpg.connect(dsn, server_settings={"application_name": "liane migrate"})
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(_LEDGER)
        return await _apply_missing(connection, moment)
    finally:
        await connection.close()


async def _apply_missing(connection: Any, moment: str) -> list[str]:
    rows = await connection.fetch("select number, sha256 from store.migration")
    applied = {row["number"]: row["sha256"] for row in rows}
    done: list[str] = []
    for migration in migrations():
        known = applied.get(migration.number)
        if known is None and moment in ("all", migration.moment):
            await _apply(connection, migration)
            done.append(f"{migration.number:04d}_{migration.name}")
        elif known is not None and known != migration.sha256:
            raise Fault(
                "store.migration-changed",
                f"La migration {migration.number:04d} a changé après son application.",
                f"Migration {migration.number:04d} changed after it was applied.",
                "Restaurez la version d'origine, ou repartez d'un dossier de données neuf.",
                "Restore the original version, or start from a new data folder.",
            )
    return done


async def _apply(connection: Any, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.text)
        await connection.execute(
            "insert into store.migration (number, moment, name, sha256) values ($1, $2, $3, $4)",
            migration.number,
            migration.moment,
            migration.name,
            migration.sha256,
        )
    await connection.reload_schema_state()


async def missing(dsn: str) -> list[str]:
    """Names of the migrations that this database lacks (for readiness and `liane doctor`)."""
    connection = await asyncpg.connect(dsn)
    try:
        known: set[int] = set()
        if await connection.fetchval("select to_regclass('store.migration')"):
            rows = await connection.fetch("select number from store.migration")
            known = {row["number"] for row in rows}
    finally:
        await connection.close()
    return [f"{m.number:04d}_{m.name}" for m in migrations() if m.number not in known]
