"""Which codes belong to a value set that an element is required to use?

Only value sets that can be written out in full from complete code systems are kept; a binding to
anything else (languages, MIME types, currencies) is not checked from a list.
"""

from __future__ import annotations

from typing import Any

from fhir_compiler.package import Package

_FILES = ("valuesets.json", "v3-codesystems.json", "v2-tables.json")
_LIMIT = 1500


class Terminology:
    """Code systems and value sets of the package, by canonical URL."""

    def __init__(self, package: Package) -> None:
        self.systems: dict[str, dict[str, Any]] = {}
        self.sets: dict[str, dict[str, Any]] = {}
        for file in _FILES:
            for resource in package.read(file):
                kind = self.systems if resource["resourceType"] == "CodeSystem" else self.sets
                kind[resource["url"]] = resource

    def definitions(self) -> dict[str, dict[str, Any]]:
        """What each value set is made of (`compose`), for expansion when somebody asks."""
        return {
            url: {"compose": _without_words(value_set["compose"])}
            for url, value_set in self.sets.items()
            if "compose" in value_set
        }

    def expand(self, url: str) -> dict[str, list[str]] | None:
        """`{system: codes}` of a value set, or None when it cannot be written out in full."""
        value_set = self.sets.get(url)
        if value_set is None or "compose" not in value_set:
            return None
        codes: dict[str, list[str]] = {}
        for include in value_set["compose"].get("include", []):
            if not self._include(include, codes):
                return None
        if value_set["compose"].get("exclude"):
            return None
        return codes if 0 < sum(map(len, codes.values())) <= _LIMIT else None

    def _include(self, include: dict[str, Any], codes: dict[str, list[str]]) -> bool:
        if include.get("filter"):
            return False
        for other in include.get("valueSet", []):
            nested = self.expand(other.partition("|")[0])
            if nested is None:
                return False
            for system, members in nested.items():
                codes.setdefault(system, []).extend(members)
        if "system" not in include:
            return "valueSet" in include
        listed = [concept["code"] for concept in include.get("concept", [])]
        if not listed:
            system = self.systems.get(include["system"])
            if system is None or system.get("content") != "complete":
                return False
            listed = _codes(system.get("concept", []))
        codes.setdefault(include["system"], []).extend(listed)
        return True


def _codes(concepts: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for concept in concepts:
        found.append(concept["code"])
        found += _codes(concept.get("concept", []))
    return found


def _without_words(compose: dict[str, Any]) -> dict[str, Any]:
    """A compose without displays and designations."""
    kept: dict[str, Any] = {}
    for part in ("include", "exclude"):
        if part in compose:
            kept[part] = [
                {
                    **{key: one[key] for key in ("system", "valueSet", "filter") if key in one},
                    **(
                        {"concept": [{"code": c["code"]} for c in one["concept"]]}
                        if "concept" in one
                        else {}
                    ),
                }
                for one in compose[part]
            ]
    return kept
