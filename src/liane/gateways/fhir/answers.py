"""How are stored resources put together into a Bundle, without reading them again?

The stored text of each resource goes into the answer as it is, so that every digit stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from liane.base.ids import new_id
from liane.fhir.json import dumps, loads
from liane.gateways.fhir.exchange import Exchange, Items
from liane.store.resources import Version
from liane.store.versions import instant

_SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
_ALWAYS = frozenset({"resourceType", "id", "meta"})


def bundle(
    kind: str, entries: Iterable[str], links: Sequence[tuple[str, str]], total: int | None = None
) -> str:
    """A Bundle text from entry texts."""
    head: dict[str, Any] = {"resourceType": "Bundle", "id": new_id(), "type": kind}
    if total is not None:
        head["total"] = total
    head["link"] = [{"relation": relation, "url": url} for relation, url in links]
    if not links:
        del head["link"]
    text = dumps(head)
    joined = ",".join(entries)
    return f'{text[:-1]},"entry":[{joined}]}}' if joined else text


def link(exchange: Exchange, query: Items) -> str:
    """An absolute address of this endpoint with another query."""
    path = "/".join(exchange.path)
    return f"{exchange.parts.base}/{path}" + (f"?{urlencode(query)}" if query else "")


def search_entry(exchange: Exchange, version: Version, mode: str, shown: str) -> str:
    """One entry of a searchset."""
    full = dumps(f"{exchange.parts.base}/{version.reference}")
    return f'{{"fullUrl":{full},"resource":{shown},"search":{{"mode":"{mode}"}}}}'


def bundle_of_versions(
    exchange: Exchange, versions: Sequence[Version], next_query: Items | None
) -> str:
    """A history Bundle."""
    links = [("self", link(exchange, exchange.query))]
    if next_query is not None:
        links.append(("next", link(exchange, next_query)))
    entries = [_history_entry(exchange, version) for version in versions]
    return bundle("history", entries, links)


def _history_entry(exchange: Exchange, version: Version) -> str:
    method = "DELETE" if version.deleted else "POST" if version.version == 1 else "PUT"
    status = {"DELETE": "204 No Content", "POST": "201 Created", "PUT": "200 OK"}[method]
    facts = {
        "request": {
            "method": method,
            "url": version.type if method == "POST" else version.reference,
        },
        "response": {
            "status": status,
            "etag": f'W/"{version.version}"',
            "lastModified": instant(version.updated),
        },
    }
    rest = dumps(facts)[1:]
    full = dumps(f"{exchange.parts.base}/{version.reference}")
    shown = "" if version.deleted else f'"resource":{version.body},'
    return f'{{"fullUrl":{full},{shown}{rest}'


def subset(body: str, elements: frozenset[str] | None, summary: str | None) -> str:
    """The part of a resource that `_elements` or `_summary` asks for, marked as a part."""
    if elements is None and summary in (None, "false"):
        return body
    resource = loads(body)
    if summary == "text":
        elements = frozenset({"text"})
    kept = {
        name: value
        for name, value in resource.items()
        if name in _ALWAYS
        or (elements is None and name != "text")
        or (elements is not None and (name in elements or name.lstrip("_") in elements))
    }
    meta = dict(kept.get("meta", {}))
    meta["tag"] = [*meta.get("tag", []), _SUBSETTED]
    kept["meta"] = meta
    return dumps(kept)
