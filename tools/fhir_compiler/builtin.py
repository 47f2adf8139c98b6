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


def compile_terminology(package: Package) -> dict[str, dict[str, Any]]:
    """`{resource type: {"dictionary": bytes, "resources": {canonical address: compressed JSON}}}`.

    The dictionary holds the beginnings that such resources share, so that the many small ones
    are compressed as well as a large one.
    """
    texts: dict[str, dict[str, bytes]] = {"CodeSystem": {}, "ValueSet": {}, "ConceptMap": {}}
    for file in _FILES:
        for resource in package.read(file):
            text = json.dumps(_compact(resource), ensure_ascii=False, separators=(",", ":"))
            texts[resource["resourceType"]][resource["url"]] = text.encode("utf-8")
    return {type_: _packed(found) for type_, found in texts.items()}


def _packed(texts: dict[str, bytes]) -> dict[str, Any]:
    small = sorted(texts.values(), key=len)
    step = max(1, len(small) // 80)
    dictionary = b"".join(text[:400] for text in small[::step])[-32_768:]
    return {
        "dictionary": dictionary,
        "resources": {url: _compressed(text, dictionary) for url, text in texts.items()},
    }


def _compressed(text: bytes, dictionary: bytes) -> bytes:
    packer = zlib.compressobj(9, zdict=dictionary)
    return packer.compress(text) + packer.flush()


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
