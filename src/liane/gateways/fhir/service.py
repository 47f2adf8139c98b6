"""How does an HTTP request reach the FHIR interactions, and how does their answer leave?

Thin on purpose: it turns bytes and headers into an `Exchange`, keeps the journal of reads before
an answer leaves, and turns an `Answer` or a refusal into a response.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from litestar import Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.types import Method

from liane.access.actor import Actor
from liane.base.errors import LianeError
from liane.gateways.fhir import (
    authority,
    bodies,
    bundles,
    dispatch,
    formats,
    general,
    journaling,
    replies,
)
from liane.gateways.fhir.asynchronous import deferring
from liane.gateways.fhir.capability import capability_statement, smart_configuration
from liane.gateways.fhir.exchange import Answer, Choices, Exchange, Parts, WriteMany, items_of
from liane.gateways.fhir.openapi import openapi
from liane.gateways.fhir.outcomes import as_liane_error
from liane.gateways.fhir.replies import AnyRequest, AnyResponse
from liane.rooms import record
from liane.store.search import custom
from liane.ui.services import Services

TokenCheck = Callable[[str], Awaitable[Actor | None]]
_METHODS: tuple[Method, ...] = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_PUBLIC = ("/metadata", "/.well-known/smart-configuration")


def fhir_router(
    services: Services,
    check_token: TokenCheck | None = None,
    writers: Mapping[str, WriteMany] | None = None,
    choices: Choices | None = None,
) -> Router:
    """The handlers of `/fhir`.

    `check_token` says whose bearer token it is (default: the services' token checker); `writers`
    maps resource types to the write action of the room that owns them (default: the record);
    `choices` are what R4 leaves to the house.
    """
    parts = Parts(
        database=services.database,
        write=record.write_resources,
        writers=writers or {},
        check_token=check_token or _services_check(services),
        base=f"{services.base_url.rstrip('/')}/fhir",
        services=services,
        choices=choices or Choices(),
    )

    async def public(request: AnyRequest) -> AnyResponse:
        return await _public(parts, request)

    async def handle(request: AnyRequest) -> AnyResponse:
        return await _handle(parts, request)

    return Router(
        path="/fhir",
        route_handlers=[
            HTTPRouteHandler(list(_PUBLIC), http_method=["GET", "HEAD"])(public),
            HTTPRouteHandler(["/", "/{rest:path}"], http_method=list(_METHODS), status_code=200)(
                handle
            ),
        ],
        request_max_body_size=bodies.LIMIT_BYTES,
        exception_handlers={Exception: _failed},
    )


def _services_check(services: Services) -> TokenCheck:
    if services.tokens is None:
        raise ValueError("the FHIR gateway needs a token checker")
    return services.tokens.check


async def _public(parts: Parts, request: AnyRequest) -> AnyResponse:
    if request.url.path.endswith("smart-configuration"):
        text = smart_configuration(parts.base)
        return Response(text.encode(), media_type="application/json")
    exchange = _exchange(parts, request, authority.NOBODY)
    if formats.wanted(exchange.accept) is None:
        return replies.refusal(formats.not_acceptable(exchange.accept), exchange.language)
    with suppress(LianeError):  # what is offered can be told while the database is away
        async with parts.database.reading() as tx:
            await custom.keep_fresh(tx)
    text = capability_statement(parts.base, parts.choices, parts.database.tenant)
    answer = Answer(200, general.shaped(exchange, text))
    return await replies.response(exchange, answer, request)


async def _handle(parts: Parts, request: AnyRequest) -> AnyResponse:
    language = replies.language_of(request)
    exchange: Exchange | None = None
    try:
        exchange = _exchange(parts, request, await _actor(parts, request))
        if formats.wanted(exchange.accept) is None and not dispatch.may_be_raw(exchange):
            raise formats.not_acceptable(exchange.accept)
        exchange = await bodies.with_body(exchange, request)
        answer = await _serve(exchange, language)
        if dispatch.is_read(exchange) or answer.patients:
            await journaling.shown(exchange, answer)
        return await replies.response(exchange, answer, request)
    except Exception as problem:  # noqa: BLE001 - the edge turns every failure into an answer
        error = as_liane_error(problem)
        if exchange is not None and authority.is_refusal(error):
            await journaling.refused(exchange, error)
        return replies.refusal(error, language, replies.accept_of(request))


async def _serve(exchange: Exchange, language: str) -> Answer:
    if exchange.path == ("openapi.json",) and exchange.method in dispatch.READS:
        text = openapi(exchange.parts.base)
        return Answer(200, media_type="application/json", content=text.encode())
    if exchange.method == "OPTIONS":
        return Answer(204, headers={"Allow": ", ".join(dispatch.allowed(exchange))})
    if deferring.wanted(exchange):
        return await deferring.deferred(exchange)
    if exchange.method == "POST" and not exchange.path:
        return await bundles.serve_bundle(exchange, language)
    return await dispatch.run(exchange)


def _exchange(parts: Parts, request: AnyRequest, actor: Actor) -> Exchange:
    path = str(request.scope["path"]).removeprefix("/fhir").strip("/")
    headers = request.headers
    query = items_of(request.scope["query_string"])
    return Exchange(
        parts=parts,
        actor=actor,
        method=request.method,
        path=tuple(path.split("/")) if path else (),
        query=query,
        if_match=headers.get("if-match"),
        if_none_exist=headers.get("if-none-exist"),
        if_none_match=headers.get("if-none-match"),
        if_modified_since=headers.get("if-modified-since"),
        prefer=headers.get("prefer", ""),
        accept=replies.accept_of(request),
        language=replies.language_of(request),
        security_context=headers.get("x-security-context"),
    )


async def _actor(parts: Parts, request: AnyRequest) -> Actor:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    actor = await parts.check_token(token.strip()) if scheme.lower() == "bearer" else None
    if actor is None:
        raise authority.unauthenticated()
    return actor


def _failed(request: AnyRequest, problem: Exception) -> Response[Any]:
    language = replies.language_of(request)
    return replies.refusal(as_liane_error(problem), language, replies.accept_of(request))
