"""Which of the fourteen ways to falsify the journal, done as the database's owner, are seen?

Each test does what an administrator of the database could do (triggers lifted), then verifies
without secrets and expects the break to be named at the right entry. What one local witness cannot
see is stated by the last tests.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest

from liane.access import journal
from liane.access.actor import Actor, Role
from liane.access.journal import Act
from liane.access.sealing import GENESIS, chain_hash, order_hash, seal_and_publish
from liane.access.verification import Report, verify
from liane.access.witness import Witness
from liane.base.clock import FrozenClock, SystemClock
from liane.store import Database

OTHER = Actor("staff", "pr-2", "Paul Petit", (Role("medecin", "chg", ("uf-1",)),))


class Scene:
    """Twelve sealed entries in two chains and their witness."""

    def __init__(self, database: Database, owner: Any, witness: Witness, home: Path) -> None:
        self.database, self.owner, self.witness, self.home = database, owner, witness, home

    async def write(self, actor: Actor, count: int) -> None:
        async with self.database.transaction() as tx:
            await journal.record_many(tx, actor, [Act("read", f"p{n}") for n in range(count)])

    async def seal(self) -> None:
        await seal_and_publish(self.database, self.witness)

    async def attack(self, *statements: str) -> None:
        """As the owner, with the triggers and the unique index out of the way."""
        await self.guards("disable")
        await self.owner.execute("drop index journal.entry_seq")
        try:
            for statement in statements:
                await self.owner.execute(statement)
        finally:
            await self.owner.execute("create index entry_seq on journal.entry (tenant, seq)")
            await self.guards("enable")

    async def guards(self, switch: str) -> None:
        """The triggers of the whole and of each month."""
        parts = "select inhrelid::regclass::text from pg_inherits where inhparent = $1::regclass"
        rows = await self.owner.fetch(parts, "journal.entry")
        for part in ("journal.entry", *(row[0] for row in rows)):
            await self.owner.execute(f"alter table {part} {switch} trigger user")

    async def report(self) -> Report:
        return await verify(self.database, self.home)

    async def first(self) -> tuple[str, int | None]:
        report = await self.report()
        assert not report.intact, "the attack was not seen"
        return report.breaks[0].kind, report.breaks[0].seq


@pytest.fixture
async def scene(
    database: Database, owner: Any, witness: Witness, tmp_path: Path, nurse: Actor
) -> Scene:
    made = Scene(database, owner, witness, tmp_path)
    for _ in range(3):
        await made.write(nurse, 3)
        await made.write(OTHER, 1)
        await made.seal()
    assert (await made.report()).intact
    return made


COLUMNS = (
    "tenant, at, actor, actor_kind, actor_name, actor_role, session, action, purpose, "
    "establishment, patient, resource, outcome, detail, id, leaf_hash, chain_seq, chain_hash, "
    "order_hash, sealed_at"
)


async def test_1_a_changed_body(scene: Scene) -> None:
    await scene.attack("""update journal.entry set detail = '{"reason":"x"}' where seq = 5""")
    assert await scene.first() == ("altered", 5)


@pytest.mark.parametrize("column", ["actor", "patient", "action", "outcome", "establishment"])
async def test_2_a_changed_column(scene: Scene, column: str) -> None:
    await scene.attack(f"update journal.entry set {column} = 'x' where seq = 7")
    assert await scene.first() == ("altered", 7)


async def test_3_one_entry_deleted(scene: Scene) -> None:
    await scene.attack("delete from journal.entry where seq = 6")
    assert await scene.first() == ("missing", 6)


async def test_4_a_range_deleted(scene: Scene) -> None:
    await scene.attack("delete from journal.entry where seq between 3 and 9")
    assert await scene.first() == ("missing", 3)


async def test_5_everything_truncated(scene: Scene) -> None:
    await scene.attack("truncate journal.entry", "truncate journal.chain")
    assert await scene.first() == ("cut", 1)


async def test_6_a_month_detached(scene: Scene, nurse: Actor) -> None:
    now = SystemClock().now()
    next_month = (now.replace(day=1) + timedelta(days=40)).replace(day=10)
    scene.database.clock = FrozenClock(next_month)
    await scene.write(nurse, 3)
    await scene.seal()
    assert (await scene.report()).intact
    part = f"journal.entry_{now:%Y_%m}"
    await scene.owner.execute(f"alter table journal.entry detach partition {part}")
    try:
        assert await scene.first() == ("missing", 1)
    finally:
        await scene.owner.execute(f"drop table {part}")
        await scene.owner.execute("select record.keep_months()")


async def test_6b_a_month_is_guarded_like_the_whole(scene: Scene) -> None:
    part = f"journal.entry_{SystemClock().now():%Y_%m}"
    for statement in (
        f"delete from {part}",
        f"truncate {part}",
        f"update {part} set patient = 'x'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await scene.owner.execute(statement)
    await scene.owner.execute(f"alter table {part} disable trigger no_delete")
    report = await scene.report()
    await scene.owner.execute(f"alter table {part} enable trigger no_delete")
    assert [(b.kind, part in b.said) for b in report.breaks] == [("guard", True)]


async def test_7_entries_numbered_again_after_a_removal(scene: Scene) -> None:
    await scene.attack(
        "delete from journal.entry where seq = 6",
        "update journal.entry set seq = seq - 1 where seq > 6",
    )
    kind, seq = await scene.first()
    assert (kind in ("order", "chain"), seq) == (True, 6)


async def test_8_two_entries_swapped(scene: Scene) -> None:
    await scene.attack(
        "update journal.entry set seq = -1 where seq = 2",
        "update journal.entry set seq = 2 where seq = 3",
        "update journal.entry set seq = 3 where seq = -1",
    )
    kind, seq = await scene.first()
    assert (kind in ("order", "chain"), seq) == (True, 2)


async def test_9_the_tail_cut(scene: Scene) -> None:
    await scene.attack("delete from journal.entry where seq > 8")
    await scene.owner.execute(
        "update journal.chain c set chain_seq = e.n, chain_hash = (select chain_hash from "
        "journal.entry x where x.establishment = c.establishment order by seq desc limit 1) "
        "from (select establishment, max(chain_seq) n from journal.entry group by 1) e "
        "where e.establishment = c.establishment"
    )
    assert await scene.first() == ("cut", 9)


async def test_9b_the_tail_cut_and_written_over(scene: Scene, nurse: Actor) -> None:
    await scene.attack("delete from journal.entry where seq > 8")
    await scene.write(nurse, 9)
    await scene.seal()
    assert not (await scene.report()).intact


async def test_10_a_forged_entry_in_the_middle(scene: Scene) -> None:
    await scene.attack(
        "update journal.entry set seq = seq + 1 where seq >= 6",
        f"insert into journal.entry (seq, {COLUMNS}) select 6, {COLUMNS} from journal.entry "
        "where seq = 5",
        "update journal.entry set patient = 'p-forged', id = gen_random_uuid() where seq = 6",
    )
    kind, seq = await scene.first()
    assert (kind, seq) == ("altered", 6)


async def test_11_a_duplicated_entry(scene: Scene) -> None:
    await scene.attack(
        f"insert into journal.entry (seq, {COLUMNS}) select seq, {COLUMNS} from journal.entry "
        "where seq = 4"
    )
    assert await scene.first() == ("duplicate", 4)


async def test_12_yesterdays_database_restored(scene: Scene, nurse: Actor) -> None:
    await scene.owner.execute("create table journal.kept as select * from journal.entry")
    await scene.owner.execute("create table journal.kept_chain as select * from journal.chain")
    await scene.write(nurse, 4)
    await scene.seal()
    await scene.attack(
        "delete from journal.entry",
        "insert into journal.entry select * from journal.kept",
        "delete from journal.chain",
        "insert into journal.chain select * from journal.kept_chain",
        "drop table journal.kept, journal.kept_chain",
    )
    assert await scene.first() == ("cut", 13)
    # Work goes on upon the restored database: still seen, at the entry that took the other's place.
    await scene.write(nurse, 6)
    await scene.seal()
    kind, seq = await scene.first()
    assert (kind, seq) == ("witness", 16)


async def test_13_the_clock_rolled_back(scene: Scene, nurse: Actor) -> None:
    past = FrozenClock(SystemClock().now() - timedelta(hours=6))
    scene.database.clock = past
    await scene.write(nurse, 1)
    await scene.seal()
    assert await scene.first() == ("clock", 13)


async def _recompute(scene: Scene) -> None:
    """What a forger with full knowledge of the format would do to hide a change."""
    order, chains = GENESIS, {}
    for row in await scene.owner.fetch("select * from journal.entry order by seq"):
        columns = tuple(
            row[name]
            for name in (
                "tenant", "at", "actor", "actor_kind", "actor_name", "actor_role", "session",
                "action", "purpose", "establishment", "patient", "resource", "outcome", "detail",
                "id",
            )
        )  # fmt: skip
        leaf = journal.leaf_hash(columns)
        number, before = chains.get(row["establishment"], (0, GENESIS))
        chained = chain_hash(before, number + 1, leaf)
        order = order_hash(order, row["seq"], row["sealed_at"], chained)
        chains[row["establishment"]] = (number + 1, chained)
        await scene.owner.execute(
            "update journal.entry set leaf_hash=$2, chain_hash=$3, order_hash=$4 where seq=$1",
            row["seq"], leaf, chained, order,
        )  # fmt: skip
    for establishment, (number, chained) in chains.items():
        await scene.owner.execute(
            "update journal.chain set chain_hash = $2 where establishment = $1",
            establishment, chained,
        )  # fmt: skip
        assert number


async def test_14_the_whole_chain_recomputed(scene: Scene) -> None:
    await scene.owner.execute("alter table journal.entry disable trigger user")
    await scene.owner.execute("update journal.entry set patient = 'p-other' where seq = 5")
    await _recompute(scene)
    await scene.owner.execute("alter table journal.entry enable trigger user")
    # The first published head that covers entry 5 is the one at entry 8.
    assert await scene.first() == ("witness", 8)


async def test_14b_recomputed_and_signed_with_the_stolen_key(scene: Scene, nurse: Actor) -> None:
    await scene.owner.execute("alter table journal.entry disable trigger user")
    await scene.owner.execute("update journal.entry set patient = 'p-other' where seq = 5")
    await _recompute(scene)
    await scene.owner.execute("alter table journal.entry enable trigger user")
    await scene.write(nurse, 1)
    await scene.seal()  # a head signed by the true key over the forged chain
    assert (await scene.first())[0] == "witness"


async def test_a_line_removed_from_the_witness_is_seen(scene: Scene) -> None:
    file = scene.witness.files[0]
    lines = file.read_text().splitlines(keepends=True)
    file.write_text(lines[0] + lines[2])
    assert await scene.first() == ("witness", 12)


async def test_a_rewritten_witness_line_is_seen(scene: Scene) -> None:
    file = scene.witness.files[0]
    lines = file.read_text().splitlines()
    last = json.loads(lines[-1])
    last["order"] = "0" * 64
    file.write_text("\n".join([*lines[:-1], json.dumps(last, sort_keys=True)]) + "\n")
    kinds = {found.kind for found in (await scene.report()).breaks}
    assert kinds == {"witness"}


async def test_guards_left_switched_off_are_seen(scene: Scene) -> None:
    await scene.owner.execute("alter table journal.entry disable trigger no_delete")
    try:
        assert await scene.first() == ("guard", None)
    finally:
        await scene.owner.execute("alter table journal.entry enable trigger no_delete")


async def test_no_false_alarm_while_people_work(scene: Scene, nurse: Actor) -> None:
    async def work() -> None:
        for _ in range(25):
            await scene.write(nurse, 4)
            await scene.seal()

    working = asyncio.create_task(work())
    reports = []
    while not working.done():
        reports.append(await scene.report())
        await asyncio.sleep(0)
    await working
    assert len(reports) > 3
    assert all(report.intact for report in reports), next(
        report.as_text() for report in reports if not report.intact
    )


async def test_any_text_that_can_be_written_can_be_verified(scene: Scene) -> None:
    random = Random(7)
    async with scene.database.transaction() as tx:
        for _ in range(150):
            text = "".join(chr(random.choice((random.randrange(0x80), random.randrange(0x11000))))
                           for _ in range(12))  # fmt: skip
            actor = Actor("staff", text, text, (), session=None)
            await journal.record(tx, actor, text, patient=text, resource=text, detail={text: text})
    await scene.seal()
    assert (await scene.report()).intact


async def test_a_missing_witness_is_seen(scene: Scene) -> None:
    shutil.rmtree(scene.home / "journal")
    assert await scene.first() == ("witness", 1)


async def test_a_second_witness_sees_what_the_first_was_made_to_forget(
    scene: Scene, tmp_path: Path, nurse: Actor
) -> None:
    """Database, first folder and key all rewritten by one person: only another folder tells."""
    elsewhere = tmp_path / "elsewhere"
    both = Witness.at_home(scene.home, 1, [elsewhere])
    await scene.write(nurse, 2)
    await seal_and_publish(scene.database, both)
    await scene.attack("delete from journal.entry where seq > 12")
    first = both.files[0]
    first.write_text("".join(first.read_text().splitlines(keepends=True)[:3]))
    report = await scene.report()
    assert [found.kind for found in report.breaks] == ["chain"]  # the forger forgot one table
    await scene.owner.execute(
        "update journal.chain set chain_seq = 9, chain_hash = (select chain_hash from journal.entry"
        " where establishment = 'chu' order by seq desc limit 1) where establishment = 'chu'"
    )
    assert (await scene.report()).intact  # one local witness alone cannot see this: documented
    async with scene.database.reading() as tx:
        breaks = await journal.verify(tx, both)
    assert ("cut", 13) in [(found.kind, found.seq) for found in breaks]
