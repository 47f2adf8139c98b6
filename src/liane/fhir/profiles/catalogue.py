"""Which structures, value sets and code systems does this establishment know?

The built-in catalogue holds R4. A catalogue made from loaded packages stands on top of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from liane.fhir.definitions import DATA
from liane.fhir.profiles import terminology
from liane.fhir.profiles.structures import Structure, reduced, unpacked, without_version
from liane.fhir.profiles.terminology import Terminology

if TYPE_CHECKING:
    from liane.fhir.profiles.visit import Visit

CORE = "http://hl7.org/fhir/StructureDefinition/"
ProfileCheck = Callable[[Any, str, "Visit"], None]


class Catalogue:
    """Definitions by canonical URL; compiled profiles are kept with them."""

    def __init__(
        self,
        structures: Mapping[str, Structure] | None = None,
        terms: Terminology | None = None,
        below: Catalogue | None = None,
    ) -> None:
        self._structures = {} if structures is None else structures
        self._below = below
        self.terms = terms or terminology.built_in()
        self.compiled: dict[str, ProfileCheck | None] = {}
        self.trees: dict[str, Any] = {}

    def structure(self, url: str) -> Structure | None:
        """The definition of a type, profile or extension."""
        found = self._structures.get(without_version(url))
        if found is None and self._below is not None:
            return self._below.structure(url)
        return found

    def type_of(self, url: str) -> str | None:
        """The type that a profile constrains: `Patient` for a profile of Patient."""
        if url.startswith(CORE) and "/" not in url[len(CORE) :] and url[len(CORE) :][:1].isupper():
            return url[len(CORE) :]
        found = self.structure(url)
        return None if found is None else found.type

    def is_a(self, profile: str, other: str) -> bool:
        """Whether `profile` is `other` or derived from it."""
        seen = 0
        while profile and seen < 32:
            if profile == other:
                return True
            found = self.structure(profile)
            profile = "" if found is None else found.base
            seen += 1
        return False


class _BuiltIn(dict[str, Structure]):
    """The structures of R4, each unpacked when first asked for."""

    def __init__(self, table: Mapping[str, bytes]) -> None:
        super().__init__()
        self._table = table

    def get(self, url: str, default: Any = None) -> Any:
        if url not in self:
            packed = self._table.get(url)
            if packed is None or not url:
                return default
            engine = zlib.decompressobj(zdict=self._table[""])
            self[url] = unpacked(engine.decompress(packed))[0]
        return super().get(url, default)


@cache
def built_in() -> Catalogue:
    """R4: its types, its profiles and its extensions."""
    table = msgspec.msgpack.decode((DATA / "structures.msgpack").read_bytes())
    return Catalogue(_BuiltIn(table))


def from_resources(resources: Iterable[Mapping[str, Any]]) -> Catalogue:
    """R4 and the conformance resources given (StructureDefinition, ValueSet, CodeSystem).

    Raises `Invalid` for a definition that cannot be read; later ones win over earlier ones.
    """
    structures: dict[str, Structure] = {}
    value_sets: dict[str, Mapping[str, Any]] = {}
    systems: dict[str, terminology.System] = {}
    for resource in resources:
        url, kind = resource.get("url"), resource.get("resourceType")
        if not isinstance(url, str):
            continue
        if kind == "StructureDefinition" and resource.get("kind") in ("resource", "complex-type"):
            structures[url] = reduced(resource)
        elif kind == "ValueSet":
            value_sets[url] = resource
        elif kind == "CodeSystem" and resource.get("content") in ("complete", "fragment"):
            systems[url] = terminology.system_of(resource)
    below = built_in()
    return Catalogue(structures, Terminology(value_sets, systems, below.terms), below)
