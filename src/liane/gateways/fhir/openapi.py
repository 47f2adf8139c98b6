"""How is `/fhir` described to the tools of those who do not speak FHIR? (OpenAPI 3.1)

Made from the same tables as the CapabilityStatement, so the two cannot differ.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from liane.fhir import definitions
from liane.fhir.json import dumps
from liane.gateways.fhir import formats, general, offered, patching
from liane.gateways.fhir.dispatch import INTERACTIONS, Interaction
from liane.gateways.fhir.operations import REGISTRY, Operation

_FORM = "application/x-www-form-urlencoded"
_NAMES = {"[type]": "{type}", "[id]": "{id}", "[vid]": "{vid}", "[of]": "{of}"}
_SHAPING = ("_count", "_sort", "_include", "_revinclude", "_total", "_cursor", "_has")
_REFUSALS = ("400", "401", "403", "404", "405", "406", "409", "410", "412", "413", "415", "422")
_HEADERS = {
    "read": ("If-None-Match", "If-Modified-Since"),
    "vread": ("If-None-Match",),
    "create": ("If-None-Exist", "Prefer"),
    "update": ("If-Match", "Prefer"),
    "patch": ("If-Match", "Prefer"),
    "delete": ("If-Match", "Prefer"),
}
_HISTORY = ("_since", "_at", "_count", "_cursor")


@cache
def openapi(base: str) -> str:
    """The description, as JSON text; https://spec.openapis.org/oas/v3.1.0"""
    return dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Liane FHIR R4", "version": version("liane")},
            "servers": [{"url": base}],
            "security": [{"token": []}],
            "paths": {**_bundles(), **_interactions(), **_searches(), **_operations()},
            "components": _components(),
        }
    )


def _components() -> dict[str, Any]:
    resource = {
        "type": "object",
        "required": ["resourceType"],
        "properties": {
            "resourceType": {"type": "string", "enum": list(definitions.types())},
            "id": {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"},
        },
    }
    names = {"resourceType": {"const": "Parameters"}, "parameter": {"type": "array"}}
    return {
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        "schemas": {
            "Resource": resource,
            "Bundle": _bundle_schema(),
            "Parameters": {"type": "object", "required": ["resourceType"], "properties": names},
            "OperationOutcome": {
                "type": "object",
                "required": ["resourceType", "issue"],
                "properties": {"resourceType": {"const": "OperationOutcome"}},
            },
            "JsonPatch": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["op", "path"],
                    "properties": {"op": {"type": "string"}, "path": {"type": "string"}},
                },
            },
        },
    }


def _bundle_schema() -> dict[str, Any]:
    request = {
        "type": "object",
        "required": ["method", "url"],
        "properties": {
            "method": {"enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]},
            "url": {"type": "string"},
        },
    }
    entry = {
        "type": "object",
        "properties": {
            "fullUrl": {"type": "string"},
            "resource": {"$ref": "#/components/schemas/Resource"},
            "request": request,
        },
    }
    return {
        "type": "object",
        "required": ["resourceType", "type"],
        "properties": {
            "resourceType": {"const": "Bundle"},
            "type": {"enum": ["batch", "transaction"]},
            "entry": {"type": "array", "items": entry},
        },
    }


def _bundles() -> dict[str, Any]:
    return {"/": {"post": _call("batch-transaction", body=_content("Bundle"), query=())}}


def _interactions() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for one in INTERACTIONS:
        parts = [_NAMES.get(part, part) for part in one.address.split("/")]
        path = "/" + "/".join(parts)
        place = paths.setdefault(path, {"parameters": _places(parts)})
        place[one.method.lower()] = _interaction(one)
    return paths


def _interaction(one: Interaction) -> dict[str, Any]:
    query: tuple[str, ...] = general.SHOWING
    body = None
    if one.code.startswith("history"):
        query += _HISTORY
    elif one.code.startswith("search") or one.conditional:
        query += ("_id", "_lastUpdated", *(() if one.conditional else _SHAPING))
    if one.code in ("create", "update"):
        body = _content("Resource")
    elif one.code == "patch":
        body = _patch_content()
    elif one.method == "POST":
        body = {"content": {_FORM: {"schema": {"type": "object"}}}}
    name = f"{one.method.lower()}-{one.code}{'-conditional' if one.conditional else ''}"
    return _call(
        f"{name}-{one.address}", body=body, query=query, headers=_HEADERS.get(one.code, ())
    )


def _searches() -> dict[str, Any]:
    """For each type, the search with all its parameters."""
    found = {}
    for type_ in definitions.types():
        names = tuple(one.name for one in offered.parameters(type_))
        query = (*names, *_SHAPING, *general.SHOWING)
        found[f"/{type_}"] = {"get": _call(f"search-{type_}", query=query)}
    return found


def _operations() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for one in REGISTRY.operations:
        types = sorted(one.types) or ["{type}"]
        heads = [[]] if "system" in one.levels else list[list[str]]()
        heads += [[type_] for type_ in types if "type" in one.levels]
        heads += [[type_, "{id}"] for type_ in types if "instance" in one.levels]
        for head in heads:
            path = "/" + "/".join([*head, f"${one.name}"])
            paths.setdefault(path, {"parameters": _places(head)}).update(_operation(path, one))
    return paths


def _operation(path: str, one: Operation) -> dict[str, Any]:
    return {
        method.lower(): _call(
            f"{method.lower()}-{path}",
            body=_content("Parameters") if method == "POST" else None,
            query=general.SHOWING,
        )
        for method in ("GET", "POST", "DELETE")
        if one.allows(method)
    }


def _call(
    name: str,
    *,
    body: dict[str, Any] | None = None,
    query: tuple[str, ...] = (),
    headers: tuple[str, ...] = (),
) -> dict[str, Any]:
    parameters = [{"name": one, "in": "query", "schema": {"type": "string"}} for one in query]
    parameters += [{"name": one, "in": "header", "schema": {"type": "string"}} for one in headers]
    outcome = {"$ref": "#/components/schemas/OperationOutcome"}
    refused = {"description": "refused", "content": _in_both(outcome)}
    return {
        "operationId": name,
        "parameters": parameters,
        "responses": {"2XX": {"description": "done"}, **dict.fromkeys(_REFUSALS, refused)},
        **({"requestBody": body} if body else {}),
    }


def _places(parts: list[str]) -> list[dict[str, Any]]:
    """The parts of an address that vary."""
    types = {"type": "string", "enum": list(definitions.types())}
    text = {"type": "string", "minLength": 1}
    schemas = {"{type}": types, "{of}": types, "{id}": text, "{vid}": text}
    return [
        {"name": part[1:-1], "in": "path", "required": True, "schema": schemas[part]}
        for part in parts
        if part in schemas
    ]


def _content(schema: str) -> dict[str, Any]:
    return {"required": True, "content": _in_both({"$ref": f"#/components/schemas/{schema}"})}


def _in_both(schema: dict[str, Any]) -> dict[str, Any]:
    """JSON, which the schema describes, and XML, which it does not."""
    return {
        formats.MEDIA_TYPES["json"].partition(";")[0]: {"schema": schema},
        formats.MEDIA_TYPES["xml"].partition(";")[0]: {"schema": {"type": "string"}},
    }


def _patch_content() -> dict[str, Any]:
    described = {"$ref": "#/components/schemas/JsonPatch"}
    content = _in_both({"$ref": "#/components/schemas/Parameters"})
    content[patching.JSON_PATCH] = {"schema": described}
    content[patching.XML_PATCH] = {"schema": {"type": "string"}}
    return {"required": True, "content": content}
