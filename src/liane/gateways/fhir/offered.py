"""Which parameters and links does the search take for each type, for those who ask beforehand?"""

from __future__ import annotations

from functools import cache

from liane.fhir import definitions
from liane.fhir.definitions import SearchParameter
from liane.store.search import known


def parameters(type_: str, tenant: int | None = None) -> list[SearchParameter]:
    """The search parameters of a type that can be a criterion, the establishment's own included."""
    every = known.parameters(type_, tenant).values()
    return [one for one in every if known.parameter(type_, one.name, tenant) is not None]


def own(tenant: int) -> frozenset[tuple[str, str]]:
    """The establishment's own parameters: type and name."""
    return frozenset(
        (type_, name)
        for type_ in definitions.types()
        for name in known.parameters(type_, tenant).keys() - known.parameters(type_).keys()
    )


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
