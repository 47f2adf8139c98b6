"""Which parameters and links does the search take for each type, for those who ask beforehand?"""

from __future__ import annotations

from functools import cache

from liane.fhir import definitions
from liane.fhir.definitions import SearchParameter

_NOT_ANSWERED = frozenset({"_text", "_content", "_query"})


def parameters(type_: str) -> list[SearchParameter]:
    """The search parameters of a type that can be a criterion."""
    return [
        one
        for one in definitions.search_parameters(type_).values()
        if one.kind != "special" and one.name not in _NOT_ANSWERED
    ]


def includes(type_: str) -> list[str]:
    """What `_include` takes: `Observation:subject`."""
    return ["*", *(f"{type_}:{one.name}" for one in parameters(type_) if one.kind == "reference")]


def revincludes(type_: str) -> list[str]:
    """What `_revinclude` takes on the type."""
    return _pointers().get(type_, [])


@cache
def _pointers() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for source in definitions.types():
        for one in parameters(source):
            if one.kind == "reference":
                for target in one.targets:
                    found.setdefault(target, []).append(f"{source}:{one.name}")
    return found
