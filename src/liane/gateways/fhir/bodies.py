"""How do the bytes of a request become the resource, the patch or the content it sends?"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from litestar import Request

from liane.base.errors import Invalid
from liane.base.safe_archive import gunzip, inflate
from liane.fhir import json as fhir_json
from liane.fhir import xml as fhir_xml
from liane.gateways.fhir import formats, patching, sizes
from liane.gateways.fhir.exchange import Exchange, items_of

AnyRequest = Request[Any, Any, Any]
LIMIT_BYTES = 64 * 1024 * 1024
THREAD_BYTES = 128 * 1024
"""Larger bodies are read in a thread, so that others are answered meanwhile."""
FORM = "application/x-www-form-urlencoded"


async def with_body(exchange: Exchange, request: AnyRequest) -> Exchange:
    """The exchange with what its body holds."""
    if exchange.method in ("GET", "HEAD", "DELETE", "OPTIONS"):
        return exchange
    media = formats.media_of(request.headers.get("content-type", ""))
    data = await _inflated(request)
    if exchange.path[-1:] == ("_search",):
        if data and media.name not in ("", FORM):
            raise formats.refused_media(media.name)
        return replace(exchange, query=exchange.query + items_of(data))
    format_ = formats.of_body(media)
    if format_ is not None:
        reread = partial(_reader(format_), data, limit_bytes=LIMIT_BYTES)
        return replace(exchange, resource=await _resource(data, format_), reread=reread)
    if exchange.method == "PATCH" and media.name in patching.MEDIA_TYPES:
        return replace(exchange, media=media.name, data=data)
    if exchange.path[:1] == ("Binary",) and exchange.method in ("POST", "PUT"):
        return replace(exchange, resource=_binary(exchange, media.name, data))
    if any(part.startswith("$") for part in exchange.path):
        return replace(exchange, media=media.name, data=data)
    raise formats.refused_media(media.name)


async def _resource(data: bytes, format_: formats.Format) -> dict[str, Any] | None:
    if not data:
        return None
    if len(data) > THREAD_BYTES:
        sizes.require_readable(data, format_)
    read = _reader(format_)
    if len(data) > THREAD_BYTES:
        resource = await asyncio.to_thread(read, data, limit_bytes=LIMIT_BYTES)
        sizes.require_workable(resource)
        return resource
    return read(data, limit_bytes=LIMIT_BYTES)


def _reader(format_: formats.Format) -> Callable[..., dict[str, Any]]:
    return fhir_json.loads if format_ == "json" else fhir_xml.loads


def _binary(exchange: Exchange, media: str, data: bytes) -> dict[str, Any]:
    """Content sent as it is becomes a Binary; http://hl7.org/fhir/R4/binary.html#rest"""
    binary: dict[str, Any] = {"resourceType": "Binary", "contentType": media}
    if len(exchange.path) > 1:
        binary["id"] = exchange.path[1]
    if exchange.security_context:
        binary["securityContext"] = {"reference": exchange.security_context}
    if data:
        binary["data"] = base64.b64encode(data).decode()
    return binary


async def _inflated(request: AnyRequest) -> bytes:
    """The body, inflated under the same limit of size."""
    body = await request.body()
    match request.headers.get("content-encoding", "identity").lower():
        case "identity" | "":
            return body
        case "gzip" | "x-gzip":
            return await asyncio.to_thread(gunzip, body, limit_bytes=LIMIT_BYTES)
        case "deflate":
            return inflate(body, raw=False, limit_bytes=LIMIT_BYTES)
    raise Invalid(
        "fhir.media-type",
        "Ce codage du contenu n’est pas accepté (gzip, deflate).",
        "This content encoding is not accepted (gzip, deflate).",
    )
