"""How is a question to several resource types, or to a whole compartment, answered?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from liane.fhir import definitions
from liane.store.database import Tx
from liane.store.search.compartments import in_compartment, whole_compartment
from liane.store.search.cursors import Mark, decode
from liane.store.search.including import included
from liane.store.search.model import Criterion, Page, Query, Restriction, Sight
from liane.store.search.paging import COLUMNS, Order, page_of, refuse_other_values
from liane.store.search.planning import conditions_of, tests_of
from liane.store.search.sorting import beyond, order_by, places
from liane.store.search.sqltext import Arguments
from liane.store.search.steady import SNAPSHOT, Stand, moved
from liane.store.search.visible import seen
from liane.store.search.ways import TENANT, Condition, Way, all_of

_OF_THE_ROW = frozenset({"_id", "_lastUpdated"})


@dataclass(frozen=True, slots=True)
class Source:
    """Rows `r` of some types that are equally open, and what is asked of them."""

    type: str
    where: str
    labels: tuple[str, ...]
    leader: str


async def run_several(tx: Tx, query: Query, sight: Sight) -> Page:
    """One page over several types, with its total and its included neighbours."""
    asked = Several(tx, query, sight)
    await asked.prepare()
    total = await asked.total() if query.total or query.only_total else None
    if query.only_total:
        return Page([], total=total)
    page = await asked.page()
    return replace(page, included=await included(tx, query, page.versions, sight), total=total)


class Several:
    """One question to several types."""

    def __init__(self, tx: Tx, query: Query, sight: Sight) -> None:
        self.tx = tx
        self.query = query
        self.sight = sight
        self.sources: list[Source] = []
        self.a = Arguments()

    async def prepare(self) -> None:
        """The rows to choose from: one source where types need no index of their own."""
        if self._of_the_row_only():
            await self._grouped()
            return
        for type_ in self.query.types:
            conditions = await conditions_of(
                self.tx, type_, self.query.by_type.get(type_, ()), self.sight
            )
            if self.query.compartment is not None:
                conditions.append(in_compartment(self.tx.tenant, type_, self.query.compartment))
            self._add(type_, conditions)

    def _of_the_row_only(self) -> bool:
        nodes = [node for nodes in self.query.by_type.values() for node in nodes]
        return all(
            isinstance(node, Criterion) and node.param in _OF_THE_ROW and not node.chain
            for node in nodes
        ) and all(sort.column != "param" for sort in self.query.sorts)

    async def _grouped(self) -> None:
        groups: dict[Any, list[str]] = {}
        for type_ in self.query.types:
            groups.setdefault(self._openness(type_), []).append(type_)
        for types in groups.values():
            conditions = await conditions_of(
                self.tx, types[0], self.query.by_type.get(types[0], ()), self.sight
            )
            way = None
            if self.query.compartment is not None:
                way = whole_compartment(self.tx.tenant, types, self.query.compartment)
            tests = [f"r.tenant = {TENANT}", f"r.type = any({self.a.add(types, 'text[]')})"]
            tests += seen(self.a, "r", types[0], self.sight)[2:]
            self._source(tests, conditions, None, way, types[0])

    def _openness(self, type_: str) -> Any:
        """Types that are equally open share a source."""
        limit: Restriction | None = self.sight(type_)
        if limit is None:
            return None
        tied = bool(definitions.resources()[type_]["patient"]) or type_ == "Patient"
        return limit.sql, repr(limit.args), limit.patientless, tied or not limit.patientless

    def _add(self, type_: str, conditions: list[Condition]) -> None:
        leader = next((one for one in conditions if one.way is not None), None)
        named = any(one.ids is not None or one.patients is not None for one in conditions)
        if named:
            leader = None
        elif leader is None:
            leader = all_of(self.tx.tenant, type_)
        tests = seen(self.a, "r", type_, self.sight)
        self._source(tests, conditions, leader, leader.way if leader else None, type_)

    def _source(
        self,
        tests: list[str],
        conditions: Sequence[Condition],
        leader: Condition | None,
        way: Way | None,
        type_: str,
    ) -> None:
        if way is not None:
            tests.append(f"r.rid in ({way(self.a)})")
        for one in conditions:
            tests += tests_of(one, self.a, "r", leads=one is leader)
        labels = tuple(one.label for one in conditions)
        chosen = leader.label if leader is not None else ""
        self.sources.append(Source(type_, " and ".join(tests), labels, chosen))

    async def total(self) -> int:
        """How many there are in all the types."""
        counts = " + ".join(
            f"(select count(*) from record.resource r where {one.where})"  # noqa: S608 - names are ours, values are arguments
            for one in self.sources
        )
        return int((await self.a.fetch(self.tx, f"select {counts} as n"))[0]["n"])

    async def page(self) -> Page:
        """One page of all the types together."""
        query = self.query
        mark = None if query.cursor is None else decode(query.cursor, query.sorts)
        rows = await self.a.fetch(self.tx, self.statement(mark))
        # Only now: what is written between the two statements must be in one of them.
        changed = [] if mark is None else await self._moved(mark)
        order = Order(query.sorts, indexed=False)
        return await page_of(self.tx, query, order, mark, rows, changed, self._read)

    def statement(self, mark: Mark | None) -> str:
        """The SQL of one page."""
        query, a = self.query, self.a
        kept = places(query.types[0], query.sorts, self.tx.tenant)
        backwards = mark is not None and mark.backwards
        where, steady = "", ""
        if mark is not None:
            refuse_other_values(kept, mark)
            where = f" where {beyond(kept, mark.values, mark.rid, a, backwards=backwards)}"
            steady = f" and not {mark.since.changed(a, 'r')}"
        order = order_by(kept, backwards=backwards)
        limit = a.add(query.count + 1, "bigint")
        parts = []
        for one in self.sources:
            own = places(one.type, query.sorts, self.tx.tenant)
            named = ", ".join(f"{place.sql} as s{n}" for n, place in enumerate(own, 1))
            keyed = f"select r.rid, {named} from record.resource r where {one.where}{steady}"  # noqa: S608
            parts.append(f"(select * from ({keyed}) q{where} order by {order} limit {limit})")  # noqa: S608
        names = ", ".join(f"o.s{n}" for n in range(1, len(kept) + 1))
        outer = ", ".join(f"o.{part.strip()}" for part in order.split(","))
        return (
            f"select {COLUMNS}, {names}, {SNAPSHOT} "  # noqa: S608
            f"from (select * from ({' union all '.join(parts)}) u "
            f"order by {order} limit {limit}) o join record.resource r on r.rid = o.rid "
            f"order by {outer}"
        )

    async def _moved(self, mark: Mark) -> list[Stand]:
        """The rows that were written since the first page, where it would have shown them."""
        sorts, found = self.query.sorts, list[Stand]()
        for one in self.sources:
            kept = places(one.type, sorts, self.tx.tenant, "p")
            found += await moved(self.tx, mark.since, sorts, kept, self.a, one.where)
        return found

    async def _read(self, rids: list[int]) -> list[Any]:
        chosen = self.a.add(rids, "bigint[]")
        parts = [
            f"select {COLUMNS} from record.resource r where {one.where} and r.rid = any({chosen})"  # noqa: S608
            for one in self.sources
        ]
        return await self.a.fetch(self.tx, " union all ".join(parts))
