"""Why is this search answered the way it is? (`_explain=true`, for administrators)

Shows our way in and PostgreSQL's plan with the index it takes. Values stay out: they are arguments
of the statement. How many rows stand behind a value is only told to those who may see all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liane.access import gate
from liane.access.permissions import Permission
from liane.fhir.json import dumps
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.store import Tx
from liane.store.search import Query, Restriction
from liane.store.search.explaining import Explained, explain

NAME = "_explain"


async def answer(
    exchange: Exchange, tx: Tx, query: Query, sight: Callable[[str], Restriction | None]
) -> Answer:
    """A Parameters resource that tells the plan."""
    await require_administrator(exchange, tx)
    explained = await explain(tx, query, sight)
    return Answer(200, dumps(_parameters(explained)), patients=(None,), detail={"explain": True})


async def require_administrator(exchange: Exchange, tx: Tx) -> None:
    """Raise `Denied` unless this is an administrator, or a program that may do everything."""
    actor = exchange.actor
    whole = actor.kind == "client" and actor.establishment is None
    if whole and "system/*.cruds" in actor.scopes:
        return
    await gate.require(tx, actor, Permission.OPERATIONS_VIEW)


def _parameters(explained: Explained) -> dict[str, Any]:
    told: list[dict[str, Any]] = [
        {"name": "leader", "valueString": explained.leader},
        {"name": "orderedByIndex", "valueBoolean": explained.ordered},
    ]
    for label, count in explained.ways:
        parts: list[dict[str, Any]] = [{"name": "criterion", "valueString": label}]
        if count is not None:
            parts.append({"name": "rows", "valueString": count})
        told.append({"name": "way", "part": parts})
    told += [{"name": "index", "valueString": name} for name in explained.indexes]
    told.append({"name": "sql", "valueString": explained.sql})
    told.append({"name": "plan", "valueString": explained.plan})
    return {"resourceType": "Parameters", "parameter": told}
