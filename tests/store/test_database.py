"""A unit of work is all or nothing, sees one tenant, and outlives a restart of the server."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from liane.base.errors import Conflict, Unavailable
from liane.store import Database
from liane.store.resources import put, read


async def test_what_follows_a_commit_runs_only_after_a_commit(database: Database) -> None:
    told: list[str] = []
    async with database.transaction() as tx:
        tx.after_commit(lambda: told.append("kept"))
        assert told == []
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with database.transaction() as tx:
            tx.after_commit(lambda: told.append("lost"))
            raise ZeroDivisionError
    async with database.transaction() as tx:
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            async with tx.savepoint():
                tx.after_commit(lambda: told.append("undone"))
                raise ZeroDivisionError
        with pytest.raises(Conflict):  # noqa: PT012
            async with tx.savepoint():
                await put(tx, {"resourceType": "Patient", "id": "p1"})
                await tx.execute("update record.resource set rid = 1")
                await put(tx, {"resourceType": "Patient", "id": "p2"})
                await tx.execute("update record.resource set rid = 1")
        assert await read(tx, "Patient", "p1") is None
    assert told == ["kept"]


async def test_a_question_cannot_write(database: Database) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with database.reading() as tx:
            await tx.execute("delete from record.resource")


async def test_another_tenant_sees_nothing(database: Database, test_database) -> None:
    if test_database.external:
        pytest.skip("one role for everything: row-level security does not apply to the owner")
    async with database.transaction() as tx:
        await put(tx, {"resourceType": "Patient", "id": "p1", "name": [{"family": "Lenoir"}]})
    async with await Database.open(database.dsn, tenant=2) as other:
        async with other.transaction() as tx:
            assert await read(tx, "Patient", "p1") is None
            for table in ("resource", "history", "change", "ix_text", "content"):
                assert await tx.fetchval(f"select count(*) from record.{table}") == 0
            same = await put(tx, {"resourceType": "Patient", "id": "p1"})
            assert same.version == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with other.transaction() as tx:
                await tx.execute("update record.resource set tenant = 1")
    async with database.reading() as tx:
        found = await read(tx, "Patient", "p1")
        assert found is not None
        assert "Lenoir" in found.body


async def test_the_application_role_has_no_power_over_the_wall(
    database: Database, test_database
) -> None:
    if test_database.external:
        pytest.skip("one role for everything")
    async with database.reading() as tx:
        row = await tx.fetchrow(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles "
            "where rolname = current_user"
        )
        assert not any(row)
        open_tables = await tx.fetch(
            "select c.oid::regclass::text as name from pg_class c join pg_attribute a on "
            "a.attrelid = c.oid where a.attname = 'tenant' and c.relkind = 'r' "
            "and c.relnamespace = 'record'::regnamespace and not c.relrowsecurity"
        )
        # Numbers only, for all tenants: see the schema.
        assert {row["name"] for row in open_tables} <= {"record.unannounced", "record.announced"}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction() as tx:
            await tx.execute("alter table record.resource disable row level security")


async def test_a_lost_connection_is_unavailable_and_the_next_work_succeeds(
    database: Database, test_database
) -> None:
    owner = await asyncpg.connect(test_database.owner_dsn)
    with pytest.raises(Unavailable):  # noqa: PT012
        async with database.transaction() as tx:
            pid = await tx.fetchval("select pg_backend_pid()")
            if test_database.external:
                await owner.execute("select pg_terminate_backend($1)", pid)
            else:
                tx.connection.terminate()
            await asyncio.sleep(0.05)
            await tx.fetchval("select 1")
    await owner.close()
    async with database.reading() as tx:
        assert await tx.fetchval("select 1") == 1


async def test_two_creations_of_the_same_resource_are_a_conflict(database: Database) -> None:
    both_began = asyncio.Barrier(2)

    async def create(name: str) -> None:
        async with database.transaction() as tx:
            await both_began.wait()
            await put(tx, {"resourceType": "Patient", "id": "p1", "name": [{"family": name}]})
            await asyncio.sleep(0.1)

    outcomes = await asyncio.gather(create("A"), create("B"), return_exceptions=True)
    assert sorted(type(o).__name__ for o in outcomes) == ["Conflict", "NoneType"]
    assert any(isinstance(o, Conflict) for o in outcomes)
