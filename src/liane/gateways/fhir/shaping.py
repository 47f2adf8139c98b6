"""Which part of each resource does the reader want? (`_summary`, `_elements`; R4 search)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from liane.fhir import definitions
from liane.fhir.json import dumps, loads
from liane.gateways.fhir.exchange import Items
from liane.store.search.refusals import unknown, wrong_value

_SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules"})
_SUMMARIES = ("true", "text", "data", "count", "false")


@dataclass(frozen=True, slots=True)
class Shape:
    """What is asked: some elements, or a summary of a kind."""

    elements: frozenset[str] | None = None
    summary: str | None = None

    @property
    def whole(self) -> bool:
        """Whether resources are shown as they are stored."""
        return self.elements is None and self.summary in (None, "false", "count")

    def of(self, type_: str, body: str) -> str:
        """The wanted part of a resource, marked as a part."""
        if self.whole:
            return body
        kept = self._kept(type_, loads(body))
        meta = dict(kept.get("meta", {}))
        meta["tag"] = [*meta.get("tag", []), _SUBSETTED]
        kept["meta"] = meta
        return dumps(kept)

    def _kept(self, type_: str, resource: dict[str, Any]) -> dict[str, Any]:
        if self.elements is not None:
            wanted = {name.removeprefix(f"{type_}.") for name in self.elements}
            return _named(resource, wanted | _mandatory(type_))
        if self.summary == "data":
            return {name: value for name, value in resource.items() if name != "text"}
        if self.summary == "text":
            return _named(resource, {"text"} | _mandatory(type_))
        return _summarised(type_, resource)


def shape_of(items: Items, types: Iterable[str], *, lenient: bool) -> Shape:
    """The shape that the query asks for; raises `Invalid` naming what is not understood."""
    asked = dict(items)
    summary = asked.get("_summary") or None
    if summary is not None and summary not in _SUMMARIES:
        listed = ", ".join(_SUMMARIES)
        raise wrong_value("_summary", summary, listed, listed)
    names = [name for name in (asked.get("_elements") or "").split(",") if name]
    if not lenient:
        _refuse_unknown(names, types)
    return Shape(frozenset(names) if names else None, summary)


def _refuse_unknown(names: Iterable[str], types: Iterable[str]) -> None:
    known = list(types)
    accepted = {
        plain
        for type_ in known
        for name in definitions.elements(type_)
        for plain in _written(type_, name)
    }
    for name in names:
        type_, _, element = name.rpartition(".")
        if name in accepted or (not type_ and name in _ALWAYS):
            continue
        if type_ in definitions.resources() and element in {
            plain for one in definitions.elements(type_) for plain in _written(type_, one)
        }:
            continue
        raise unknown("_elements " + ",".join(known)[:60], name, accepted).refusal


def _written(table: str, name: str) -> list[str]:
    """How an element may be written: a choice with its datatype, or without."""
    if not name.endswith("[x]"):
        return [name]
    plain = name.removesuffix("[x]")
    types = definitions.elements(table)[name].types
    return [plain, *(plain + type_[0].upper() + type_[1:] for type_, _ in types)]


def _mandatory(type_: str) -> set[str]:
    return {
        plain
        for name, element in definitions.elements(type_).items()
        if element.minimum > 0
        for plain in _written(type_, name)
    }


def _named(resource: Mapping[str, Any], wanted: set[str]) -> dict[str, Any]:
    kept = _ALWAYS | wanted | _choices(resource["resourceType"], wanted)
    return {name: value for name, value in resource.items() if name.lstrip("_") in kept}


def _choices(type_: str, wanted: set[str]) -> set[str]:
    """`value` means whichever `value[x]` there is."""
    elements = definitions.elements(type_)
    return {
        one for name in wanted if f"{name}[x]" in elements for one in _written(type_, f"{name}[x]")
    }


def _summarised(table: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """What the standard counts among the summary, at every level of the resource's own parts."""
    summary = {plain for name in definitions.summary(table) for plain in _written(table, name)}
    kept: dict[str, Any] = {}
    for name, inner in value.items():
        plain = name.lstrip("_")
        if plain in summary or plain in _ALWAYS:
            kept[name] = _part(f"{table}.{plain}", inner)
    return kept


def _part(table: str, value: Any) -> Any:
    if not definitions.summary(table):
        return value
    if isinstance(value, list):
        return [_summarised(table, one) if isinstance(one, dict) else one for one in value]
    return _summarised(table, value) if isinstance(value, dict) else value
