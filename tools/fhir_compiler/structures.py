"""Which structure definitions does the validator carry: the types of R4, its profiles, extensions?

Each is reduced to what a validator needs (`liane.fhir.profiles.structures`) and kept under its
canonical URL, so that a process decodes only those it meets.
"""

from __future__ import annotations

import json
import zlib
from decimal import Decimal
from typing import Any

from fhir_compiler.package import Package
from liane.fhir.profiles.structures import packed, reduced

FILES = (
    "profiles-types.json",
    "profiles-resources.json",
    "profiles-others.json",
    "extension-definitions.json",
)
_NOT_R4 = {"MetadataResource", "SubscriptionStatus"}


def compile_structures(package: Package) -> dict[str, bytes]:
    """`{canonical URL: one reduced structure, packed and compressed}`, without primitive types."""
    found: dict[str, bytes] = {}
    for file in FILES:
        text = (package.folder / file).read_text("utf-8")
        for entry in json.loads(text, parse_float=Decimal)["entry"]:
            definition: dict[str, Any] = entry["resource"]
            if definition["resourceType"] != "StructureDefinition":
                continue
            if definition["kind"] == "primitive-type" or definition["name"] in _NOT_R4:
                continue
            found[definition["url"]] = packed((reduced(definition),))
    return squeezed(found)


def squeezed(structures: dict[str, bytes]) -> dict[str, bytes]:
    """Each structure compressed by itself, with words they share (under the empty name)."""
    some = sorted(structures.values(), key=len)[::20]
    shared = b"".join(content[:2000] for content in some)[-32_768:]
    found = {"": shared}
    for url, content in structures.items():
        engine = zlib.compressobj(9, zdict=shared)
        found[url] = engine.compress(content) + engine.flush()
    return found


def compile_code_systems(
    systems: dict[str, dict[str, Any]],
) -> dict[str, list[Any]]:
    """`{url: [is complete, codes, place of the parent of each (-1: none)]}`."""
    found: dict[str, list[Any]] = {}
    for url, system in systems.items():
        codes: list[str] = []
        parents: list[int] = []
        _gather(system.get("concept", []), -1, codes, parents)
        positions = {code: place for place, code in enumerate(codes)}
        for place, concept in enumerate(_flat(system.get("concept", []))):
            for one in concept.get("property", []):
                if one.get("code") == "subsumedBy" and parents[place] < 0:
                    parents[place] = positions.get(one.get("valueCode"), -1)
        if codes:
            found[url] = [system.get("content") == "complete", codes, parents]
    return found


def _gather(
    concepts: list[dict[str, Any]], parent: int, codes: list[str], parents: list[int]
) -> None:
    for concept in concepts:
        codes.append(concept["code"])
        parents.append(parent)
        _gather(concept.get("concept", []), len(codes) - 1, codes, parents)


def _flat(concepts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for concept in concepts:
        found.append(concept)
        found += _flat(concept.get("concept", []))
    return found
