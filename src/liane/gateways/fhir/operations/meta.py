"""Which profiles, tags and labels are in use, and how are they put on a resource or taken off?

http://hl7.org/fhir/R4/resource-operation-meta.html. Putting on and taking off make a new version,
like any other change: the history says who did it, and searches and the gate follow at once.
"""

from __future__ import annotations

from typing import Any

from liane.base.errors import Invalid
from liane.fhir import definitions
from liane.fhir.json import dumps, loads
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Answer, Exchange, version_wanted
from liane.gateways.fhir.operations import asking
from liane.gateways.fhir.operations.everything import Q
from liane.gateways.fhir.operations.limits import visible
from liane.gateways.fhir.operations.registry import Operation
from liane.store import Tx
from liane.store.resources import Version, Write

PATIENCE = "set local statement_timeout = '30s'"
_LISTS = ("profile", "tag", "security")


async def read_meta(exchange: Exchange, tx: Tx) -> Answer:
    """`$meta` of one resource, of a type, or of the whole system."""
    asking.asked(exchange, ())
    path = exchange.path
    if not path[0].startswith("$") and not path[1].startswith("$"):
        version = await _readable(exchange, tx)
        meta = version.resource.get("meta", {})
        return _answer(meta, authority.patient_of(version))
    types = [path[0]] if not path[0].startswith("$") else list(definitions.types())
    allowed = [name for name in types if authority.allows_type(exchange.actor, name, "r")]
    if not allowed:
        authority.require_type(exchange.actor, types[0], "r")
    args: list[Any] = [allowed]
    sql = Q["every_meta"].replace("{limit}", visible(exchange.actor, allowed, "r", args))
    await tx.execute(PATIENCE)
    found: dict[str, Any] = {}
    for row in await tx.fetch(sql, *args):
        what = loads(f'{{"what":{row["what"]}}}')["what"]
        found.setdefault(row["kind"], []).append(what)
    meta = {name: sorted(found[name], key=dumps) for name in _LISTS if name in found}
    return _answer(meta, None)


async def add(exchange: Exchange, tx: Tx) -> Answer:
    """`$meta-add`: what is there already stays once."""
    return await _changed(exchange, tx, _with)


async def delete(exchange: Exchange, tx: Tx) -> Answer:
    """`$meta-delete`: what is not there is no error."""
    return await _changed(exchange, tx, _without)


async def _changed(exchange: Exchange, tx: Tx, change: Any) -> Answer:
    asked = asking.part(exchange.resource, "meta", "valueMeta")
    if not isinstance(asked, dict) or not _wellformed(asked):
        raise Invalid(
            "fhir.meta",
            "Un Parameters avec « meta » (valueMeta : profile, tag, security) est attendu.",
            "A Parameters with 'meta' (valueMeta: profile, tag, security) is expected.",
        )
    type_ = exchange.path[0]
    authority.require_type(exchange.actor, type_, "u")
    former = await _readable(exchange, tx)
    patient = authority.patient_of(former)
    await authority.require_write(tx, exchange.actor, [patient])
    resource = dict(former.resource)
    meta = dict(resource.get("meta", {}))
    for name in _LISTS:
        if name in asked:
            kept = change(meta.get(name, []), asked[name])
            meta[name] = kept
            if not kept:
                del meta[name]
    resource["meta"] = meta
    if_match = version_wanted(exchange.if_match) or former.version
    wish = Write(resource, id=former.id, if_match=if_match)
    write = exchange.parts.writer(type_)
    operation = exchange.path[2].lstrip("$")
    written = (await write(tx, exchange.actor, [wish], reason=f"FHIR {operation}"))[0]
    return _answer(written.resource.get("meta", {}), patient)


def _wellformed(meta: dict[str, Any]) -> bool:
    profiles = meta.get("profile", [])
    codings = [*_list(meta.get("tag", [])), *_list(meta.get("security", []))]
    return (
        bool(set(meta) & set(_LISTS))
        and isinstance(profiles, list)
        and all(isinstance(one, str) for one in profiles)
        and all(isinstance(one, dict) for one in codings)
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [None]


def _with(present: list[Any], added: list[Any]) -> list[Any]:
    kept = list(present)
    places = {_place(one) for one in kept}
    for one in added:
        if _place(one) not in places:
            places.add(_place(one))
            kept.append(one)
    return kept


def _without(present: list[Any], removed: list[Any]) -> list[Any]:
    gone = {_place(one) for one in removed}
    return [one for one in present if _place(one) not in gone]


def _place(one: Any) -> tuple[str, str]:
    """What makes two labels the same: system and code, whatever they are displayed as."""
    if isinstance(one, dict):
        return str(one.get("system", "")), str(one.get("code", ""))
    return "", str(one)


async def _readable(exchange: Exchange, tx: Tx) -> Version:
    return await asking.opened(exchange, tx, exchange.path[0], exchange.path[1])


def _answer(meta: dict[str, Any], patient: str | None) -> Answer:
    told = {"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": meta}]}
    return Answer(200, dumps(told), patients=(patient,), detail={"meta": True})


_DEFINITIONS = "http://hl7.org/fhir/OperationDefinition/Resource"

OPERATIONS = (
    Operation(
        "meta",
        frozenset({"system", "type", "instance"}),
        frozenset(),
        read_meta,
        f"{_DEFINITIONS}-meta",
    ),
    Operation(
        "meta-add",
        frozenset({"instance"}),
        frozenset(),
        add,
        f"{_DEFINITIONS}-meta-add",
        writes=True,
    ),
    Operation(
        "meta-delete",
        frozenset({"instance"}),
        frozenset(),
        delete,
        f"{_DEFINITIONS}-meta-delete",
        writes=True,
    ),
)
