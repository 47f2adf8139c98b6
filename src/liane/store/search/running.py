"""How is a question answered, one page at a time?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from liane.store.database import Tx
from liane.store.keys import key
from liane.store.search.compartments import in_compartment
from liane.store.search.cursors import Mark, decode
from liane.store.search.model import Page, Query, Restriction, Sight, Sort, sight_of
from liane.store.search.paging import COLUMNS, Order, page_of, refuse_other_values
from liane.store.search.parsing import parse_query
from liane.store.search.planning import (
    Plan,
    conditions_of,
    leader_of,
    moments_hold,
    plan_for,
    stream_of,
    tests_of,
)
from liane.store.search.sorting import Place, after, beyond, column_order, order_by, places
from liane.store.search.sqltext import Arguments
from liane.store.search.steady import SNAPSHOT, Stand, moved
from liane.store.search.visible import seen
from liane.store.search.ways import Condition, all_of
from liane.store.versions import Version

WALKED_FIRST = 400
"""So many rows are walked along the order before a way that reads very much is taken."""
COUNTED_EXACTLY = 20_000
"""An estimate is exact up to here."""


async def run(tx: Tx, query: Query, restriction: Restriction | Sight | None = None) -> Page:
    """Answer `query` with the rows that `restriction` lets be seen (None: all of them)."""
    from liane.store.search.including import included
    from liane.store.search.several import run_several

    sight = sight_of(restriction)
    await tx.plan_for_values()
    if query.types:
        return await run_several(tx, query, sight)
    asking = await Asked.of(tx, query, sight)
    total = await asking.total() if query.total or query.only_total else None
    if query.only_total:
        return Page([], total=total)
    page = await asking.page()
    return replace(page, included=await included(tx, query, page.versions, sight), total=total)


class Asked:
    """One question to one type, its conditions known."""

    def __init__(self, tx: Tx, query: Query, sight: Sight, conditions: list[Condition]) -> None:
        self.tx = tx
        self.query = query
        self.sight = sight
        self.conditions = conditions
        self.probes: dict[str, int] = {}
        self._bounded: bool | None = None

    @classmethod
    async def of(cls, tx: Tx, query: Query, sight: Sight) -> Asked:
        """The question with its chains resolved."""
        conditions = await conditions_of(tx, query.type, query.criteria, sight)
        if query.compartment is not None:
            conditions.append(in_compartment(tx.tenant, query.type, query.compartment))
        return cls(tx, query, sight, conditions)

    @property
    def indexed(self) -> bool:
        """Whether an index has the order asked."""
        return len(self.query.sorts) == 1 and self.query.sort.column != "param"

    async def total(self) -> int:
        """How many there are."""
        leader = await leader_of(self.tx, self.query.type, self.conditions)
        plan = await self._plan(leader, by_date=False)
        counted = _by_keys_alone(plan, self.conditions, self.query.type, self.sight)
        if counted is not None:
            return int((await plan.arguments.fetch(self.tx, counted))[0][0])
        if self.query.estimate:
            return await _estimated(self.tx, plan)
        sql = f"select count(*) from {plan.source} where {plan.where}"  # noqa: S608 - names are ours, values are arguments
        return int((await plan.arguments.fetch(self.tx, sql))[0][0])

    async def page(self) -> Page:
        """One page, with the cursors of its neighbours."""
        query, whole = self.query, self.conditions
        mark = None if query.cursor is None else decode(query.cursor, query.sorts)
        if mark is not None:
            self.conditions = [*whole, mark.since.condition()]
        rows = await (self._walked(mark) if self.indexed else self._sorted(mark))
        # Only now: what is written between the two statements must be in one of them.
        changed = [] if mark is None else await self._moved(mark, whole)
        order = Order(query.sorts, indexed=self.indexed)

        async def read(rids: list[int]) -> list[Any]:
            a = Arguments()
            tests = [*self._tests(a, whole), f"r.rid = any({a.add(rids, 'bigint[]')})"]
            sql = f"select {COLUMNS} from record.resource r where {' and '.join(tests)}"  # noqa: S608
            return await a.fetch(self.tx, sql)

        return await page_of(self.tx, query, order, mark, rows, changed, read)

    def _tests(self, a: Arguments, conditions: Sequence[Condition]) -> list[str]:
        """Everything that is asked of a row, wherever it comes from."""
        tests = seen(a, "r", self.query.type, self.sight)
        for one in conditions:
            tests += tests_of(one, a, "r", leads=False)
        return tests

    async def _moved(self, mark: Mark, conditions: Sequence[Condition]) -> list[Stand]:
        """The rows that were written since the first page, where it would have shown them."""
        query, a = self.query, Arguments()
        kept = places(query.type, query.sorts, self.tx.tenant, "p")
        where = " and ".join(self._tests(a, conditions))
        return await moved(self.tx, mark.since, query.sorts, kept, a, where)

    async def _plan(self, leader: Condition | None, *, by_date: bool) -> Plan:
        bounded = (
            by_date and leader is not None and leader.hashes is not None and await self.bounded()
        )
        return plan_for(
            self.query.type, self.conditions, self.sight, leader, by_date=by_date, bounded=bounded
        )

    async def bounded(self) -> bool:
        """Whether the main date that is asked bounds the order of every row."""
        if self._bounded is None:
            self._bounded = await moments_hold(self.tx, self.conditions)
        return self._bounded

    async def plan(self) -> Plan:
        """The way that a page takes."""
        sort = self.query.sort
        order = sort.column if self.indexed else ""
        leader = None
        if order == "at":
            leader = stream_of(self.tx.tenant, self.query.type, self.conditions)
        if leader is None or not await self.bounded():
            leader = await leader_of(self.tx, self.query.type, self.conditions, order, self.probes)
        plan = await self._plan(leader, by_date=order == "at")
        plan.probes = self.probes
        return plan

    async def _walked(self, mark: Mark | None) -> list[Any]:
        """A page in an order that an index has; going backwards is the opposite order."""
        plan = await self.plan()
        sort = self.query.sort
        if sort.column == "at" and sort.asked and sort.descending:
            return await self._undated_last(plan, mark)
        return await self._stretch(plan, sort, mark, self.query.count + 1)

    async def _stretch(
        self, plan: Plan, sort: Sort, mark: Mark | None, count: int, *more: str
    ) -> list[Any]:
        if plan.leader is not None and plan.leader.heavy and sort.column == "at" and not more:
            found = await self._first_steps(_turned(sort, mark), mark, count)
            if len(found) == count:
                return found
        sql = self._statement(plan, sort, mark, count, *more)
        return await plan.arguments.fetch(self.tx, sql)

    def _statement(self, plan: Plan, sort: Sort, mark: Mark | None, count: int, *more: str) -> str:
        turned = _turned(sort, mark)
        a = plan.arguments
        tests = [*plan.tests, *more]
        if mark is not None and mark.rid >= 0:
            tests.append(after(turned, mark, a, stream=plan.streamed))
        limit = a.add(count, "bigint")
        order = column_order(turned, stream=plan.streamed)
        source = plan.rows_of(plan.stream) if plan.streamed else plan.source
        where = " and ".join(tests) or "true"
        columns = COLUMNS if self.query.cursor else f"{COLUMNS}, {SNAPSHOT}"
        return f"select {columns} from {source} where {where} order by {order} limit {limit}"  # noqa: S608

    async def statement(self) -> tuple[Plan, str]:
        """The way of the first page and its SQL, for explanations."""
        plan = await self.plan()
        if self.indexed:
            return plan, self._statement(plan, self.query.sort, None, self.query.count + 1)
        kept = places(self.query.type, self.query.sorts, self.tx.tenant)
        return plan, self._sorted_statement(plan, kept, None)

    async def _first_steps(self, turned: Sort, mark: Mark | None, count: int) -> list[Any]:
        """A page found within the first rows of the order spares a way that reads very much."""
        walk = plan_for(
            self.query.type,
            [one for one in self.conditions if one.test is not None],
            self.sight,
            all_of(self.tx.tenant, self.query.type),
            by_date=True,
            bounded=False,
        )
        if any(one.test is None for one in self.conditions):
            return []
        a = walk.arguments
        start = "" if mark is None else f" where {after(turned, mark, a, stream=True)}"
        order = column_order(turned, stream=True)
        first = f"(select * from {walk.stream} k{start} order by {order} limit {WALKED_FIRST})"  # noqa: S608
        source = walk.rows_of(first)
        limit = a.add(count, "bigint")
        columns = COLUMNS if self.query.cursor else f"{COLUMNS}, {SNAPSHOT}"
        sql = f"select {columns} from {source} where {walk.where} order by {order} limit {limit}"  # noqa: S608
        return await a.fetch(self.tx, sql)

    async def _undated_last(self, plan: Plan, mark: Mark | None) -> list[Any]:
        """Newest first as the client asked it: rows without a date stand at the end."""
        count = self.query.count
        backwards = mark is not None and mark.backwards
        if mark is None:
            rows = await self._stretch(plan, self.query.sort, None, count + 1)
            if len(rows) <= count:
                return [*_dated(rows), *_undated(rows)]
            if not _undated(rows):
                return rows
        dated, undated = "r.at is not null", "r.at is null"
        parts = [undated, dated] if backwards else [dated, undated]
        if mark is not None and (mark.at is None) != (parts[0] == undated):
            parts = parts[1:]
        found: list[Any] = []
        for n, part in enumerate(parts):
            here = mark if n == 0 else None
            if here is None and backwards:
                here = None if mark is None else mark._replace(rid=_END, at=None)
            found += await self._stretch(plan, self.query.sort, here, count + 1 - len(found), part)
            if len(found) > count:
                break
        return found

    async def _sorted(self, mark: Mark | None) -> list[Any]:
        """A page in an order that no index has: the values are read, then sorted."""
        plan = await self.plan()
        kept = places(self.query.type, self.query.sorts, self.tx.tenant)
        return await plan.arguments.fetch(self.tx, self._sorted_statement(plan, kept, mark))

    def _sorted_statement(self, plan: Plan, kept: Sequence[Place], mark: Mark | None) -> str:
        query, a = self.query, plan.arguments
        backwards = mark is not None and mark.backwards
        named = ", ".join(f"{place.sql} as s{n}" for n, place in enumerate(kept, 1))
        where = ""
        if mark is not None:
            refuse_other_values(kept, mark)
            where = f" where {beyond(kept, mark.values, mark.rid, a, backwards=backwards)}"
        limit = a.add(query.count + 1, "bigint")
        keyed = f"select r.rid, {named} from {plan.source} where {plan.where}"  # noqa: S608
        names = ", ".join(f"o.s{n}" for n in range(1, len(kept) + 1))
        order = order_by(kept, backwards=backwards)
        outer = ", ".join(f"o.{part.strip()}" for part in order.split(","))
        return (
            f"select {COLUMNS}, {names}, {SNAPSHOT} "  # noqa: S608
            f"from (select * from ({keyed}) s{where} order by {order} "
            f"limit {limit}) o join record.resource r on r.rid = o.rid order by {outer}"
        )


def _turned(sort: Sort, mark: Mark | None) -> Sort:
    """Going backwards is going forwards in the opposite order."""
    backwards = mark is not None and mark.backwards
    return replace(sort, descending=sort.descending != backwards)


_END = -1
"""Going backwards from beyond the last row."""


def _dated(rows: Sequence[Any]) -> list[Any]:
    return [row for row in rows if row["at"] is not None]


def _undated(rows: Sequence[Any]) -> list[Any]:
    return [row for row in rows if row["at"] is None]


def _by_keys_alone(
    plan: Plan, conditions: Sequence[Condition], type_: str, sight: Sight
) -> str | None:
    """A count that needs no row: one exact key, and everything may be seen."""
    leader = plan.leader
    if leader is None or leader.hashes is None or not leader.exact_way or sight(type_) is not None:
        return None
    if any(one is not leader for one in conditions):
        return None
    distinct = "distinct rid" if len(leader.hashes) > 1 else "*"
    hashes = plan.arguments.add(leader.hashes, "bigint[]")
    return f"select count({distinct}) from record.ix where h = any({hashes})"  # noqa: S608


async def _estimated(tx: Tx, plan: Plan) -> int:
    """Exact while small; beyond that, as the statistics of the database have it."""
    a = plan.arguments
    sql = f"select count(*) from (select from {plan.source} where {plan.where} limit {COUNTED_EXACTLY}) q"  # noqa: E501, S608
    counted = int((await a.fetch(tx, sql))[0][0])
    if counted < COUNTED_EXACTLY:
        return counted
    import json

    text, values = a.used(f"select 1 from {plan.source} where {plan.where}")  # noqa: S608
    told = json.loads((await tx.fetch(f"explain (format json) {text}", *values))[0][0])
    return max(counted, int(told[0]["Plan"]["Plan Rows"]))


async def find_for_condition(tx: Tx, type_: str, items: Sequence[tuple[str, str]]) -> list[Version]:
    """What a conditional create, update or delete finds (R4 http, conditional create).

    Takes a lock on the question until the transaction ends, so that two writers with the same
    condition cannot both find nothing. Gives two versions at most: more is as wrong as two.
    """
    told = "\x1e".join(f"{name}={value}" for name, value in sorted(items))
    await tx.execute(
        "select pg_advisory_xact_lock($1)", key(tx.tenant, type_, "_condition", "lock", told)
    )
    query = parse_query(type_, [*items, ("_count", "2")], tenant=tx.tenant)
    return (await run(tx, query)).versions
