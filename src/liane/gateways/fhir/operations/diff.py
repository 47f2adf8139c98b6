"""What changed between two versions of a resource, or differs between two resources? (`$diff`)

The answer is a FHIRPath Patch: taken step by step, it turns the first into the second.
"""

from __future__ import annotations

from typing import Any

from liane.fhir import references
from liane.fhir.json import dumps
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking
from liane.gateways.fhir.operations.differing import steps
from liane.gateways.fhir.operations.registry import Operation
from liane.store import Tx, resources
from liane.store.resources import Version

_OF_ONE = ("fromVersion", "toVersion", "includeMeta")
_OF_TWO = ("from", "to", "includeMeta")


async def of_versions(exchange: Exchange, tx: Tx) -> Answer:
    """Between two versions of one resource; by default the last change."""
    asked = asking.asked(exchange, _OF_ONE)
    type_, id_ = exchange.path[:2]
    current = await asking.opened(exchange, tx, type_, id_)
    most = 10**9
    to = asking.number(asked, "toVersion", current.version, most)
    start = asking.number(asked, "fromVersion", max(1, to - 1), most)
    return await _compared(exchange, tx, asked, (type_, id_, start), (type_, id_, to))


async def of_resources(exchange: Exchange, tx: Tx) -> Answer:
    """Between two resources of one type: `Patient/1`, or `Patient/1/_history/2`."""
    asked = asking.asked(exchange, _OF_TWO)
    places = []
    for name in ("from", "to"):
        text = asking.single(asked, name)
        if text is None:
            raise asking.missing(name, "par exemple Patient/1", "for example Patient/1")
        found = references.parse(text)
        if found.type is None or found.id is None or found.base is not None:
            raise asking.wrong(name, text, "attendu : Patient/1", "expected: Patient/1")
        authority.require_type(exchange.actor, found.type, "r")
        version = _number(found.version)
        places.append((found.type, found.id, version))
    if places[0][0] != places[1][0]:
        raise asking.wrong(
            "to",
            asked["to"][0],
            "les deux ressources sont du même type",
            "both resources are of the same type",
        )
    return await _compared(exchange, tx, asked, places[0], places[1])


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None


Place = tuple[str, str, int | None]


async def _compared(
    exchange: Exchange, tx: Tx, asked: dict[str, list[str]], before: Place, after: Place
) -> Answer:
    bodies = []
    patients: list[str | None] = []
    for place in (before, after):
        version = await _version(exchange, tx, place)
        patients.append(authority.patient_of(version))
        bodies.append(_body(version, with_meta=asking.flag(asked, "includeMeta")))
    told = {"resourceType": "Parameters", "parameter": steps(bodies[0], bodies[1])}
    if not told["parameter"]:
        del told["parameter"]
    return Answer(200, dumps(told), patients=tuple(dict.fromkeys(patients)), detail={"diff": True})


async def _version(exchange: Exchange, tx: Tx, place: Place) -> Version:
    type_, id_, number = place
    version = (
        await resources.read(tx, type_, id_)
        if number is None
        else await resources.vread(tx, type_, id_, number)
    )
    name = f"{type_}/{id_}" + ("" if number is None else f"/_history/{number}")
    return await asking.shown(exchange, tx, version, name)


def _body(version: Version, *, with_meta: bool) -> dict[str, Any]:
    """Without what every write changes, unless wanted."""
    body = dict(version.resource)
    body.pop("id", None)
    meta = dict(body.pop("meta", {}))
    if not with_meta:
        meta.pop("versionId", None)
        meta.pop("lastUpdated", None)
    return {**body, **({"meta": meta} if meta else {})}


_DEFINITION = "https://liane.example/fhir/OperationDefinition/Resource-diff"

OPERATIONS = (
    Operation("diff", frozenset({"instance"}), frozenset(), of_versions, _DEFINITION),
    Operation("diff", frozenset({"system"}), frozenset(), of_resources, _DEFINITION),
)
