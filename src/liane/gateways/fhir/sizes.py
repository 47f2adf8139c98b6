"""How many elements may one sending hold, so that reading and checking it stays short?

Bytes alone do not tell: a megabyte may be one picture or half a million empty elements.
"""

from __future__ import annotations

from typing import Any

from liane.base.errors import Invalid
from liane.gateways.fhir.formats import Format

MOST_READ = 2_000_000
"""Elements with parts (objects and lists) of one body; a Bundle of 20,000 usual resources fits."""
MOST_OF_ONE = 50_000
"""Of one resource that describes a person or the house."""
MOST_OF_A_TABLE = 1_000_000
"""Of one resource that is a table: terminologies, groups, lists."""
_TABLES = frozenset(
    {"CodeSystem", "ValueSet", "ConceptMap", "StructureDefinition", "Group", "List"}
    | {"Measure", "MeasureReport", "Questionnaire", "ImplementationGuide", "StructureMap"}
    | {"GraphDefinition", "CapabilityStatement", "Parameters"}
)


def require_readable(data: bytes, format_: Format) -> None:
    """Refuse (413) what holds too much before it is even read: a look at the bytes is enough."""
    if format_ == "json":
        count = data.count(b"{") + data.count(b"[")
    else:
        count = data.count(b"<") - data.count(b"</")
    if count > MOST_READ:
        raise _too_many("Cet envoi", "This body", count, MOST_READ)


def require_workable(resource: dict[str, Any]) -> None:
    """Refuse (413) a resource with more elements than can be checked in a short time."""
    if resource.get("resourceType") != "Bundle":
        _require_one(resource)
        return
    entries = resource.get("entry")
    if not isinstance(entries, list):
        return
    for entry in entries:
        inside = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(inside, dict):
            _require_one(inside)


def _require_one(resource: dict[str, Any]) -> None:
    type_ = str(resource.get("resourceType", ""))[:64]
    most = MOST_OF_A_TABLE if type_ in _TABLES or type_ == "Bundle" else MOST_OF_ONE
    count = _elements(resource, most)
    if count > most:
        raise _too_many(f"La ressource {type_}", f"The resource {type_}", count, most)


def _elements(root: dict[str, Any], most: int) -> int:
    """Objects and lists inside, counted level by level until there are too many."""
    count = 0
    level: list[Any] = [root]
    while level and count <= most:
        below: list[Any] = []
        for node in level:
            values = node.values() if type(node) is dict else node
            below += [value for value in values if type(value) is dict or type(value) is list]
        count += len(below)
        level = below
    return count


def _too_many(what_fr: str, what_en: str, count: int, most: int) -> Invalid:
    return Invalid(
        "fhir.too-many-elements",
        f"{what_fr} porte plus de {most} éléments.",
        f"{what_en} holds more than {most} elements.",
        "Envoyer en plusieurs fois.",
        "Send it in several parts.",
        count=count,
    )
