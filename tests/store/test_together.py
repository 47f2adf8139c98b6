"""Pieces of work that share a transaction do what they would do alone, and never pay for another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from liane.base.errors import Conflict, Invalid
from liane.store import Database, Tx
from liane.store.resources import Version, Write, read, write_many
from liane.store.together import Rounds, Shared, together


def note(id_: str, text: str = "seen") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"text": text},
        "subject": {"reference": "Patient/p1"},
    }


async def count_of(database: Database) -> int:
    async with database.reading() as tx:
        return int(await tx.fetchval("select count(*) from record.resource"))


async def test_pieces_are_written_in_one_batch_of_changes(database: Database) -> None:
    async def piece(tx: Tx, id_: str) -> list[Version]:
        return await write_many(tx, [Write(note(id_)), Write(note(f"{id_}-b"))])

    outcomes = await together(database, [lambda tx, n=n: piece(tx, f"n{n}") for n in range(5)])
    written = [[(v.id, v.version) for v in outcome.value or []] for outcome in outcomes]
    assert written == [[(f"n{n}", 1), (f"n{n}-b", 1)] for n in range(5)]
    async with database.reading() as tx:
        # One statement wrote them all: one announcement, not five.
        assert await tx.fetchval("select count(*) from record.unannounced") == 1
        assert await tx.fetchval("select count(*) from record.resource") == 10


async def test_two_pieces_may_write_the_same_resource(database: Database) -> None:
    async def piece(tx: Tx, text: str) -> int:
        [version] = await write_many(tx, [Write(note("same", text))])
        return version.version

    outcomes = await together(database, [lambda tx, t=t: piece(tx, t) for t in ("a", "b")])
    assert sorted(outcome.value or 0 for outcome in outcomes) == [1, 2]


async def test_a_piece_that_fails_before_it_changes_anything_fails_alone(
    database: Database,
) -> None:
    async def good(tx: Tx) -> str:
        [version] = await write_many(tx, [Write(note("good"))])
        return version.id

    async def bad(_: Tx) -> str:
        raise Invalid("test.bad", "Refusé.", "Refused.")

    first, second = await together(database, [good, bad])
    assert first.value == "good"
    assert isinstance(second.error, Invalid)
    assert await count_of(database) == 1


async def test_a_piece_that_fails_after_a_change_undoes_all(database: Database) -> None:
    async def good(tx: Tx) -> None:
        await write_many(tx, [Write(note("good"))])
        await asyncio.sleep(0.05)

    async def bad(tx: Tx) -> None:
        await write_many(tx, [Write(note("bad"))])
        raise Invalid("test.bad", "Refusé.", "Refused.")

    with pytest.raises(Invalid):
        await together(database, [good, bad])
    assert await count_of(database) == 0


async def test_in_rounds_only_the_failing_piece_is_told_of_its_failure(database: Database) -> None:
    rounds, shared = Rounds(database), 0

    async def piece(tx: Tx, n: int) -> str:
        nonlocal shared
        shared += isinstance(tx, Shared)
        await write_many(tx, [Write(note(f"r{n}"), must_be_new=True)])
        if n == 7:
            raise Invalid("test.bad", "Refusé.", "Refused.")
        return f"r{n}"

    told = await asyncio.gather(
        *(rounds.run(lambda tx, n=n: piece(tx, n)) for n in range(20)), return_exceptions=True
    )
    assert [n for n, one in enumerate(told) if isinstance(one, Invalid)] == [7]
    assert [one for one in told if isinstance(one, str)] == [f"r{n}" for n in range(20) if n != 7]
    assert shared > 8
    assert await count_of(database) == 19


async def test_a_statement_of_many_pieces_runs_once_for_each(database: Database) -> None:
    async def piece(tx: Tx, n: int) -> Any:
        await tx.execute(
            "insert into record.unannounced (tenant, batch, size) values ($1, $2, 1)",
            tx.tenant,
            9_000_000 + n,
        )
        return await tx.fetchval("select $1::int", n)

    outcomes = await together(database, [lambda tx, n=n: piece(tx, n) for n in range(6)])
    assert [outcome.value for outcome in outcomes] == list(range(6))
    async with database.reading() as tx:
        count = "select count(*) from record.unannounced where batch >= 9000000"
        assert await tx.fetchval(count) == 6


async def test_what_follows_a_commit_is_not_run_for_what_was_undone(database: Database) -> None:
    rounds, announced = Rounds(database), []

    async def piece(tx: Tx, n: int) -> None:
        await write_many(tx, [Write(note(f"c{n}"))])
        tx.after_commit(lambda: announced.append(n))
        if n == 3:
            raise Conflict("test.conflict", "Conflit.", "Conflict.")

    await asyncio.gather(
        *(rounds.run(lambda tx, n=n: piece(tx, n)) for n in range(6)), return_exceptions=True
    )
    assert sorted(announced) == [0, 1, 2, 4, 5]


async def test_a_piece_that_needs_a_savepoint_gets_a_transaction_of_its_own(
    database: Database,
) -> None:
    rounds = Rounds(database)

    async def piece(tx: Tx, n: int) -> int:
        await write_many(tx, [Write(note(f"s{n}"))])
        if n % 2:
            async with tx.savepoint():
                await write_many(tx, [Write(note(f"s{n}-inner"))])
        return n

    told = await asyncio.gather(*(rounds.run(lambda tx, n=n: piece(tx, n)) for n in range(6)))
    assert told == list(range(6))
    async with database.reading() as tx:
        assert await read(tx, "Observation", "s5-inner") is not None
    assert await count_of(database) == 9


async def test_one_statement_is_a_transaction_by_itself(database: Database) -> None:
    insert = "insert into record.unannounced (tenant, batch, size) values ($1, 9000000, 1)"
    async with database.single() as tx:
        await tx.execute(insert, tx.tenant)
    async with database.reading() as tx:
        count = "select count(*) from record.unannounced where batch = 9000000"
        assert await tx.fetchval(count) == 1
