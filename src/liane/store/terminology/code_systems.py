"""What does a CodeSystem resource say: its header, its concepts, who stands below whom?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from liane.store.terminology.concepts import Concept, Designation, Header, Property

_GONE = frozenset({"retired", "inactive", "withdrawn"})
UP = frozenset({"parent", "subsumedBy", "partOf"})
_IS_A = frozenset({"", "is-a", "grouped-by", "classified-with", "part-of"})


@dataclass(slots=True)
class Content:
    """The concepts of one system, in their order, and the parents of each by number."""

    header: Header
    concepts: list[Concept] = field(default_factory=list)
    parents: dict[int, list[int]] = field(default_factory=dict)

    def number(self) -> dict[str, int]:
        """The number of each concept by its key."""
        return {self.header.key(concept.code): concept.id for concept in self.concepts}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; anything else is passed over (a site may not check structure)."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def header_of(resource: dict[str, Any]) -> Header:
    """Name, version and nature of a code system."""
    return Header(
        url=str(resource.get("url", "")),
        version=str(resource.get("version", "")),
        title=str(resource.get("title") or resource.get("name") or ""),
        content=str(resource.get("content", "complete")),
        case_sensitive=resource.get("caseSensitive", True) is not False,
        hierarchy=str(resource.get("hierarchyMeaning", "")),
        value_set=str(resource.get("valueSet", "")),
        status=str(resource.get("status", "")),
        supplements=str(resource.get("supplements", "")),
        source=str(resource.get("publisher", "")),
        properties=tuple(objects(resource.get("property"))),
    )


def content_of(resource: dict[str, Any]) -> Content:
    """Everything the resource says. A code given twice counts once, as it came first."""
    content = Content(header_of(resource))
    numbers: dict[str, int] = {}
    later: list[tuple[int, str, str]] = []
    for entry, parent in _walk(objects(resource.get("concept")), None, numbers, content):
        concept = content.concepts[numbers[content.header.key(str(entry["code"]))]]
        if parent is not None and parent != concept.id:
            content.parents.setdefault(concept.id, []).append(parent)
        later += [
            (concept.id, one.name, one.value)
            for one in concept.properties
            if one.name in ("parent", "child", "subsumedBy")
        ]
    for id_, name, code in later:
        other = numbers.get(content.header.key(code))
        if other is None or other == id_:
            continue
        child, above = (other, id_) if name == "child" else (id_, other)
        known = content.parents.setdefault(child, [])
        if above not in known:
            known.append(above)
    return content


def _walk(
    entries: list[dict[str, Any]], parent: int | None, numbers: dict[str, int], content: Content
) -> Iterator[tuple[dict[str, Any], int | None]]:
    for entry in entries:
        code = entry.get("code")
        if not isinstance(code, str) or not code:
            continue
        key = content.header.key(code)
        if key not in numbers:
            numbers[key] = len(content.concepts)
            content.concepts.append(_concept(entry, numbers[key]))
        yield entry, parent
        yield from _walk(objects(entry.get("concept")), numbers[key], numbers, content)


def _concept(entry: dict[str, Any], id_: int) -> Concept:
    properties = tuple(_properties(entry))
    told = {one.name: one.value for one in properties}
    return Concept(
        code=str(entry["code"]),
        display=str(entry.get("display", "")),
        definition=str(entry.get("definition", "")),
        abstract=told.get("notSelectable") == "true" or told.get("abstract") == "true",
        inactive=told.get("inactive") == "true" or told.get("status", "").lower() in _GONE,
        id=id_,
        designations=tuple(designations_of(entry)),
        properties=properties,
    )


def designations_of(entry: dict[str, Any]) -> Iterator[Designation]:
    """The other words of a concept of a CodeSystem or a ValueSet."""
    for one in objects(entry.get("designation")):
        if one.get("value"):
            usage = one.get("use")
            kept = usage if isinstance(usage, dict) else None
            yield Designation(str(one["value"]), str(one.get("language", "")), kept)


def _properties(entry: dict[str, Any]) -> Iterator[Property]:
    for one in objects(entry.get("property")):
        for name, value in one.items():
            if name.startswith("value"):
                yield Property(str(one.get("code", "")), plain(value), {name: value})


def plain(value: Any) -> str:
    """A property value as a filter compares it; of a Coding its code."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return str(value.get("code", ""))
    return str(value)
