"""Do contained resources keep the rules of containment? (R4 domainresource, dom-2 to dom-5)"""

from __future__ import annotations

from typing import Any

from liane.fhir.profiles.findings import Finding, finding
from liane.fhir.profiles.visit import Visit

Json = dict[str, Any]


def check(resource: Json, path: str, visit: Visit) -> None:
    """No containment in depth, no version or security of its own, and somebody points to it."""
    texts: set[str] | None = None
    for index, one in enumerate(resource["contained"]):
        if type(one) is not dict:
            continue
        where = f"{path}.contained[{index}]"
        if "contained" in one:
            visit.issues.append(_deep(where))
        meta = one.get("meta", {})
        if type(meta) is dict:
            if "versionId" in meta or "lastUpdated" in meta:
                visit.issues.append(_versioned(where))
            if "security" in meta:
                visit.issues.append(_labelled(where))
        if texts is None:
            texts = set()
            _fragments(resource, texts)
        own: set[str] = set()
        _fragments(one, own)
        if f"#{one.get('id')}" not in texts and "#" not in own:
            visit.issues.append(_orphan(where))


def _fragments(node: Any, texts: set[str]) -> None:
    if type(node) is dict:
        for child in node.values():
            _fragments(child, texts)
    elif type(node) is list:
        for child in node:
            _fragments(child, texts)
    elif type(node) is str and node[:1] == "#":
        texts.add(node)


def _deep(path: str) -> Finding:
    return finding(
        "invariant",
        "dom-2",
        path,
        "une ressource contenue n’en contient pas d’autre",
        "a contained resource shall not contain another",
        code="invariant",
    )


def _orphan(path: str) -> Finding:
    return finding(
        "invariant",
        "dom-3",
        path,
        "rien ne renvoie à cette ressource contenue",
        "nothing refers to this contained resource",
        code="invariant",
    )


def _versioned(path: str) -> Finding:
    return finding(
        "invariant",
        "dom-4",
        f"{path}.meta",
        "une ressource contenue n’a ni version ni date de mise à jour",
        "a contained resource has no version and no last update",
        code="invariant",
    )


def _labelled(path: str) -> Finding:
    return finding(
        "invariant",
        "dom-5",
        f"{path}.meta",
        "une ressource contenue n’a pas d’étiquette de sécurité",
        "a contained resource has no security label",
        code="invariant",
    )
