"""How is a resource written as XML? (https://hl7.org/fhir/R4/xml.html)"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from liane.base.errors import Invalid
from liane.fhir import definitions
from liane.fhir.xml import xhtml
from liane.fhir.xml.plan import NAMESPACE, Field, fields

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile('[&<>"\n\r\t]')
_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "\n": "&#10;",
        "\r": "&#13;",
        "\t": "&#9;",
    }
)
_LIMIT_DEPTH = 70
_Put = Callable[[str], None]


def dumps(resource: Mapping[str, Any]) -> bytes:
    """The XML text of a resource, in UTF-8, elements in the order of the standard.

    Raises `Invalid` when it holds what XML cannot say: an element that R4 does not know, or a
    control character.
    """
    parts: list[str] = ['<?xml version="1.0" encoding="UTF-8"?>']
    _resource(resource, f' xmlns="{NAMESPACE}"', parts.append, 0)
    return "".join(parts).encode("utf-8")


def _resource(resource: Mapping[str, Any], declared: str, put: _Put, depth: int) -> None:
    type_ = resource.get("resourceType")
    if type_ not in definitions.types():
        raise _inexpressible(str(type_)[:64])
    put(f"<{type_}{declared}>")
    _members(resource, str(type_), put, str(type_), depth)
    put(f"</{type_}>")


def _members(value: Mapping[str, Any], table: str, put: _Put, path: str, depth: int) -> None:
    """The child elements of one object."""
    if depth > _LIMIT_DEPTH:
        raise _inexpressible(path)
    plan = fields(table)
    for key in _sorted(value, plan, path):
        field = plan[key]
        if field.attribute:
            continue
        item, more = value.get(key), value.get(f"_{key}")
        if field.kind in ("object", "resource", "xhtml"):
            for one in item if type(item) is list else (item,):
                _complex(one, field, put, f"{path}.{key}", depth)
        else:
            _primitives(item, more, field, put, (f"{path}.{key}", depth))


def _sorted(value: Mapping[str, Any], plan: Mapping[str, Field], path: str) -> list[str]:
    keys = {}
    for name in value:
        key = name.removeprefix("_")
        if key == "resourceType" and key not in plan:
            continue
        field = plan.get(key)
        if field is None:
            raise _inexpressible(f"{path}.{name[:64]}")
        keys[key] = field.place
    return sorted(keys, key=keys.__getitem__)


def _complex(value: Any, field: Field, put: _Put, path: str, depth: int) -> None:
    if field.kind == "xhtml":
        put(xhtml.embedded(str(value)))
        return
    if not isinstance(value, Mapping):
        raise _inexpressible(path)
    if field.kind == "resource":
        put(f"<{field.key}>")
        _resource(value, "", put, depth + 1)
    else:
        put(f"<{field.key}{_attributes(value, field.table, path)}>")
        _members(value, field.table, put, path, depth + 1)
    put(f"</{field.key}>")


def _attributes(value: Mapping[str, Any], table: str, path: str) -> str:
    found = ""
    for key in ("id", "url"):
        if key in value:
            field = fields(table).get(key)
            if field is not None and field.attribute:
                found += f' {key}="{_escaped(str(value[key]), f"{path}.{key}")}"'
    return found


def _primitives(item: Any, more: Any, field: Field, put: _Put, place: tuple[str, int]) -> None:
    """Values with their ids and extensions (`_name` in JSON), matched by position."""
    path, depth = place
    values = item if type(item) is list else [item]
    extras = more if type(more) is list else [more]
    for index in range(max(len(values), len(extras))):
        value = values[index] if index < len(values) else None
        extra = extras[index] if index < len(extras) else None
        if value is None and extra is None:
            continue
        put(f"<{field.key}")
        if extra:
            put(_attributes(extra, "Element", path))
        if value is not None:
            put(f' value="{_shown(value, path)}"')
        if extra and "extension" in extra:
            put(">")
            for one in extra["extension"]:
                _complex(one, _EXTENSION, put, path, depth + 1)
            put(f"</{field.key}>")
        else:
            put("/>")


_EXTENSION = Field("extension", 0, "object", "Extension", many=True, attribute=False)


def _shown(value: Any, path: str) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, Mapping | list):
        raise _inexpressible(path)
    return _escaped(str(value), path)


def _escaped(text: str, path: str) -> str:
    if _FORBIDDEN.search(text):
        raise _inexpressible(path)
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


def _inexpressible(path: str) -> Invalid:
    return Invalid(
        "xml-inexpressible",
        f"« {path} » ne peut pas s’écrire en XML FHIR R4.",
        f"'{path}' cannot be written as FHIR R4 XML.",
        "Demander la forme JSON (Accept: application/fhir+json).",
        "Ask for the JSON form (Accept: application/fhir+json).",
    )
