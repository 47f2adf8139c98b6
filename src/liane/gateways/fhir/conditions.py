"""Which resources does a condition name? (If-None-Exist, conditional references)"""

from __future__ import annotations

from collections.abc import Sequence

from liane.access import gate
from liane.access.permissions import Permission
from liane.base.errors import Invalid
from liane.gateways.fhir.exchange import Exchange, Items, items_of
from liane.gateways.fhir.outcomes import several_matches
from liane.store import Tx, search
from liane.store.resources import Version
from liane.store.sql import queries

Q = queries("liane.gateways.fhir", "gateway.sql")

MOST_DELETED = 500
"""Resources that one conditional delete may remove."""
_RESULTS = frozenset(
    {"_sort", "_count", "_total", "_summary", "_include", "_revinclude", "_cursor", "_elements"}
)


async def matching(
    exchange: Exchange, tx: Tx, type_: str, criteria: str, *, lock: bool = True
) -> Version | None:
    """The one resource of the type that meets the criteria, or None.

    With `lock`, two requests with the same criteria wait for one another, so that both cannot
    find nothing and create twice. Raises `Invalid` (412) when several match.
    """
    if lock:
        await lock_criteria(tx, [(type_, criteria)])
    found = await _found(exchange, tx, type_, criteria, 2)
    if len(found) > 1:
        raise several_matches(criteria)
    return found[0] if found else None


async def all_matching(exchange: Exchange, tx: Tx, type_: str, criteria: str) -> list[Version]:
    """All that meet the criteria, one more than `MOST_DELETED` at most."""
    await lock_criteria(tx, [(type_, criteria)])
    return await _found(exchange, tx, type_, criteria, MOST_DELETED + 1)


async def lock_criteria(tx: Tx, conditions: Sequence[tuple[str, str]]) -> None:
    """Hold these conditions until the transaction ends; all of one Bundle in one go and one order,
    so that two Bundles never wait for each other.
    """
    names = sorted({condition_key(type_, criteria) for type_, criteria in conditions})
    await tx.execute(Q["lock_criteria"], names)


def condition_key(type_: str, criteria: str) -> str:
    """The same text for the same condition, whatever the order of its parts."""
    return f"{type_}?{sorted(items_of(criteria.lstrip('?')))!r}"


def _items(type_: str, criteria: str) -> Items:
    """The parts of a condition. Raises `Invalid` for what selects nothing."""
    items = items_of(criteria.lstrip("?"))
    for name, _ in items:
        if name in _RESULTS:
            raise Invalid(
                "fhir.condition",
                f"« {name} » n’a pas de sens dans une condition.",
                f"'{name}' has no meaning in a condition.",
            )
    if not any(value for _, value in items):
        raise Invalid(
            "fhir.precondition",
            f"La condition sur {type_} ne choisit rien : elle désignerait toutes les ressources.",
            f"The condition on {type_} selects nothing: it would name every resource.",
            "Donner au moins un critère avec une valeur, par exemple identifier=système|valeur.",
            "Give at least one criterion with a value, for example identifier=system|value.",
        )
    return items


async def _found(
    exchange: Exchange, tx: Tx, type_: str, criteria: str, count: int
) -> list[Version]:
    items = _items(type_, criteria)
    query = search.parse_query(type_, [*items, ("_count", str(count))], tenant=tx.tenant)
    limit = gate.restriction(exchange.actor, Permission.FHIR_API, resource_type=type_)
    return (await search.run(tx, query, limit)).versions
