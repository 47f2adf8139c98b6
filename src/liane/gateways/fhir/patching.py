"""Which kind of patch was sent, and what is the resource after it? (R4 http, patch)"""

from __future__ import annotations

from typing import Any

from liane.base.errors import Invalid
from liane.fhir import json as fhir_json
from liane.fhir import patching
from liane.gateways.fhir.exchange import Exchange
from liane.store.resources import Version

JSON_PATCH = "application/json-patch+json"
XML_PATCH = "application/xml-patch+xml"
MEDIA_TYPES = frozenset({JSON_PATCH, XML_PATCH})
"""Patches that are no FHIR resource; a FHIRPath Patch is a Parameters resource."""
LIMIT_BYTES = 4 * 1024 * 1024


def patched(exchange: Exchange, former: Version) -> dict[str, Any]:
    """The resource after the patch; its type, its id and its version stay.

    Raises `Invalid`: 400 for what is no patch, 422 for one that cannot be applied here.
    """
    resource = former.resource
    if exchange.media == JSON_PATCH:
        return patching.json_patch(resource, operations(exchange.data))
    if exchange.media == XML_PATCH:
        return patching.xml_patch(resource, exchange.data)
    if exchange.body.get("resourceType") == "Parameters":
        return patching.fhirpath_patch(resource, exchange.body)
    raise Invalid(
        "fhir.patch",
        "Un patch est un JSON Patch (application/json-patch+json), un XML Patch "
        "(application/xml-patch+xml) ou une ressource Parameters (FHIRPath Patch).",
        "A patch is a JSON Patch (application/json-patch+json), an XML Patch "
        "(application/xml-patch+xml) or a Parameters resource (FHIRPath Patch).",
    )


def operations(data: bytes) -> list[Any]:
    """The operations of a JSON Patch (RFC 6902), read under the same limits as a resource."""
    wrapped = b'{"patch":' + data + b"}"
    patch = fhir_json.loads(wrapped, limit_bytes=LIMIT_BYTES).get("patch")
    if not isinstance(patch, list):
        raise Invalid(
            "fhir.patch",
            "Un JSON Patch est une liste d’opérations (RFC 6902).",
            "A JSON Patch is a list of operations (RFC 6902).",
        )
    return patch
