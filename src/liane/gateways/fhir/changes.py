"""How is a part of a resource changed without sending all of it? (R4 http, patch)"""

from __future__ import annotations

from liane.gateways.fhir import authority, general
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.patching import patched
from liane.gateways.fhir.writes import locked, require_known, require_match, write, written
from liane.store import Tx
from liane.store.resources import Version, Write


async def patch(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#patch"""
    type_, id_ = exchange.type, exchange.id
    authority.require_type(exchange.actor, type_, "u")
    general.require_known(exchange)
    former = require_known(exchange, await locked(tx, type_, id_), type_, id_)
    return await patch_known(exchange, tx, former)


async def patch_known(exchange: Exchange, tx: Tx, former: Version) -> Answer:
    """Patch what is there, and locked: two patches at once are both kept."""
    await authority.require_open(tx, exchange.actor, former)
    require_match(exchange, former)
    changed = patched(exchange, former)
    version = await write(exchange, tx, Write(changed, id=former.id), former)
    answer = written(exchange, version, 200)
    if authority.allows_type(exchange.actor, former.type, "r"):
        return answer
    return Answer(200, "", version, answer.location)
