"""How does an HTTP request reach the FHIR interactions, and how does their answer leave?

Thin on purpose: it turns bytes and headers into an `Exchange`, keeps the journal of reads before
an answer leaves, and turns an `Answer` or a refusal into a response.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from email.utils import format_datetime
from typing import Any

from litestar import Request, Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from litestar.types import Method

from liane.access.actor import Actor
from liane.base.errors import Invalid, LianeError
from liane.base.safe_archive import gunzip, inflate
from liane.fhir import json as fhir_json
from liane.gateways.fhir import authority, bundles, dispatch, journaling
from liane.gateways.fhir.capability import capability_statement, smart_configuration
from liane.gateways.fhir.exchange import Answer, Exchange, Items, Parts, WriteMany, items_of
from liane.gateways.fhir.outcomes import as_liane_error, outcome, status_of
from liane.rooms import record
from liane.ui.services import Services

TokenCheck = Callable[[str], Awaitable[Actor | None]]
AnyRequest = Request[Any, Any, Any]
AnyResponse = Response[bytes] | Stream
JSON = "application/fhir+json; charset=utf-8"
LIMIT_BYTES = 64 * 1024 * 1024
THREAD_BYTES = 128 * 1024
"""Larger bodies are read in a thread, so that others are answered meanwhile."""
_METHODS: tuple[Method, ...] = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")
_JSON_TYPES = frozenset(
    {"", "*/*", "json", "application/*", "application/json", "application/fhir+json", "text/json"}
)
_BODY_TYPES = frozenset({"", "application/json", "application/fhir+json", "text/json"})
_DEPTHS = ("/", "/{a:str}", "/{a:str}/{b:str}", "/{a:str}/{b:str}/{c:str}", "/{a:str}/{b:str}/{c:str}/{d:str}")  # fmt: skip  # noqa: E501


def fhir_router(
    services: Services,
    check_token: TokenCheck | None = None,
    writers: Mapping[str, WriteMany] | None = None,
) -> Router:
    """The handlers of `/fhir`.

    `check_token` says whose bearer token it is (default: the services' token checker); `writers`
    maps resource types to the write action of the room that owns them (default: the record).
    """
    parts = Parts(
        database=services.database,
        write=record.write_resources,
        writers=writers or {},
        check_token=check_token or _services_check(services),
        base=f"{services.base_url.rstrip('/')}/fhir",
        services=services,
    )

    async def public(request: AnyRequest) -> Response[bytes]:
        text = (
            smart_configuration(parts.base)
            if request.url.path.endswith("smart-configuration")
            else capability_statement(parts.base)
        )
        return Response(text.encode(), media_type=JSON)

    async def handle(request: AnyRequest) -> AnyResponse:
        return await _handle(parts, request)

    return Router(
        path="/fhir",
        route_handlers=[
            HTTPRouteHandler(["/metadata", "/.well-known/smart-configuration"], http_method="GET")(
                public
            ),
            HTTPRouteHandler(list(_DEPTHS), http_method=list(_METHODS), status_code=200)(handle),
        ],
        request_max_body_size=LIMIT_BYTES,
        exception_handlers={Exception: _failed},
    )


def _services_check(services: Services) -> TokenCheck:
    if services.tokens is None:
        raise ValueError("the FHIR gateway needs a token checker")
    return services.tokens.check


async def _handle(parts: Parts, request: AnyRequest) -> AnyResponse:
    language = _language(request)
    exchange: Exchange | None = None
    try:
        _refuse_other_formats(request)
        exchange = await _exchange(parts, request)
        answer = await _serve(exchange, request, language)
        if dispatch.is_read(exchange) or answer.patients:
            await journaling.shown(exchange, answer)
        return _response(request, answer)
    except Exception as problem:  # noqa: BLE001 - the edge turns every failure into an answer
        error = as_liane_error(problem)
        if exchange is not None and error.http_status == 403:
            await journaling.refused(exchange, error)
        return refusal(error, language)


async def _serve(exchange: Exchange, request: AnyRequest, language: str) -> Answer:
    if exchange.path[-1:] == ("_search",):
        exchange = replace(exchange, query=exchange.query + await _form(request))
    elif exchange.method not in dispatch.READS:
        exchange = replace(exchange, resource=await _resource(request))
    if exchange.method == "POST" and not exchange.path:
        return await bundles.serve_bundle(exchange, language)
    return await dispatch.run(exchange)


async def _exchange(parts: Parts, request: AnyRequest) -> Exchange:
    path = str(request.scope["path"]).removeprefix("/fhir").strip("/")
    headers = request.headers
    return Exchange(
        parts=parts,
        actor=await _actor(parts, request),
        method=request.method,
        path=tuple(path.split("/")) if path else (),
        query=_query(request),
        if_match=headers.get("if-match"),
        if_none_exist=headers.get("if-none-exist"),
        if_none_match=headers.get("if-none-match"),
        if_modified_since=headers.get("if-modified-since"),
        prefer=headers.get("prefer", ""),
        accept=headers.get("accept", ""),
        language=_language(request),
    )


async def _actor(parts: Parts, request: AnyRequest) -> Actor:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    actor = await parts.check_token(token.strip()) if scheme.lower() == "bearer" else None
    if actor is None:
        raise authority.unauthenticated()
    return actor


def _query(request: AnyRequest) -> Items:
    return items_of(request.scope["query_string"])


async def _form(request: AnyRequest) -> Items:
    return items_of(await _body(request))


async def _resource(request: AnyRequest) -> dict[str, Any] | None:
    if request.method == "DELETE":
        return None
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in _BODY_TYPES:
        raise Invalid(
            "fhir.media-type",
            f"Le type de contenu « {media[:60]} » n’est pas accepté.",
            f"The content type '{media[:60]}' is not accepted.",
            "Envoyer application/fhir+json.",
            "Send application/fhir+json.",
        )
    body = await _body(request)
    if len(body) > THREAD_BYTES:
        return await asyncio.to_thread(fhir_json.loads, body, limit_bytes=LIMIT_BYTES)
    return fhir_json.loads(body, limit_bytes=LIMIT_BYTES) if body else None


async def _body(request: AnyRequest) -> bytes:
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


def _refuse_other_formats(request: AnyRequest) -> None:
    asked = dict(_query(request)).get("_format") or request.headers.get("accept") or ""
    kinds = [kind.partition(";")[0].strip().lower() for kind in asked.split(",")]
    if not any(kind in _JSON_TYPES for kind in kinds):
        raise Invalid(
            "fhir.not-acceptable",
            "Seul le format JSON est offert pour l’instant.",
            "Only the JSON format is offered for now.",
            "Demander application/fhir+json.",
            "Ask for application/fhir+json.",
        )


def _response(request: AnyRequest, answer: Answer) -> AnyResponse:
    headers: dict[str, str] = {"Cache-Control": "no-store", **answer.headers}
    if answer.etag is not None:
        headers["ETag"] = answer.etag
    if answer.modified is not None:
        headers["Last-Modified"] = format_datetime(answer.modified, usegmt=True)
    if answer.location is not None:
        headers["Location"] = answer.location
    media = answer.media_type or JSON
    if answer.stream is not None:
        return Stream(answer.stream, status_code=answer.status, media_type=media, headers=headers)
    body = answer.body.encode() if answer.content is None else answer.content
    body = b"" if request.method == "HEAD" else body
    return Response(body, status_code=answer.status, media_type=media, headers=headers)


def refusal(error: LianeError, language: str) -> Response[bytes]:
    """A refusal as an OperationOutcome."""
    status = status_of(error)
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="Liane"'
    if status in (429, 503):
        headers["Retry-After"] = "2"
    text = outcome(error, language)
    return Response(text.encode(), status_code=status, media_type=JSON, headers=headers)


def _failed(request: AnyRequest, problem: Exception) -> Response[bytes]:
    return refusal(as_liane_error(problem), _language(request))


def _language(request: AnyRequest) -> str:
    return "en" if request.headers.get("accept-language", "").lower().startswith("en") else "fr"
