"""How is a part of a resource changed without sending all of it? (R4 http, patch)"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from liane.base.errors import Invalid
from liane.gateways.fhir import authority, bodies, general
from liane.gateways.fhir.exchange import Answer, Exchange
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


def patched(exchange: Exchange, former: Version) -> dict[str, Any]:
    """The resource after the patch; what it is and how it is called stay."""
    patching: Any = import_module("liane.fhir.patching")
    resource = former.resource
    if exchange.media == bodies.JSON_PATCH:
        changed: dict[str, Any] = patching.json_patch(resource, bodies.patch_list(exchange.data))
    elif exchange.body.get("resourceType") == "Parameters":
        changed = patching.fhirpath_patch(resource, exchange.body)
    else:
        raise Invalid(
            "fhir.patch",
            "Un patch est un JSON Patch (application/json-patch+json) ou une ressource Parameters "
            "(FHIRPath Patch).",
            "A patch is a JSON Patch (application/json-patch+json) or a Parameters resource "
            "(FHIRPath Patch).",
        )
    if (changed.get("resourceType"), changed.get("id")) != (former.type, former.id):
        raise Invalid(
            "fhir.patch-identity",
            "Un patch ne change ni le type ni l’identifiant d’une ressource.",
            "A patch changes neither the type nor the id of a resource.",
        )
    return changed
