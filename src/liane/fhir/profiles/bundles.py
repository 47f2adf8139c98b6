"""Do the entries of a Bundle carry the addresses that R4 asks for? (R4 bundle, 3.3 and 3.4)"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from liane.fhir.profiles.findings import Finding, finding
from liane.fhir.profiles.visit import Visit
from liane.fhir.references import parse

Json = dict[str, Any]

_NEED_NO_ADDRESS = frozenset({"batch", "transaction", "batch-response", "transaction-response"})
_WHOLE = frozenset({"document", "message"})
"""Bundles that hold everything their first resource needs."""


def check(bundle: Json, path: str, visit: Visit) -> None:
    """Every entry has an address that agrees with its resource."""
    kind = bundle.get("type")
    for index, entry in enumerate(bundle.get("entry", ())):
        where = f"{path}.entry[{index}]"
        resource, url = entry.get("resource"), entry.get("fullUrl")
        if type(resource) is not dict:
            continue
        if url is None:
            if kind not in _NEED_NO_ADDRESS:
                visit.issues.append(_no_address(where))
        elif type(url) is str and url.startswith("http"):
            _agrees(resource, url, where, visit)
    if kind in _WHOLE and visit.entries is not None:
        first = (bundle.get("entry") or [{}])[0].get("resource")
        for literal in _references(first):
            if not literal.startswith(("#", "http")) and visit.resolve(literal) is None:
                visit.issues.append(_not_inside(path, literal))


def _agrees(resource: Json, url: str, path: str, visit: Visit) -> None:
    pointed = parse(url)
    if pointed.type is None or "id" not in resource:
        return
    if (pointed.type, pointed.id) != (resource.get("resourceType"), resource["id"]):
        visit.issues.append(
            finding(
                "reference",
                "fullUrl",
                f"{path}.fullUrl",
                "l’adresse ne se termine pas par le type et l’identifiant de la ressource",
                "the address does not end with the type and id of the resource",
                code="value",
            )
        )


def _references(node: Any) -> Iterator[str]:
    if type(node) is dict:
        literal = node.get("reference")
        if type(literal) is str:
            yield literal
        for key, child in node.items():
            if key != "contained":
                yield from _references(child)
    elif type(node) is list:
        for child in node:
            yield from _references(child)


def _no_address(path: str) -> Finding:
    return finding(
        "reference",
        "fullUrl",
        path,
        "sauf dans un lot ou une transaction, chaque entrée porte son adresse (fullUrl)",
        "except in a batch or transaction, each entry has its address (fullUrl)",
        code="required",
    )


def _not_inside(path: str, literal: str) -> Finding:
    return finding(
        "reference",
        "unresolved",
        path,
        f"{literal[:100]} n’est pas dans le lot",
        f"{literal[:100]} is not in the bundle",
        code="not-found",
    )
