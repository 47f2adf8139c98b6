"""Which code systems, value sets and concept maps does R4 bring with it?

Each is kept as compressed JSON under its canonical address, so that a process only unpacks what
somebody asks for.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from fhir_compiler.package import Package

_FILES = ("valuesets.json", "v3-codesystems.json", "v2-tables.json", "conceptmaps.json")
_KEPT = frozenset(
    {
        "resourceType", "id", "url", "version", "name", "title", "status", "experimental", "date",
        "publisher", "description", "copyright", "language", "caseSensitive", "valueSet",
        "hierarchyMeaning", "compositional", "versionNeeded", "content", "supplements", "count",
        "filter", "property", "concept", "compose", "immutable", "sourceUri", "sourceCanonical",
        "targetUri", "targetCanonical", "group",
    }
)  # fmt: skip


def compile_terminology(package: Package) -> dict[str, dict[str, bytes]]:
    """`{resource type: {canonical address: compressed JSON}}`."""
    found: dict[str, dict[str, bytes]] = {"CodeSystem": {}, "ValueSet": {}, "ConceptMap": {}}
    for file in _FILES:
        for resource in package.read(file):
            text = json.dumps(_compact(resource), ensure_ascii=False, separators=(",", ":"))
            packed = zlib.compress(text.encode("utf-8"), 9)
            found[resource["resourceType"]][resource["url"]] = packed
    return found


def _compact(resource: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in resource.items() if name in _KEPT}
    if "concept" in kept:
        kept["concept"] = [_plain(concept) for concept in kept["concept"]]
    return kept


def _plain(concept: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in concept.items() if name != "extension"}
    if "concept" in plain:
        plain["concept"] = [_plain(child) for child in plain["concept"]]
    return plain
