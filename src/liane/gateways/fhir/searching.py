"""How does a program look for resources, and for everything of one patient?"""

from __future__ import annotations

from typing import Any

from liane.access import gate
from liane.access.permissions import Permission
from liane.base.errors import Invalid
from liane.gateways.fhir import authority
from liane.gateways.fhir.answers import bundle, link, search_entry, subset
from liane.gateways.fhir.exchange import Answer, Exchange, Items
from liane.store import Tx, search
from liane.store.resources import Version

_SHAPE = frozenset({"_elements", "_summary", "_format", "_pretty"})
_SUMMARIES = frozenset({"true", "text", "data", "count", "false"})


async def search_type(exchange: Exchange, tx: Tx, type_: str) -> Answer:
    """http://hl7.org/fhir/R4/search.html"""
    actor = exchange.actor
    authority.require_type(actor, type_, "s")
    await gate.require(tx, actor, Permission.FHIR_API)
    elements, summary = _shape(exchange.query)
    items = [(name, value) for name, value in exchange.query if name not in _SHAPE]
    if summary == "count":
        items = [item for item in items if item[0] != "_total"] + [("_total", "accurate")]
    query = search.parse_query(type_, items, lenient=exchange.lenient)
    limit = gate.restriction(actor, Permission.FHIR_API, resource_type=type_)
    page = await search.run(tx, query, limit)
    if summary == "count":
        counted = bundle("searchset", (), [("self", link(exchange, exchange.query))], page.total)
        return Answer(200, counted, patients=(None,), detail=_detail(exchange, type_, 0))
    included = [v for v in page.included if authority.allows_type(actor, v.type, "r")]
    included = await _open_to(exchange, tx, included)
    entries = [
        search_entry(exchange, version, mode, subset(version.body, elements, summary))
        for mode, versions in (("match", page.versions), ("include", included))
        for version in versions
    ]
    links = [("self", link(exchange, exchange.query))]
    if page.next_cursor is not None:
        rest = [item for item in exchange.query if item[0] != "_cursor"]
        links.append(("next", link(exchange, [*rest, ("_cursor", page.next_cursor)])))
    patients = _patients([*page.versions, *included])
    body = bundle("searchset", entries, links, page.total)
    return Answer(200, body, patients=patients, detail=_detail(exchange, type_, len(entries)))


async def _open_to(exchange: Exchange, tx: Tx, included: list[Version]) -> list[Version]:
    """Included resources that this reader may see; a search never widens what is readable."""
    actor = exchange.actor
    if actor.kind == "client" and actor.establishment is None:
        return included
    seen = []
    for version in included:
        patient = authority.patient_of(version)
        limit = gate.restriction(actor, Permission.FHIR_API, resource_type=version.type)
        if patient is None:
            if limit is None or limit.patientless:
                seen.append(version)
        elif (await gate.check(tx, actor, Permission.FHIR_API, patient=patient)).allowed:
            seen.append(version)
    return seen


def _patients(versions: list[Version]) -> tuple[str | None, ...]:
    return tuple(dict.fromkeys(authority.patient_of(version) for version in versions)) or (None,)


def _detail(exchange: Exchange, type_: str, count: int) -> dict[str, Any]:
    """Names of parameters, never their values: a value may be a name or a diagnosis."""
    names = sorted({name for name, _ in exchange.query if not name.startswith("_cursor")})
    return {"type": type_, "parameters": names, "count": count}


def _shape(items: Items) -> tuple[frozenset[str] | None, str | None]:
    query = dict(items)
    elements = query.get("_elements")
    summary = query.get("_summary")
    if summary is not None and summary not in _SUMMARIES:
        raise Invalid(
            "fhir.summary",
            "_summary accepte true, text, data, count ou false.",
            "_summary accepts true, text, data, count or false.",
        )
    return (frozenset(elements.split(",")) if elements else None), summary
