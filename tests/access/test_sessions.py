"""Does a session end when it should, and hold nothing that opens a door?"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from liane.access import staff, upkeep, writes
from liane.access.actor import SYSTEM
from liane.access.sessions import Limits, Sessions, csrf_matches
from liane.base.clock import FrozenClock, SystemClock
from liane.store import Database
from liane.store.resources import Write


@pytest.fixture
def clock(database: Database) -> FrozenClock:
    frozen = FrozenClock(SystemClock().now())
    database.clock = frozen
    return frozen


async def opened(database: Database, sessions: Sessions) -> str:
    async with database.transaction() as tx:
        await staff.enrol(tx, "claire", "Claire Martin", "ide", "chu", ["uf-1"])
        person = await staff.find(tx, "claire")
        assert person is not None
        return await sessions.start(tx, person)


async def test_only_a_digest_is_kept(database: Database) -> None:
    sessions = Sessions(database)
    token = await opened(database, sessions)
    async with database.reading() as tx:
        row = await tx.fetchrow("select s.*, s::text as whole from access.session s")
    assert token not in row["whole"]
    session = await sessions.resolve(token)
    assert session is not None
    assert session.actor.name == "Claire Martin"
    assert csrf_matches(session, session.csrf_token)
    assert not csrf_matches(session, None)
    assert not csrf_matches(session, "é")
    for guess in (None, "", token + "x", "x" * 500):
        assert await sessions.resolve(guess) is None


async def test_a_session_ends_without_use_and_at_its_limit(
    database: Database, clock: FrozenClock
) -> None:
    sessions = Sessions(database, Limits(timedelta(hours=12), timedelta(hours=24)))
    idle = await opened(database, sessions)
    clock.advance(12 * 3600 + 1)
    assert await sessions.resolve(idle) is None
    used = await opened(database, sessions)
    for _ in range(3):
        clock.advance(7 * 3600)
        assert await sessions.resolve(used) is not None
    clock.advance(3 * 3600 + 1)
    assert await sessions.resolve(used) is None


async def test_sessions_end_on_demand_and_with_the_account(database: Database) -> None:
    sessions = Sessions(database)
    one, two = await opened(database, sessions), await opened(database, sessions)
    async with database.transaction() as tx:
        await sessions.end(tx, one)
    assert await sessions.resolve(one) is None
    assert await sessions.resolve(two) is not None
    async with database.transaction() as tx:
        assert await sessions.end_all_of(tx, "claire", reason="stolen badge") == 1
    assert await sessions.resolve(two) is None
    three = await opened(database, sessions)
    async with database.transaction() as tx:
        person = await staff.find(tx, "claire")
        assert person is not None
        closed = {
            "resourceType": "Practitioner",
            "id": person.practitioner,
            "active": False,
            "identifier": [{"system": staff.LOGIN_SYSTEM, "value": "claire"}],
        }
        await writes.apply(tx, SYSTEM("staff"), [Write(closed)], reason="left the hospital")
    assert await sessions.resolve(three) is None


async def test_a_role_given_or_taken_counts_at_the_next_request(database: Database) -> None:
    sessions = Sessions(database)
    token = await opened(database, sessions)
    async with database.transaction() as tx:
        await staff.enrol(tx, "claire", "Claire Martin", "cadre", "chu", ["uf-1"])
    session = await sessions.resolve(token)
    assert session is not None
    assert {role.code for role in session.actor.roles} == {"ide", "cadre"}
    async with database.transaction() as tx:
        for row in await tx.fetch("select role_id from access.staff_role"):
            gone = Write({"resourceType": "PractitionerRole"}, id=row["role_id"], deletes=True)
            await writes.apply(tx, SYSTEM("staff"), [gone], reason="role ended")
    session = await sessions.resolve(token)
    assert session is not None
    assert session.actor.roles == ()


async def test_old_sessions_are_forgotten(database: Database, clock: FrozenClock) -> None:
    sessions = Sessions(database)
    await opened(database, sessions)
    clock.advance(40 * 86_400)
    async with database.transaction() as tx:
        await sessions.forget_old(tx)
        assert await tx.fetchval("select count(*) from access.session") == 0


async def test_upkeep_goes_on_after_a_failure(database: Database) -> None:
    calls = []

    def clear() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError

    running = asyncio.create_task(
        upkeep.run(database, Sessions(database), clear, every_seconds=0.01)
    )
    while len(calls) < 3:
        await asyncio.sleep(0.01)
    running.cancel()
