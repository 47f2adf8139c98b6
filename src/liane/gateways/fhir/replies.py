"""How does an answer or a refusal leave: status, headers, format, compression?"""

from __future__ import annotations

import asyncio
from email.utils import format_datetime
from functools import partial
from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from liane.base.errors import Invalid, LianeError
from liane.gateways.fhir import formats
from liane.gateways.fhir.exchange import Answer, Exchange, items_of
from liane.gateways.fhir.outcomes import outcome, status_of

AnyRequest = Request[Any, Any, Any]
AnyResponse = Response[bytes] | Stream
THREAD_BYTES = 128 * 1024
"""Larger answers are turned or compressed in a thread, so that others are answered meanwhile."""


async def response(exchange: Exchange, answer: Answer, request: AnyRequest) -> AnyResponse:
    """The answer in the format that was asked for."""
    headers = _headers(exchange, answer)
    squeezes = formats.takes_gzip(request.headers.get("accept-encoding", "identity"))
    if answer.stream is not None:
        stream = answer.stream
        if squeezes and "Content-Encoding" not in headers:
            headers["Content-Encoding"] = "gzip"
            stream = answer.packed or formats.compressed_stream(stream)
        media = answer.media_type or formats.MEDIA_TYPES["json"]
        return Stream(stream, status_code=answer.status, media_type=media, headers=headers)
    body, media = await _body(exchange, answer)
    if squeezes and len(body) >= formats.WORTH_BYTES and "Content-Encoding" not in headers:
        headers["Content-Encoding"] = "gzip"
        body = await _aside(len(body), formats.compressed, body)
    return Response(body, status_code=answer.status, media_type=media, headers=headers)


async def _body(exchange: Exchange, answer: Answer) -> tuple[bytes, str]:
    if answer.content is not None or answer.media_type is not None:
        content = answer.body.encode() if answer.content is None else answer.content
        return content, answer.media_type or "application/octet-stream"
    format_ = formats.wanted(exchange.accept) or "json"
    pretty = dict(exchange.query).get("_pretty") == "true"
    size = len(answer.body) if pretty or format_ == "xml" else 0
    render = partial(formats.rendered, pretty=pretty)
    return await _aside(size, render, answer.body, format_), formats.MEDIA_TYPES[format_]


async def _aside(size: int, work: Any, *arguments: Any) -> bytes:
    done: bytes = (
        await asyncio.to_thread(work, *arguments) if size > THREAD_BYTES else work(*arguments)
    )
    return done


def _headers(exchange: Exchange, answer: Answer) -> dict[str, str]:
    headers = {
        "Cache-Control": "no-store",
        "Vary": "Accept, Accept-Encoding, Prefer",
        "X-Content-Type-Options": "nosniff",
        **answer.headers,
    }
    if answer.etag is not None:
        headers["ETag"] = answer.etag
    if answer.modified is not None:
        headers["Last-Modified"] = format_datetime(answer.modified, usegmt=True)
    if answer.location is not None:
        headers["Location"] = answer.location
    applied = [
        f"{name}={value}" if value else name
        for name, value in exchange.preferences.items()
        if name != "respond-async" or answer.status == 202
    ]
    if applied:
        headers["Preference-Applied"] = ", ".join(applied)
    return headers


def refusal(error: LianeError, language: str, accept: str = "") -> Response[Any]:
    """A refusal as an OperationOutcome, in the format the reader takes."""
    status = status_of(error)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="Liane"'
    if status in (429, 503):
        headers["Retry-After"] = "2"
    if error.details.get("allowed"):
        headers["Allow"] = str(error.details["allowed"])
    format_ = formats.wanted(accept) or "json"
    body = formats.rendered(outcome(error, language), format_, pretty=False)
    media = formats.MEDIA_TYPES[format_]
    return Response(body, status_code=status, media_type=media, headers=headers)


def accept_of(request: AnyRequest) -> str:
    """What the reader takes: `_format` has the last word over the header (R4 http, `_format`)."""
    try:
        asked = dict(items_of(request.scope["query_string"])).get("_format")
    except Invalid:
        asked = None
    return asked or str(request.headers.get("accept", ""))


def language_of(request: AnyRequest) -> str:
    """The language of messages: French unless English is preferred."""
    return "en" if request.headers.get("accept-language", "").lower().startswith("en") else "fr"
