"""Which way does a search take, and which indexes does PostgreSQL read for it?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from liane.store.database import Tx
from liane.store.search.model import Query, Sight
from liane.store.search.planning import PROBE_LIMIT
from liane.store.search.running import Asked
from liane.store.search.several import Several
from liane.store.search.sqltext import Arguments

_INDEX = re.compile(r"(?:Index (?:Only )?Scan(?: Backward)? using|Bitmap Index Scan on) (\w+)")
_VALUE = re.compile(r"'(?:[^']|'')*'(?:::[\w\"\[\] ]+)?")


@dataclass(frozen=True, slots=True)
class Explained:
    """The plan of one search; `ways` are criteria that an index leads to, with their rows."""

    leader: str
    ordered: bool
    ways: list[tuple[str, str | None]]
    indexes: list[str]
    sql: str
    plan: str


async def explain(tx: Tx, query: Query, sight: Sight) -> Explained:
    """The plan of the first page. Numbers of rows only where nothing is hidden from the reader."""
    await tx.plan_for_values()
    if query.types:
        return await _explain_several(tx, query, sight)
    asked = await Asked.of(tx, query, sight)
    plan, statement = await asked.statement()
    open_ = sight(query.type) is None
    sql, told = await _told(tx, plan.arguments, statement, open_=open_)
    ways = [
        (one.label, _rows(plan.probes.get(one.label)) if open_ else None)
        for one in asked.conditions
        if one.way is not None or one.patients is not None or one.ids is not None
    ]
    leader = plan.leader.label if plan.leader is not None else _named(asked)
    return Explained(leader, plan.streamed, ways, _indexes(told), sql, _without_values(told))


async def _explain_several(tx: Tx, query: Query, sight: Sight) -> Explained:
    """One statement reads all the types; each group of equally open types has its own way in."""
    asked = Several(tx, query, sight)
    await asked.prepare()
    open_ = all(sight(type_) is None for type_ in query.types)
    sql, told = await _told(tx, asked.a, asked.statement(None), open_=open_)
    ways: list[tuple[str, str | None]] = [
        (f"{source.type}: {label}", None) for source in asked.sources for label in source.labels
    ]
    leaders = [f"{source.type}: {source.leader}" for source in asked.sources if source.leader]
    leader = ", ".join(leaders) or f"_sort={query.sort.name}"
    return Explained(leader, False, ways, _indexes(told), sql, _without_values(told))


async def _told(tx: Tx, a: Arguments, statement: str, *, open_: bool) -> tuple[str, str]:
    """The statement with its arguments numbered, and what PostgreSQL says of it."""
    sql, values = a.used(statement)
    costs = "on" if open_ else "off"
    rows = await tx.fetch(f"explain (costs {costs}) {sql}", *values)
    return sql, "\n".join(row[0] for row in rows)


def _indexes(told: str) -> list[str]:
    return sorted(set(_INDEX.findall(told)))


def _without_values(told: str) -> str:
    return _VALUE.sub("'…'", told)


def _rows(count: int | None) -> str | None:
    if count is None:
        return None
    return f"{count}" if count < PROBE_LIMIT else f">= {PROBE_LIMIT}"


def _named(asked: Asked) -> str:
    if any(one.ids is not None for one in asked.conditions):
        return "_id"
    if any(one.patients is not None for one in asked.conditions):
        return "patient"
    return f"_sort={asked.query.sort.name}"
