"""Which resources does `PatientList(...)` or `PatientConnection(...)` mean?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from liane.fhir import definitions
from liane.fhir.fhirpath.nodes import Node
from liane.gateways.fhir.exchange import Items
from liane.gateways.fhir.graphql.elements import unknown
from liane.gateways.fhir.graphql.fields import Field
from liane.gateways.fhir.graphql.limits import PAGE, PAGE_LIMIT
from liane.gateways.fhir.graphql.output import Output
from liane.gateways.fhir.graphql.record import Record
from liane.gateways.fhir.graphql.refusals import wrong
from liane.store.resources import Version

_REFUSED = frozenset({"_include", "_revinclude", "_summary", "_elements", "_total", "_format"})
_FACTS = ("count", "offset", "pagesize", "first", "previous", "next", "last", "edges")


@dataclass(frozen=True, slots=True)
class Connection:
    """One page of a search with its place among the others."""

    versions: list[Version]
    count: int | None
    offset: int
    pagesize: int
    following: str | None


def split(name: str) -> tuple[str, str | None]:
    """The type and the kind of list in a field's name; the kind is None when it is no list."""
    for kind in ("List", "Connection"):
        type_ = name.removesuffix(kind)
        if type_ != name and type_ in definitions.types():
            return type_, kind
    return name, None


async def listed(record: Record, field: Field, type_: str, resource: Node | None) -> list[Version]:
    """The matches of `TypeList`, one page of them at most."""
    items, _, _ = _items(field, type_, resource)
    return (await record.search(type_, items, total=False)).versions


async def connection(record: Record, field: Field, type_: str, resource: Node | None) -> Connection:
    """One page of `TypeConnection`."""
    items, offset, size = _items(field, type_, resource)
    found = await record.search(type_, items, total=True)
    following = None
    if found.cursor is not None:
        following = f"{offset + len(found.versions)}:{found.cursor}"
    return Connection(found.versions, found.total, offset, size, following)


def fact(out: Output, field: Field, page: Connection) -> None:
    """Count, place and neighbours of a page; pages go forward only."""
    values: dict[str, Any] = {
        "count": page.count,
        "offset": page.offset,
        "pagesize": page.pagesize,
        "first": "0:",
        "previous": None,
        "next": page.following,
        "last": None,
    }
    if field.name not in values:
        raise wrong(
            f"champ « {field.name[:60]} » inconnu ; champs connus : {', '.join(_FACTS)}",
            f"unknown field '{field.name[:60]}'; known fields: {', '.join(_FACTS)}",
        )
    out.add(field.key, values[field.name], many=False)


def _items(field: Field, type_: str, resource: Node | None) -> tuple[Items, int, int]:
    """The search parameters in the arguments; also the offset and the size of the page."""
    arguments = dict(field.arguments)
    size = _size(arguments.pop("_count", PAGE))
    offset, cursor = _cursor(arguments.pop("_cursor", None))
    items: Items = [("_count", str(size))]
    if cursor:
        items.append(("_cursor", cursor))
    by = arguments.pop("_reference", None)
    if resource is not None:
        items.append(_reverse(by, type_, resource))
    elif by is not None:
        raise wrong(
            "_reference n’a de sens que sous une ressource",
            "_reference only has a meaning below a resource",
        )
    for name, value in arguments.items():
        items += [(_parameter(type_, name), text) for text in _texts(value)]
    return items, offset, size


def _reverse(by: Any, type_: str, resource: Node) -> tuple[str, str]:
    parameter = _parameter(type_, by) if isinstance(by, str) else ""
    found = definitions.search_parameters(type_).get(parameter)
    value = resource.value
    if found is None or found.kind != "reference":
        raise wrong(
            f"{type_} sous une ressource attend _reference, un paramètre de recherche de {type_} "
            "de type reference",
            f"{type_} below a resource expects _reference, a search parameter of {type_} of type "
            "reference",
        )
    if not isinstance(value.get("id"), str):
        raise unknown(resource.type, f"{type_}List")
    return parameter, f"{value['resourceType']}/{value['id']}"


def _parameter(type_: str, name: str) -> str:
    """Names of GraphQL have no hyphen: `general_practitioner` is `general-practitioner`."""
    if name in _REFUSED:
        raise wrong(f"{name} n’est pas offert ici", f"{name} is not offered here")
    if name.startswith("_") or name in definitions.search_parameters(type_):
        return name
    return name.replace("_", "-")


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [",".join(text for one in value for text in _texts(one))] if value else []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)]


def _size(value: Any) -> int:
    text = str(value)
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) == 0:
        raise wrong("_count est un entier positif", "_count is a positive integer")
    return min(int(text), PAGE_LIMIT)


def _cursor(value: Any) -> tuple[int, str | None]:
    if value is None:
        return 0, None
    offset, colon, cursor = str(value)[:2_000].partition(":")
    if not colon or not offset.isascii() or not offset.isdecimal() or len(offset) > 9:
        raise wrong("_cursor inconnu : repartir du début", "unknown _cursor: start again")
    return int(offset), cursor or None
