"""How is a question answered with as little reading as possible, one page at a time?

The builder, not PostgreSQL's planner, chooses the way in: the patient's own rows when a patient is
named, otherwise the index that leads to the fewest rows (a bounded probe counts them). Everything
else is tested on the rows found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from liane.fhir import definitions
from liane.store.database import Tx
from liane.store.keys import key, order_of
from liane.store.search.conditions import condition
from liane.store.search.cursors import Mark, decode, encode
from liane.store.search.model import Criterion, Page, Query, Restriction, Sort
from liane.store.search.parsing import parse_query
from liane.store.search.sqltext import Arguments
from liane.store.search.ways import Condition, all_of, dates_condition
from liane.store.versions import Version

PROBE_LIMIT = 2000
CUSTOM_PLANS = "set local plan_cache_mode = force_custom_plan"
"""The planner must see the values: a hash may lead to one row or to a million."""

_COLUMNS = "r.rid, r.at, r.type, r.id, r.version, r.updated, false as deleted, r.body"


@dataclass(slots=True)
class Plan:
    """Where the rows come from, what is asked of them, and in which order they come."""

    source: str
    tests: list[str]
    order: str
    arguments: Arguments
    streamed: bool = False
    after: list[str] = field(default_factory=list)

    def page(self, count: int) -> str:
        """The statement for one page."""
        tests = " and ".join([*self.tests, *self.after])
        limit = self.arguments.add(count, "bigint")
        return f"select {_COLUMNS} from {self.source} where {tests} order by {self.order} limit {limit}"  # noqa: E501, S608 - names are ours, values are arguments

    def total(self) -> str:
        """The statement that counts all of them."""
        return f"select count(*) from {self.source} where {' and '.join(self.tests)}"  # noqa: S608


async def run(tx: Tx, query: Query, restriction: Restriction | None = None) -> Page:
    """Answer `query` with the rows that `restriction` lets be seen (None: all of them)."""
    from liane.store.search.including import included

    await tx.execute(CUSTOM_PLANS)
    conditions = await conditions_of(tx, query, restriction)
    total = None
    if query.total or query.only_total:
        counting = await plan_of(tx, query, conditions, restriction, None)
        total = (await counting.arguments.fetch(tx, counting.total()))[0][0]
    if query.only_total:
        return Page([], total=total)
    mark = None if query.cursor is None else decode(query.cursor, query.sort)
    plan = await plan_of(tx, query, conditions, restriction, mark)
    rows = await plan.arguments.fetch(tx, plan.page(query.count + 1))
    shown = rows[: query.count]
    versions = [version_of(row) for row in shown]
    more = len(rows) > len(shown)
    cursor = encode(query.sort, shown[-1]) if more and shown else None
    return Page(versions, await included(tx, query, versions, restriction), total, cursor)


def version_of(row: Any) -> Version:
    """The version in a row of a search."""
    return Version(
        row["type"], row["id"], row["version"], row["updated"], row["deleted"], row["body"]
    )


async def conditions_of(tx: Tx, query: Query, restriction: Restriction | None) -> list[Condition]:
    """All criteria as conditions; chains are resolved to the ids that they lead to."""
    from liane.store.search.chaining import chained_condition

    found: list[Condition] = []
    dates: dict[str, list[Sequence[str]]] = {}
    for asked in query.criteria:
        if asked.chain is not None:
            found.append(await chained_condition(tx, query.type, asked, restriction))
        elif _bounds_one_date(query.type, asked):
            dates.setdefault(asked.param, []).append(asked.values)
        else:
            found.append(condition(tx.tenant, query.type, asked))
    found += [dates_condition(tx.tenant, query.type, p, groups) for p, groups in dates.items()]
    return found


def _bounds_one_date(type_: str, asked: Criterion) -> bool:
    """Two bounds of the main date (single in every type) are one stretch of the index."""
    main = definitions.resources()[type_]["at"]
    return asked.kind == "date" and asked.modifier is None and main[:1] == [asked.param]


async def plan_of(
    tx: Tx,
    query: Query,
    conditions: list[Condition],
    restriction: Restriction | None,
    mark: Mark | None,
) -> Plan:
    """The way in, the tests and the order."""
    arguments = Arguments()
    leader = await _leader(tx, query, conditions)
    stream = leader is not None and leader.hashes is not None and len(leader.hashes) == 1
    stream = stream and query.sort.column == "at"
    tests = [
        "r.tenant = current_setting('liane.tenant')::smallint",
        f"r.type = {arguments.add(query.type, 'text')}",
    ]
    source = "record.resource r"
    if stream and leader is not None and leader.hashes is not None:
        source = "record.ix k join record.resource r on r.rid = k.rid"
        tests.append(f"k.h = {arguments.add(leader.hashes[0], 'bigint')}")
    elif leader is not None and leader.way is not None:
        tests.append(f"r.rid in ({leader.way(arguments)})")
    for one in conditions:
        tests += _tests(one, arguments, leads=one is leader)
    if restriction is not None:
        tied = bool(definitions.resources()[query.type]["patient"]) or query.type == "Patient"
        if tied or not restriction.patientless:
            tests.append(arguments.restriction(restriction, "r.patient", may_lack=True))
    plan = Plan(source, tests, _order(query.sort, stream), arguments, stream)
    if mark is not None:
        plan.after.append(_after(query.sort, stream, mark, arguments))
    return plan


def _tests(one: Condition, arguments: Arguments, *, leads: bool) -> list[str]:
    tests = []
    if one.ids is not None:
        tests.append(f"r.id = any({arguments.add(one.ids, 'text[]')})")
    if one.patients is not None:
        tests.append(_patients(one.patients, arguments))
    if one.test is not None and not (leads and one.exact_way):
        tests.append(one.test(arguments))
    elif one.test is None and one.way is not None and not leads:
        tests.append(f"r.rid in ({one.way(arguments)})")
    return tests


def _patients(patients: list[str], arguments: Arguments) -> str:
    if len(patients) == 1:
        return f"r.patient = {arguments.add(patients[0], 'text')}"
    return f"r.patient = any({arguments.add(patients, 'text[]')})"


async def _leader(tx: Tx, query: Query, conditions: list[Condition]) -> Condition | None:
    """The condition whose index is read; None when the rows of named patients or ids are."""
    if any(one.patients is not None or one.ids is not None for one in conditions):
        return None
    leading = [one for one in conditions if one.way is not None]
    if not leading and query.sort.column == "id":
        return None
    leading = leading or [all_of(tx.tenant, query.type)]
    if len(leading) == 1 and query.sort.column != "updated":
        return leading[0]
    arguments = Arguments()
    probes = ", ".join(
        f"(select count(*) from (select 1 from ({one.way(arguments)}) w limit {PROBE_LIMIT}) p)"  # noqa: S608
        for one in leading
        if one.way is not None
    )
    (counts,) = await arguments.fetch(tx, f"select {probes}")
    fewest = min(range(len(leading)), key=lambda n: counts[n])
    if query.sort.column == "updated" and counts[fewest] >= PROBE_LIMIT:
        return None  # so many that walking along the order finds a page sooner
    return leading[fewest]


def _order(sort: Sort, stream: bool) -> str:
    if stream:
        return "k.s, k.rid" if sort.descending else "k.s desc, k.rid desc"
    return {
        ("at", True): "r.at desc, r.rid",
        ("at", False): "r.at, r.rid desc",
        ("updated", True): "r.updated desc, r.rid desc",
        ("updated", False): "r.updated, r.rid",
        ("id", True): "r.id desc",
        ("id", False): "r.id",
    }[sort.column, sort.descending]


def _after(sort: Sort, stream: bool, mark: Mark, a: Arguments) -> str:
    """Only what follows the last row of the page before."""
    rid = a.add(mark.rid, "bigint")
    sign = "<" if sort.descending else ">"
    if stream:
        place = a.add(order_of(mark.at), "bigint")
        return f"(k.s, k.rid) {'>' if sort.descending else '<'} ({place}, {rid})"
    if sort.column == "id":
        return f"r.id {sign} {a.add(mark.id, 'text')}"
    if sort.column == "updated":
        return f"(r.updated, r.rid) {sign} ({a.add(mark.updated, 'timestamptz')}, {rid})"
    if mark.at is None:
        return (
            f"(r.at is not null or r.rid > {rid})"
            if sort.descending
            else f"(r.at is null and r.rid < {rid})"
        )
    at = a.add(mark.at, "timestamptz")
    if sort.descending:
        return f"(r.at <= {at} and (r.at < {at} or r.rid > {rid}))"
    return f"(r.at is null or (r.at >= {at} and (r.at > {at} or r.rid < {rid})))"


async def find_for_condition(tx: Tx, type_: str, items: Sequence[tuple[str, str]]) -> list[Version]:
    """What a conditional create, update or delete finds (R4 http, conditional create).

    Takes a lock on the question until the transaction ends, so that two writers with the same
    condition cannot both find nothing. Gives two versions at most: more is as wrong as two.
    """
    told = "\x1e".join(f"{name}={value}" for name, value in sorted(items))
    await tx.execute(
        "select pg_advisory_xact_lock($1)", key(tx.tenant, type_, "_condition", "lock", told)
    )
    query = parse_query(type_, [*items, ("_count", "2")])
    return (await run(tx, query)).versions
