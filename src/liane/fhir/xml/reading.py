"""How is a resource read from XML? (https://hl7.org/fhir/R4/xml.html)

Strict as the standard: the namespace, the names, the order and the number of elements must be
right, and what is wrong is named with its path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from lxml.etree import _Element as Element

from liane.base import safe_xml
from liane.base.errors import Invalid, Issue
from liane.fhir import definitions
from liane.fhir.json import LIMIT_DEPTH
from liane.fhir.xml import xhtml
from liane.fhir.xml.plan import LIMIT_BYTES, NAMESPACE, Field, fields

_PREFIX = f"{{{NAMESPACE}}}"
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}"
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,9})?")
_EMPTY: frozenset[str] = frozenset()
_ID = frozenset({"id"})
_PRIMITIVE = frozenset({"id", "value"})


def loads(data: bytes, *, limit_bytes: int = LIMIT_BYTES) -> dict[str, Any]:
    """The resource in `data`, as `liane.fhir.json.loads` would give it; decimals as `Decimal`.

    Raises `Invalid`, naming the place, for anything that is not well-formed FHIR R4 XML, and for
    what `base.safe_xml` refuses: a DOCTYPE, excessive size, depth or number of elements.
    """
    root = safe_xml.parse(data, limit_bytes=limit_bytes)
    return _resource(root, "", 1)


def _resource(element: Element, path: str, depth: int) -> dict[str, Any]:
    name = _name(element, path)
    if name not in definitions.types():
        raise _wrong(
            path or name,
            f"« {name[:64]} » n’est pas un type de ressource FHIR R4",
            f"'{name[:64]}' is not a FHIR R4 resource type",
        )
    _attributes(element, _EMPTY, path or name)
    resource: dict[str, Any] = {"resourceType": name}
    _fill(resource, element, name, path or name, depth)
    return resource


def _object(element: Element, field: Field, path: str, depth: int) -> dict[str, Any]:
    allowed = _ID | {"url"} if field.table == "Extension" else _ID
    found: dict[str, Any] = dict(_attributes(element, allowed, path))
    _fill(found, element, field.table, path, depth)
    if not found:
        raise _wrong(path, "un élément vide n’est pas permis", "an empty element is not allowed")
    return found


def _fill(target: dict[str, Any], element: Element, table: str, path: str, depth: int) -> None:
    """Add the child elements to `target`, each under its key, in the order they stand."""
    if depth > LIMIT_DEPTH:
        raise _wrong(
            path,
            f"ce contenu est imbriqué sur plus de {LIMIT_DEPTH} niveaux",
            f"this content nests deeper than {LIMIT_DEPTH} levels",
        )
    _no_text(element, path)
    for field, children in _groups(element, table, path):
        where = f"{path}.{field.key}"
        if len(children) > 1 and not field.many:
            raise _wrong(where, "une seule valeur est permise", "only one value is allowed")
        below = depth + (2 if field.many else 1)
        if field.kind in ("object", "resource", "xhtml"):
            values = [
                _complex(child, field, f"{where}[{n}]" if field.many else where, below)
                for n, child in enumerate(children)
            ]
            target[field.key] = values if field.many else values[0]
        else:
            _put_primitives(target, field, children, where, below)


def _groups(element: Element, table: str, path: str) -> Iterator[tuple[Field, list[Element]]]:
    """Runs of children of one name; refuses unknown names and a wrong order."""
    plan = fields(table)
    current: Field | None = None
    run: list[Element] = []
    for child in element:
        name = _name(child, path, xhtml=table == "Narrative")
        field = plan.get(name)
        if field is None or field.attribute:
            raise _unknown(path, name, plan)
        if child.tail and child.tail.strip():
            raise _stray_text(path)
        if field is current:
            run.append(child)
            continue
        if current is not None:
            if field.place < current.place:
                raise _out_of_order(path, field, current)
            yield current, run
        current, run = field, [child]
    if current is not None:
        yield current, run


def _complex(element: Element, field: Field, path: str, depth: int) -> Any:
    if field.kind == "xhtml":
        return xhtml.read(element)
    if field.kind == "object":
        return _object(element, field, path, depth)
    children = list(element)
    if len(children) != 1:
        raise _wrong(path, "une seule ressource est attendue", "exactly one resource is expected")
    _attributes(element, _EMPTY, path)
    _no_text(element, path)
    return _resource(children[0], path, depth)


def _put_primitives(
    target: dict[str, Any],
    field: Field,
    children: list[Element],
    path: str,
    depth: int,
) -> None:
    values: list[Any] = []
    extras: list[Any] = []
    for number, child in enumerate(children):
        where = f"{path}[{number}]" if field.many else path
        given = _attributes(child, _PRIMITIVE, where)
        extra: dict[str, Any] = {"id": given["id"]} if "id" in given else {}
        _fill(extra, child, "Element", where, depth)
        if "value" not in given and not extra:
            raise _wrong(where, "l’attribut value manque", "the attribute 'value' is missing")
        values.append(_value(given["value"], field, where) if "value" in given else None)
        extras.append(extra or None)
    if any(value is not None for value in values):
        target[field.key] = values if field.many else values[0]
    if any(extras):
        target[f"_{field.key}"] = extras if field.many else extras[0]


def _value(text: str, field: Field, path: str) -> Any:
    if field.kind == "text":
        return text
    text = text.strip()
    if field.kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if field.kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if field.kind == "decimal":
        found = _DECIMAL.fullmatch(text)
        if found:
            return Decimal(text) if found.group(1) or found.group(2) else int(text)
    expected = {
        "boolean": ("true ou false", "true or false"),
        "integer": ("un nombre entier", "a whole number"),
        "decimal": ("un nombre décimal", "a decimal number"),
    }[field.kind]
    raise _wrong(
        path,
        f"« {text[:64]} » n’est pas accepté : {expected[0]} est attendu",
        f"'{text[:64]}' is not accepted: {expected[1]} is expected",
    )


def _attributes(element: Element, allowed: frozenset[str], path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in element.attrib.items():
        name = str(key)
        if name in allowed:
            found[name] = str(value)
        elif not name.startswith(_SCHEMA):
            raise _wrong(
                path,
                f"l’attribut « {name[:64]} » n’est pas permis ici",
                f"the attribute '{name[:64]}' is not allowed here",
            )
    return found


def _name(element: Element, path: str, *, xhtml: bool = False) -> str:
    tag = str(element.tag)
    if tag.startswith(_PREFIX):
        return tag[len(_PREFIX) :]
    if xhtml and tag == "{http://www.w3.org/1999/xhtml}div":
        return "div"
    namespace, _, local = tag.lstrip("{").rpartition("}")
    raise _wrong(
        f"{path}.{local}"[:200].lstrip("."),
        f"l’espace de noms « {namespace[:100]} » n’est pas {NAMESPACE}",
        f"the namespace '{namespace[:100]}' is not {NAMESPACE}",
    )


def _no_text(element: Element, path: str) -> None:
    if element.text and element.text.strip():
        raise _stray_text(path)


def _stray_text(path: str) -> Invalid:
    return _wrong(
        path,
        "du texte n’est pas permis entre les éléments ; une valeur va dans l’attribut value",
        "text is not allowed between elements; a value goes into the attribute 'value'",
    )


def _unknown(path: str, name: str, plan: dict[str, Field]) -> Invalid:
    near = get_close_matches(name[:64], plan, n=1)
    french = f" ; peut-être « {near[0]} »" if near else ""
    english = f"; perhaps '{near[0]}'" if near else ""
    return _wrong(
        f"{path}.{name[:64]}", f"élément inconnu ici{french}", f"unknown element here{english}"
    )


def _out_of_order(path: str, field: Field, current: Field) -> Invalid:
    return _wrong(
        f"{path}.{field.key}",
        f"cet élément doit venir avant « {current.key} »",
        f"this element must come before '{current.key}'",
    )


def _wrong(path: str, french: str, english: str) -> Invalid:
    return Invalid(
        "xml-not-fhir",
        f"{path} : {french}.",
        f"{path}: {english}.",
        "Voir https://hl7.org/fhir/R4/xml.html pour la forme XML.",
        "See https://hl7.org/fhir/R4/xml.html for the XML form.",
        issues=(Issue("error", "structure", path, french, english),),
    )
