"""Which members does a FHIR type have in JSON, and which types stand above it?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from liane.fhir import definitions

PRIMITIVES: Mapping[str, str] = MappingProxyType(
    {
        "boolean": "Element", "integer": "Element", "decimal": "Element", "string": "Element",
        "uri": "Element", "date": "Element", "dateTime": "Element", "instant": "Element",
        "time": "Element", "base64Binary": "Element", "xhtml": "Element",
        "code": "string", "id": "string", "markdown": "string",
        "positiveInt": "integer", "unsignedInt": "integer",
        "url": "uri", "canonical": "uri", "oid": "uri", "uuid": "uri",
    }
)  # fmt: skip
_QUANTITIES = frozenset({"Age", "Count", "Distance", "Duration", "MoneyQuantity", "SimpleQuantity"})
_BACKBONE_TYPES = frozenset(
    {"Dosage", "ElementDefinition", "MarketingStatus", "Population", "ProdCharacteristic",
     "ProductShelfLife", "SubstanceAmount", "Timing"}
)  # fmt: skip
_PLAIN_RESOURCES = frozenset({"Bundle", "Binary", "Parameters"})
SYSTEM = frozenset(
    {"Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity"}
)


class Member(NamedTuple):
    """One member as JSON writes it."""

    key: str
    shadow: str
    """The key of the `id` and `extension` of a primitive: `_birthDate`."""
    type: str
    many: bool


class Shape(NamedTuple):
    """The members of a type: by FHIRPath name, and by JSON key."""

    named: Mapping[str, Member | Mapping[str, Member]]
    """A choice element has one member for each of its types, by JSON key."""
    keyed: Mapping[str, tuple[str, Member]]
    """By JSON key, with the FHIRPath name."""


_NONE = Shape(MappingProxyType({}), MappingProxyType({}))


@lru_cache(maxsize=4096)
def shape(type_: str | None) -> Shape:
    """The members of `type_` (a type, or a backbone path such as `Patient.contact`)."""
    if type_ is None:
        return _NONE
    elements = _elements(type_)
    if not elements:
        if type_ not in PRIMITIVES:
            return _NONE
        type_, elements = "Element", definitions.elements("Element")
    named: dict[str, Member | Mapping[str, Member]] = {}
    keyed: dict[str, tuple[str, Member]] = {}
    for name, element in elements.items():
        members = _members(type_, name, element)
        plain = name.removesuffix("[x]")
        for member in members:
            keyed[member.key] = (plain, member)
        if plain == name:
            named[name] = members[0]
        else:
            named[plain] = MappingProxyType({member.key: member for member in members})
    return Shape(MappingProxyType(named), MappingProxyType(keyed))


_OF_RESOURCE = ("id", "meta", "implicitRules", "language")
_OF_DOMAIN = (*_OF_RESOURCE, "text", "contained", "extension", "modifierExtension")


def _elements(type_: str) -> Mapping[str, definitions.Element]:
    """The elements of a type; those of the two abstract ones are what all resources share."""
    shared = {"Resource": _OF_RESOURCE, "DomainResource": _OF_DOMAIN}.get(type_)
    if shared is None:
        return definitions.elements(type_)
    basic = definitions.elements("Basic")
    return {name: basic[name] for name in shared}


def _members(table: str, name: str, element: definitions.Element) -> list[Member]:
    many = element.maximum != 1
    if name.endswith("[x]"):
        stem = name[:-3]
        keys = [(stem + type_[0].upper() + type_[1:], type_) for type_, _ in element.types]
        return [Member(key, f"_{key}", type_, many) for key, type_ in keys]
    type_ = element.content or element.types[0][0]
    if type_ in ("BackboneElement", "Element"):
        type_ = f"{table}.{name}"
    return [Member(name, f"_{name}", type_, many)]


def simple(type_: str | None, name: str) -> Member | None:
    """The member of that name, when it is one and no choice."""
    member = shape(type_).named.get(name)
    return member if isinstance(member, Member) and member.type != "Resource" else None


@lru_cache(maxsize=4096)
def above(type_: str) -> str | None:
    """The type that `type_` specialises, or None."""
    if type_ in PRIMITIVES:
        return PRIMITIVES[type_]
    if type_ in _QUANTITIES:
        return "Quantity"
    if type_ in ("Element", "Resource"):
        return None
    if type_ == "DomainResource" or type_ in _PLAIN_RESOURCES:
        return "Resource"
    if type_ in definitions.resources():
        return "DomainResource"
    if "." in type_ or type_ in _BACKBONE_TYPES:
        return "BackboneElement"
    return "Element"


@lru_cache(maxsize=4096)
def known(type_: str) -> bool:
    """Whether R4 has a type of this name."""
    return (
        type_ in PRIMITIVES
        or type_ in ("Resource", "DomainResource")
        or ("." not in type_ and bool(definitions.elements(type_)))
    )


@lru_cache(maxsize=16384)
def within(type_: str, wanted: str) -> bool:
    """Whether a `type_` is a `wanted`, by itself or by the types above it."""
    current: str | None = type_
    while current is not None:
        if current == wanted:
            return True
        current = above(current)
    return False
