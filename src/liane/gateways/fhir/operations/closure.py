"""What stands above what, among the concepts that a client has met? (`$closure`)

http://hl7.org/fhir/R4/conceptmap-operation-closure.html
"""

from __future__ import annotations

from typing import Any

from liane.base.ids import new_id
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking
from liane.gateways.fhir.operations.registry import Operation
from liane.gateways.fhir.operations.terminology_asking import answer, coding_of
from liane.store import Tx
from liane.store.terminology import Coding, clients
from liane.store.terminology.code_systems import objects
from liane.store.versions import instant

LONGEST_NAME = 200


async def closure(exchange: Exchange, tx: Tx) -> Answer:
    """Begin a table (name alone), add concepts to it, or tell what was added after a version."""
    authority.require_type(exchange.actor, "ConceptMap", "r")
    await authority.require_read(tx, exchange.actor, None, "ConceptMap")
    values = asking.asked(exchange, ("name", "concept", "version"))
    name = asking.single(values, "name")
    if not name or len(name) > LONGEST_NAME:
        raise asking.missing("name", "le nom de la table", "the name of the table")
    concepts = _concepts(exchange.resource)
    version = asking.single(values, "version")
    client = exchange.actor.id
    if version is not None:
        if concepts or not (version.isascii() and version.isdecimal() and len(version) < 9):
            raise asking.wrong(
                "version", version, "attendu : un nombre, sans concept",
                "expected: a number, without concept",
            )  # fmt: skip
        change = await clients.since(tx, client, name, int(version))
    elif concepts:
        change = await clients.add(tx, client, name, concepts)
    else:
        change = await clients.begin(tx, client, name)
    return answer(_map(name, change, instant(tx.now)))


def _concepts(resource: dict[str, Any] | None) -> list[Coding]:
    found = [
        coding_of(one.get("valueCoding"))
        for one in objects((resource or {}).get("parameter"))
        if one.get("name") == "concept"
    ]
    if len(found) > clients.MOST_CONCEPTS or not all(one.system for one in found):
        raise asking.missing(
            "concept", "des Coding avec system et code", "Codings with system and code"
        )
    return found


def _map(name: str, change: clients.Change, now: str) -> dict[str, Any]:
    groups: dict[str, dict[str, list[dict[str, str]]]] = {}
    for link in change.links:
        targets = groups.setdefault(link.system, {}).setdefault(link.below, [])
        targets.append({"code": link.above, "equivalence": "subsumes"})
    resource: dict[str, Any] = {
        "resourceType": "ConceptMap",
        "id": new_id(),
        "version": str(change.version),
        "name": "Closure",
        "title": name,
        "status": "active",
        "experimental": True,
        "date": now,
    }
    if groups:
        resource["group"] = [
            {
                "source": system,
                "target": system,
                "element": [{"code": code, "target": found} for code, found in elements.items()],
            }
            for system, elements in groups.items()
        ]
    return resource


OPERATIONS = (
    Operation(
        "closure",
        frozenset({"system"}),
        frozenset(),
        closure,
        "http://hl7.org/fhir/OperationDefinition/ConceptMap-closure",
        writes=True,
    ),
)
