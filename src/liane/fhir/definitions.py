"""What does R4 say about a resource type: its elements, its search parameters, its codes?

The tables are compiled from the published definitions by `tools/compile_definitions.py`; each is
read from its file the first time somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import msgspec

from liane.base.errors import Fault

DATA = Path(__file__).parent / "data"


class Component(NamedTuple):
    """One part of a composite search parameter."""

    name: str
    kind: str
    expression: str


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """One search parameter of one type; `kind` is its R4 type (`token`, `date`, ...)."""

    name: str
    kind: str
    targets: tuple[str, ...]
    expression: str
    components: tuple[Component, ...] = ()
    url: str = ""
    places: tuple[tuple[str, str, str | None], ...] = ()
    """Where the values stand: SQL/JSON path, datatype, and the type a reference must point to."""


class Element(NamedTuple):
    """One element; `maximum` None means any number of times."""

    minimum: int
    maximum: int | None
    types: tuple[tuple[str, tuple[str, ...]], ...]
    """Each allowed type, with the resource types a Reference may point to (none = any)."""
    value_set: str | None
    """The value set its codes must come from."""
    content: str | None
    """The table that describes its content, when it repeats another element's."""


def _table(name: str) -> Any:
    path = DATA / f"{name}.msgpack"
    if not path.exists():
        raise Fault(
            "definitions-missing",
            "Les définitions FHIR n’ont pas été compilées.",
            "The FHIR definitions have not been compiled.",
            "Lancer : make setup",
            "Run: make setup",
        )
    return msgspec.msgpack.decode(path.read_bytes())


@cache
def resources() -> Mapping[str, Any]:
    """Per type: the parameters that tie it to a patient and its main dates."""
    return cast("Mapping[str, Any]", _table("resources")["types"])


def build() -> Mapping[str, Any]:
    """Version and corrections of the definitions this build was made from."""
    table = _table("resources")
    return {"version": table["version"], "corrections": tuple(table["corrections"])}


@cache
def types() -> tuple[str, ...]:
    """All R4 resource types, in alphabetical order."""
    return tuple(resources())


@cache
def _search_table() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    return cast("Mapping[str, Mapping[str, Mapping[str, Any]]]", _table("search_parameters"))


@cache
def search_parameters(type_: str) -> Mapping[str, SearchParameter]:
    """The search parameters of a type by name; empty for a type that R4 does not know."""
    table = _search_table()
    entries = {**table[""], **table[type_]} if type_ and type_ in table else {}
    return MappingProxyType(
        {
            name: SearchParameter(
                name,
                entry["kind"],
                tuple(entry["targets"]),
                entry["expression"],
                tuple(Component(*component) for component in entry["components"]),
                entry["url"],
                tuple((path, kind, target) for path, kind, target in entry["places"]),
            )
            for name, entry in entries.items()
        }
    )


@cache
def compartments() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Per compartment (`Patient`, `Encounter`, ...) and type: the parameters that tie them."""
    table = _table("compartments")
    return {
        name: {type_: tuple(ties) for type_, ties in types_.items()}
        for name, types_ in table.items()
    }


@cache
def summary(table: str) -> frozenset[str]:
    """The elements of a type, or of a part of it, that `_summary=true` keeps; `[x]` kept."""
    return frozenset(_summary_table().get(table, ()))


@cache
def _summary_table() -> Mapping[str, list[str]]:
    return cast("Mapping[str, list[str]]", _table("summaries"))


@cache
def _element_table() -> Mapping[str, Mapping[str, list[Any]]]:
    return cast("Mapping[str, Mapping[str, list[Any]]]", _table("elements"))


@cache
def elements(table: str) -> Mapping[str, Element]:
    """The elements of a type, datatype or backbone (`Observation.component`) by name.

    A choice element keeps its `[x]`. Empty for primitive types and unknown names.
    """
    return MappingProxyType(
        {
            name: Element(
                minimum,
                None if maximum == -1 else maximum,
                tuple((type_, tuple(targets)) for type_, targets in types_),
                value_set,
                content,
            )
            for name, (minimum, maximum, types_, value_set, content) in _element_table()
            .get(table, {})
            .items()
        }
    )


@cache
def _value_set_table() -> Mapping[str, Mapping[str, list[str]]]:
    return cast("Mapping[str, Mapping[str, list[str]]]", _table("value_sets"))


@cache
def value_set(url: str) -> Mapping[str, frozenset[str]] | None:
    """Codes by system of a value set written out in full, or None when it cannot be."""
    systems = _value_set_table().get(url)
    if systems is None:
        return None
    return {system: frozenset(codes) for system, codes in systems.items()}


def __getattr__(name: str) -> tuple[str, ...]:
    if name == "TYPES":
        return types()
    raise AttributeError(name)
