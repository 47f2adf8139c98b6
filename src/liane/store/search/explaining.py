"""Which way does a search take, and which indexes does PostgreSQL read for it?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from liane.store.database import Tx
from liane.store.search.model import Query, Sight
from liane.store.search.planning import PROBE_LIMIT
from liane.store.search.refusals import refused
from liane.store.search.running import CUSTOM_PLANS, Asked

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
    if query.types:
        raise refused(
            "_explain s'applique à la recherche d'un seul type.",
            "_explain applies to the search of one type.",
            ["_explain"],
        )
    await tx.execute(CUSTOM_PLANS)
    asked = await Asked.of(tx, query, sight)
    plan, statement = await asked.statement()
    sql, values = plan.arguments.used(statement)
    open_ = sight(query.type) is None
    costs = "on" if open_ else "off"
    rows = await tx.fetch(f"explain (costs {costs}) {sql}", *values)
    told = "\n".join(row[0] for row in rows)
    ways = [
        (one.label, _rows(plan.probes.get(one.label)) if open_ else None)
        for one in asked.conditions
        if one.way is not None or one.patients is not None or one.ids is not None
    ]
    leader = plan.leader.label if plan.leader is not None else _named(asked)
    return Explained(
        leader,
        plan.streamed,
        ways,
        sorted(set(_INDEX.findall(told))),
        sql,
        _VALUE.sub("'…'", told),
    )


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
