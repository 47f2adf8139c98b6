"""How is a resource changed that is named by what it holds, and not by its id?

http://hl7.org/fhir/R4/http.html#ccreate and the conditional update, patch and delete beside it.
Who asks with the same criteria waits, and what was found is locked, so that the resource that is
changed is the one that meets the criteria.
"""

from __future__ import annotations

from urllib.parse import urlencode

from liane.base.errors import Conflict, Invalid
from liane.gateways.fhir import authority, changes, general, interactions
from liane.gateways.fhir.conditions import MOST_DELETED, all_matching, matching
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.writes import (
    checked_type,
    locked,
    precondition,
    require_match,
    told,
    write,
    written,
)
from liane.store import Tx
from liane.store.resources import Version, Write

_TRIES = 5


def criteria_of(exchange: Exchange) -> str:
    """The condition: the query without what only shapes the answer."""
    return urlencode([item for item in exchange.query if item[0] not in general.SHOWING])


async def the_one(exchange: Exchange, tx: Tx, type_: str, criteria: str) -> Version | None:
    """The one resource that meets the criteria, locked as it was found; None without any."""
    authority.require_type(exchange.actor, type_, "s")
    for _ in range(_TRIES):
        found = await matching(exchange, tx, type_, criteria)
        if found is None:
            return None
        held = await locked(tx, type_, found.id)
        if held is not None and not held.deleted and held.version == found.version:
            return held
    raise Conflict(
        "fhir.contended",
        "Cette ressource change sans cesse en ce moment.",
        "This resource keeps changing at this moment.",
        "Recommencer.",
        "Try again.",
    )


async def update(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#cond-update"""
    type_ = exchange.type
    authority.require_type(exchange.actor, type_, "u")
    resource = checked_type(exchange.body, type_)
    found = await the_one(exchange, tx, type_, criteria_of(exchange))
    require_match(exchange, found)
    if found is None:
        return await _created(exchange, tx)
    require_same_id(resource.get("id"), found.id)
    wish = Write({**resource, "id": found.id}, id=found.id)
    return written(exchange, await write(exchange, tx, wish, found), 200)


async def _created(exchange: Exchange, tx: Tx) -> Answer:
    """Nothing was found: a creation, with the id of the body when it has one and it is free."""
    authority.require_type(exchange.actor, exchange.type, "c")
    resource = exchange.body
    id_ = resource.get("id")
    if id_ is None:
        return written(exchange, await write(exchange, tx, Write(resource)), 201)
    interactions.require_update_create(exchange)
    wish = Write(resource, id=id_, must_be_new=True)
    return written(exchange, await write(exchange, tx, wish), 201)


def require_same_id(sent: object, found: str) -> None:
    """Refuse a body whose id is not that of the resource the criteria lead to."""
    if sent not in (None, found):
        raise Invalid(
            "fhir.id-mismatch",
            "La ressource trouvée n’a pas l’identifiant du corps.",
            "The resource found does not have the id in the body.",
        )


async def patch(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#patch, conditional"""
    authority.require_type(exchange.actor, exchange.type, "u")
    found = await the_one(exchange, tx, exchange.type, criteria_of(exchange))
    if found is None:
        raise authority.absent(exchange.type, "?")
    return await changes.patch_known(exchange, tx, found)


async def delete(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#cdelete; several at once only where the house allows it"""
    type_, criteria = exchange.type, criteria_of(exchange)
    authority.require_type(exchange.actor, type_, "d")
    if exchange.parts.choices.delete_many:
        return await _delete_all(exchange, tx, criteria)
    found = await the_one(exchange, tx, type_, criteria)
    require_match(exchange, found)
    if found is None:
        return Answer(204)
    return await interactions.delete_known(exchange, tx, found)


async def _delete_all(exchange: Exchange, tx: Tx, criteria: str) -> Answer:
    type_ = exchange.type
    authority.require_type(exchange.actor, type_, "s")
    found = await all_matching(exchange, tx, type_, criteria)
    if len(found) > MOST_DELETED:
        raise precondition(
            f"Plus de {MOST_DELETED} ressources répondent à la condition : la préciser.",
            f"More than {MOST_DELETED} resources meet the condition: make it more precise.",
        )
    for version in sorted(found, key=lambda one: one.id):
        held = await locked(tx, type_, version.id)
        if held is not None and not held.deleted and held.version == version.version:
            await interactions.delete_known(exchange, tx, held)
    if exchange.returns != "OperationOutcome":
        return Answer(204)
    count = len(found)
    done = told(f"{count} ressource(s) supprimée(s).", f"{count} deleted.", exchange.language)
    return Answer(200, done)
