"""What does a StructureDefinition say that a validator needs, and nothing else?

A published definition is mostly words for readers. `reduced` keeps of each element its place, its
cardinality, its types, its fixed or pattern value, its binding, its rules and its slicing, as
plain lists and dicts that fit a msgpack table; `read` makes the typed form of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from liane.base.errors import Invalid

Json = dict[str, Any]

UNBOUNDED = -1
COMMON_RULES = frozenset({"ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "dom-6"})
"""Rules that every type repeats: they are checked once, with the type itself."""

_SYSTEM_TYPES = "http://hl7.org/fhirpath/"
_FHIR_TYPE = "structuredefinition-fhir-type"


class Type(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """One type an element may have; `profiles` and `targets` are canonical URLs."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


class Rule(msgspec.Struct, array_like=True, frozen=True):
    """One invariant in FHIRPath."""

    key: str
    severity: str
    human: str
    expression: str


class Slicing(msgspec.Struct, array_like=True, frozen=True):
    """How the repetitions of an element are told apart."""

    discriminators: tuple[tuple[str, str], ...]
    """Pairs of type (`value`, `pattern`, `type`, `exists`, `profile`) and path."""
    ordered: bool
    rules: str
    """`open`, `closed` or `openAtEnd`."""


class Element(msgspec.Struct, frozen=True, omit_defaults=True):
    """One element of a structure; what is None is not said by it."""

    id: str
    min: int | None = None
    max: int | None = None
    """`UNBOUNDED` for `*`."""
    types: tuple[Type, ...] | None = None
    fixed: Any = None
    pattern: Any = None
    binding: tuple[str, str] | None = None
    """Strength and canonical URL of the value set."""
    rules: tuple[Rule, ...] = ()
    slicing: Slicing | None = None
    content: str | None = None
    longest: int | None = None
    lowest: Any = None
    highest: Any = None


class Structure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One StructureDefinition, reduced."""

    url: str
    type: str
    version: str = ""
    base: str = ""
    kind: str = ""
    derivation: str = ""
    complete: bool = False
    """Whether `elements` come from a snapshot, so that the base need not be known."""
    contexts: tuple[tuple[str, str], ...] = ()
    """Where an extension may stand: pairs of type and expression."""
    context_rules: tuple[str, ...] = ()
    modifier: bool = False
    elements: tuple[Element, ...] = ()


def reduced(definition: Mapping[str, Any]) -> Structure:
    """Reduce one StructureDefinition. Raises `Invalid` when it is none."""
    try:
        return _reduced(definition)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
        name = str(definition.get("url", definition.get("id", "?")))[:200]
        raise Invalid(
            "profile.unreadable",
            f"La définition de structure {name} ne se lit pas ({problem!r}).",
            f"The structure definition {name} cannot be read ({problem!r}).",
        ) from None


def _reduced(definition: Mapping[str, Any]) -> Structure:
    snapshot = definition.get("snapshot", {}).get("element")
    elements = snapshot or definition["differential"]["element"]
    return Structure(
        url=str(definition["url"]),
        type=str(definition["type"]),
        version=str(definition.get("version", "")),
        base=without_version(definition.get("baseDefinition", "")),
        kind=str(definition.get("kind", "")),
        derivation=str(definition.get("derivation", "")),
        complete=bool(snapshot),
        contexts=tuple(
            (str(one["type"]), str(one["expression"])) for one in definition.get("context", [])
        ),
        context_rules=tuple(map(str, definition.get("contextInvariant", []))),
        modifier=bool(elements[0].get("isModifier")),
        elements=tuple(_element(element) for element in elements),
    )


def without_version(canonical: str) -> str:
    """The URL of a canonical reference, `|version` left out."""
    return canonical.partition("|")[0]


def _element(element: Mapping[str, Any]) -> Element:
    slicing = element.get("slicing")
    binding = element.get("binding", {})
    content = element.get("contentReference")
    return Element(
        id=_id_of(element),
        min=element.get("min"),
        max=_maximum(element.get("max")),
        types=tuple(_type(t) for t in element["type"]) if "type" in element else None,
        fixed=_polymorphic(element, "fixed"),
        pattern=_polymorphic(element, "pattern"),
        binding=(binding["strength"], without_version(binding["valueSet"]))
        if "valueSet" in binding
        else None,
        rules=tuple(
            Rule(rule["key"], rule["severity"], rule.get("human", ""), rule["expression"])
            for rule in element.get("constraint", [])
            if "expression" in rule and rule["key"] not in COMMON_RULES
        ),
        slicing=_slicing(slicing) if slicing is not None else None,
        content=content.partition("#")[2] if content else None,
        longest=element.get("maxLength"),
        lowest=_polymorphic(element, "minValue"),
        highest=_polymorphic(element, "maxValue"),
    )


def _id_of(element: Mapping[str, Any]) -> str:
    """The id says the slice too; a differential written by hand may lack it."""
    id_ = element.get("id")
    if isinstance(id_, str) and (":" in id_ or "sliceName" not in element):
        return id_
    name = element.get("sliceName")
    return f"{element['path']}:{name}" if name else str(element["path"])


def _maximum(text: str | None) -> int | None:
    if text is None:
        return None
    return UNBOUNDED if text == "*" else int(text)


def _type(entry: Mapping[str, Any]) -> Type:
    code = str(entry["code"])
    if code.startswith(_SYSTEM_TYPES):
        named = [
            one.get("valueUrl", one.get("valueUri", "string"))
            for one in entry.get("extension", [])
            if str(one.get("url", "")).endswith(_FHIR_TYPE)
        ]
        code = str(named[0]) if named else "string"
    return Type(
        code,
        tuple(without_version(url) for url in entry.get("profile", [])),
        tuple(without_version(url) for url in entry.get("targetProfile", [])),
    )


def _slicing(slicing: Mapping[str, Any]) -> Slicing:
    return Slicing(
        tuple((str(one["type"]), str(one["path"])) for one in slicing.get("discriminator", [])),
        bool(slicing.get("ordered", False)),
        str(slicing.get("rules", "open")),
    )


def _polymorphic(element: Mapping[str, Any], prefix: str) -> Any:
    for name, value in element.items():
        if name.startswith(prefix) and name[len(prefix) : len(prefix) + 1].isupper():
            return value
    return None


_decoder = msgspec.msgpack.Decoder(tuple[Structure, ...])


def packed(structures: tuple[Structure, ...]) -> bytes:
    """Reduced structures as bytes (decimals as texts)."""
    return msgspec.msgpack.encode(structures)


def unpacked(data: bytes) -> tuple[Structure, ...]:
    """The structures in `packed` bytes."""
    return _decoder.decode(data)
