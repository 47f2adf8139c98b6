"""Which one resource does a condition name? (If-None-Exist, conditional references)"""

from __future__ import annotations

from liane.access import gate
from liane.access.permissions import Permission
from liane.gateways.fhir.exchange import Exchange, items_of
from liane.gateways.fhir.outcomes import several_matches
from liane.store import Tx, search
from liane.store.resources import Version
from liane.store.sql import queries

Q = queries("liane.gateways.fhir", "gateway.sql")


async def matching(
    exchange: Exchange, tx: Tx, type_: str, criteria: str, *, lock: bool = True
) -> Version | None:
    """The one resource of the type that meets the criteria, or None.

    With `lock`, two requests with the same criteria wait for one another, so that both cannot
    find nothing and create twice. Raises `Invalid` (412) when several match.
    """
    items = sorted(items_of(criteria.lstrip("?")))
    if lock:
        await tx.execute(Q["lock_criteria"], f"{type_}?{items!r}")
    query = search.parse_query(type_, [*items, ("_count", "2")])
    limit = gate.restriction(exchange.actor, Permission.FHIR_API, resource_type=type_)
    page = await search.run(tx, query, limit)
    if len(page.versions) > 1:
        raise several_matches(criteria)
    return page.versions[0] if page.versions else None
