"""In which order, how often and in which form do the elements of a type stand in XML?"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

from liane.fhir import definitions

NAMESPACE = "http://hl7.org/fhir"
LIMIT_BYTES = 64 * 1024 * 1024

Kind = Literal["text", "boolean", "integer", "decimal", "xhtml", "resource", "object"]

_NUMBERS = frozenset({"integer", "positiveInt", "unsignedInt"})


class Field(NamedTuple):
    """One element as JSON key and XML name alike."""

    key: str
    place: int
    """Its place among the elements of the table; the types of one choice share a place."""
    kind: Kind
    table: str
    """The table of what it holds, for an object; otherwise its type."""
    many: bool
    attribute: bool
    """Written as an XML attribute: ids of elements, and the URL of an extension."""


@cache
def fields(table: str) -> dict[str, Field]:
    """The elements of a table by key, in the order of the standard."""
    found: dict[str, Field] = {}
    whole = table in definitions.types()
    for place, (name, element) in enumerate(definitions.elements(table).items()):
        many = element.maximum != 1
        if element.content:
            found[name] = Field(name, place, "object", element.content, many, attribute=False)
            continue
        attribute = (name == "id" and not whole) or (table == "Extension" and name == "url")
        for type_, _ in element.types:
            key = name.replace("[x]", type_[0].upper() + type_[1:])
            backbone = f"{table}.{name}"
            below = backbone if definitions.elements(backbone) else type_
            found[key] = Field(key, place, _kind(type_), below, many, attribute)
    return found


def _kind(type_: str) -> Kind:
    if type_ == "Resource" or type_ in definitions.types():
        return "resource"
    if type_[0].isupper():
        return "object"
    if type_ in _NUMBERS:
        return "integer"
    if type_ == "boolean":
        return "boolean"
    if type_ == "decimal":
        return "decimal"
    return "xhtml" if type_ == "xhtml" else "text"
