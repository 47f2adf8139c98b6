"""How does a program look for resources: of one type, of several, or of one compartment?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from liane.access import gate
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.base.errors import Denied
from liane.base.ids import is_fhir_id
from liane.fhir import definitions
from liane.fhir.json import dumps
from liane.gateways.fhir import authority, explaining
from liane.gateways.fhir.answers import bundle, search_entry
from liane.gateways.fhir.exchange import Answer, Exchange, Items
from liane.gateways.fhir.shaping import Shape, shape_of
from liane.store import Tx, search
from liane.store.resources import Version
from liane.store.search import Page, Query, Restriction, custom
from liane.store.search.compartments import types_of
from liane.store.search.refusals import refused

_FORMAT = frozenset({"_format", "_pretty"})
_NOBODY = Restriction("false")


async def search_type(exchange: Exchange, tx: Tx, type_: str) -> Answer:
    """http://hl7.org/fhir/R4/search.html"""
    authority.require_type(exchange.actor, type_, "s")
    return await _answered(exchange, tx, (type_,), several=False)


async def search_system(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#search, over the types of `_type` or over all"""
    return await _answered(exchange, tx, (), several=True)


async def search_compartment(exchange: Exchange, tx: Tx) -> Answer:
    """`Patient/1/Observation`, `Patient/1/*`: http://hl7.org/fhir/R4/http.html#vsearch"""
    name, id_, wanted = exchange.path[:3]
    types = types_of(name)
    if not is_fhir_id(id_):
        raise refused("Identifiant de ressource invalide.", "Not a valid resource id.", [id_[:64]])
    if wanted == "*":
        return await _answered(exchange, tx, types, several=True, compartment=(name, id_))
    if wanted not in types:
        listed = ", ".join(types)
        raise refused(
            f"{wanted[:40]} n'appartient pas au compartiment {name}. Types : {listed}.",
            f"{wanted[:40]} does not belong to the compartment {name}. Types: {listed}.",
            [wanted[:40]],
        )
    authority.require_type(exchange.actor, wanted, "s")
    return await _answered(exchange, tx, (wanted,), several=False, compartment=(name, id_))


def sight_of(actor: Actor) -> Callable[[str], Restriction | None]:
    """What this actor may see of each type, for a search that leads through several."""

    def sight(type_: str) -> Restriction | None:
        if not (
            authority.allows_type(actor, type_, "s") or authority.allows_type(actor, type_, "r")
        ):
            return _NOBODY
        return gate.restriction(actor, Permission.FHIR_API, resource_type=type_)

    return sight


async def _answered(
    exchange: Exchange,
    tx: Tx,
    types: Sequence[str],
    *,
    several: bool,
    compartment: tuple[str, str] | None = None,
) -> Answer:
    await gate.require(tx, exchange.actor, Permission.FHIR_API)
    await custom.keep_fresh(tx)
    items = _local(exchange)
    explained = [value for name, value in items if name == explaining.NAME]
    asked = [item for item in items if item[0] != explaining.NAME]
    query = replace(_parsed(exchange, tx, asked, types, several=several), compartment=compartment)
    known = query.types or (query.type,)
    shape = shape_of(asked, [*known, *_include_types(query)], lenient=exchange.lenient)
    if explained and explained[-1] == "true":
        return await explaining.answer(exchange, tx, query, sight_of(exchange.actor))
    page = await search.run(tx, query, sight_of(exchange.actor))
    included = [v for v in page.included if authority.allows_type(exchange.actor, v.type, "r")]
    entries = _entries(exchange, page, included, shape)
    entries += _warnings(query)
    versions = [*page.versions, *included]
    patients = tuple(dict.fromkeys(authority.patient_of(one) for one in versions)) or (None,)
    if query.only_total:
        patients = (None,)
    links = _links(exchange, query, page, asked)
    text = bundle("searchset", entries, links, page.total)
    return Answer(200, text, patients=patients, detail=_detail(query, asked, len(versions)))


def _parsed(
    exchange: Exchange, tx: Tx, items: Items, types: Sequence[str], *, several: bool
) -> Query:
    lenient, tenant = exchange.lenient, tx.tenant
    if not several:
        return search.parse_query(types[0], items, lenient=lenient, tenant=tenant)
    named = dict(items).get("_type")
    if named:
        for type_ in named.split(","):
            if type_ in definitions.resources():
                authority.require_type(exchange.actor, type_, "s")
    open_ = [
        type_
        for type_ in (types or definitions.types())
        if authority.allows_type(exchange.actor, type_, "s")
    ]
    if not open_:
        raise Denied(
            "access.scope",
            "Le jeton ne permet de chercher dans aucun de ces types.",
            "The token does not allow searching any of these types.",
        )
    return search.parse_system_query(items, types=open_, lenient=lenient, tenant=tenant)


def _local(exchange: Exchange) -> Items:
    """References to this server by its whole address mean its own resources."""
    base = f"{exchange.parts.base}/"
    return [(name, value.replace(base, "")) for name, value in exchange.query]


def _include_types(query: Query) -> list[str]:
    if not (query.includes or query.revincludes):
        return []
    return list(definitions.types())


def _entries(
    exchange: Exchange, page: Page, included: Sequence[Version], shape: Shape
) -> list[str]:
    return [
        search_entry(exchange, version, mode, shape.of(version.type, version.body))
        for mode, versions in (("match", page.versions), ("include", included))
        for version in versions
    ]


def _warnings(query: Query) -> list[str]:
    """What was passed over because the reader asked for leniency."""
    if not query.ignored:
        return []
    told = ", ".join(name[:80] for name in query.ignored[:20])
    issue = {
        "severity": "warning",
        "code": "not-supported",
        "diagnostics": f"Not understood and left out: {told}",
        "details": {"text": f"Non compris et laissé de côté : {told}"},
    }
    outcome = dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    return [f'{{"resource":{outcome},"search":{{"mode":"outcome"}}}}']


def _links(exchange: Exchange, query: Query, page: Page, items: Items) -> list[tuple[str, str]]:
    """Self states what was understood; next and previous go on from the edges of this page."""
    ignored = set(query.ignored)
    used = [item for item in items if item[0] not in ignored]
    start = [item for item in used if item[0] != "_cursor"]
    links = [("self", _address(exchange, used))]
    if query.only_total:
        return links
    links.append(("first", _address(exchange, start)))
    for relation, cursor in (("next", page.next_cursor), ("previous", page.previous_cursor)):
        if cursor is not None:
            links.append((relation, _address(exchange, [*start, ("_cursor", cursor)])))
    return links


def _address(exchange: Exchange, items: Items) -> str:
    path = "/".join(part for part in exchange.path if part != "_search")
    kept = [item for item in items if item[0] not in _FORMAT or item[0] == "_format"]
    address = f"{exchange.parts.base}/{path}".rstrip("/")
    return f"{address}?{urlencode(kept)}" if kept else address


def _detail(query: Query, items: Items, count: int) -> dict[str, Any]:
    """Names of parameters, never their values: a value may be a name or a diagnosis."""
    names = sorted({name[:80] for name, _ in items if not name.startswith("_cursor")})
    return {
        "type": query.type or ",".join(query.types)[:200],
        "parameters": names,
        "count": count,
    }
