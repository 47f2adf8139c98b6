"""How does the asker learn how far a request is, fetch what came out, or give it up?

`GET [base]/$job/ID` (202 while it runs, 200 with the manifest, the refusal when it failed),
`DELETE` to cancel, `GET [base]/$job/ID/FILE` for a file. Only the asker sees any of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from liane.base.errors import (
    Busy,
    Conflict,
    Denied,
    Fault,
    Invalid,
    LianeError,
    NotFound,
    Unavailable,
)
from liane.fhir.json import dump_bytes
from liane.gateways.fhir.asynchronous import files, requests
from liane.gateways.fhir.asynchronous.requests import Request, asker_of
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.store.versions import instant

NDJSON = "application/fhir+ndjson"
RETRY_SECONDS = 2
_KINDS: dict[str, type[LianeError]] = {
    kind.__name__: kind for kind in (Busy, Conflict, Denied, Fault, Invalid, NotFound, Unavailable)
}


def asked_url(exchange: Exchange) -> str:
    """The request as a manifest repeats it."""
    path = "/".join(exchange.path)
    query = f"?{urlencode(exchange.query)}" if exchange.query else ""
    return f"{exchange.parts.base}/{path}{query}"


def accepted(exchange: Exchange, id_: str) -> Answer:
    """202: where to ask how far it is."""
    return Answer(
        202,
        headers={"Content-Location": f"{exchange.parts.base}/$job/{id_}"},
        detail={"request": id_},
    )


async def serve(exchange: Exchange, _tx: None) -> Answer:
    """http://hl7.org/fhir/R4/async.html, and Bulk Data Access IG 2, status and file requests"""
    match exchange.method, exchange.path[1:]:
        case "DELETE", (id_,):
            return await _cancelled(exchange, id_)
        case _, (id_,):
            return await _status(exchange, id_)
        case "GET" | "HEAD", (id_, name):
            return await _file(exchange, id_, name)
    raise _unknown()


async def _own(exchange: Exchange, id_: str) -> Request:
    """The request, when it is the asker's; to all others there is none."""
    async with exchange.parts.database.reading() as tx:
        request = await requests.load(tx, id_)
        now = tx.now
    if request is None or request.asker != asker_of(exchange.actor):
        raise _unknown()
    if request.expires is not None and request.expires <= now:
        raise _unknown()
    return request


def _unknown() -> NotFound:
    return NotFound(
        "fhir.request-unknown",
        "Cette demande n’existe pas, n’est pas la vôtre, a été annulée ou a expiré.",
        "There is no such request, it is not yours, it was cancelled, or it has expired.",
    )


async def _cancelled(exchange: Exchange, id_: str) -> Answer:
    request = await _own(exchange, id_)
    async with exchange.parts.database.transaction() as tx:
        await requests.forget(tx, request.id)
    await asyncio.to_thread(files.remove, exchange.parts.services.home, request.id)
    return Answer(202, detail={"cancelled": True})


async def _status(exchange: Exchange, id_: str) -> Answer:
    request = await _own(exchange, id_)
    if request.failure is not None:
        raise _failure(request.failure)
    if request.result is None:
        return Answer(202, headers=_progress(request), detail={"request": id_})
    expires = {} if request.expires is None else {"Expires": format_datetime(request.expires, True)}
    manifest = _manifest(exchange, request, request.result)
    return Answer(
        200,
        content=dump_bytes(manifest),
        media_type="application/json",
        headers=expires,
        detail={"request": id_, "count": request.done},
    )


def _progress(request: Request) -> dict[str, str]:
    share = "" if request.share is None else f"{request.share:.0%}, "
    state = f"{share}{request.done} resources" if request.run else "waiting"
    return {"X-Progress": state, "Retry-After": str(RETRY_SECONDS)}


def _failure(told: Any) -> LianeError:
    return _KINDS.get(told["kind"], Fault)(told["code"], told["fr"], told["en"])


def _manifest(exchange: Exchange, request: Request, result: Any) -> dict[str, Any]:
    base = f"{exchange.parts.base}/$job/{request.id}"
    told: dict[str, Any] = {
        "transactionTime": instant(request.asked),
        "request": request.url,
        "requiresAccessToken": True,
        "output": [],
        "error": [],
    }
    for file in result["files"]:
        name = file["name"].removesuffix(".gz")
        entry = {"type": file["type"], "url": f"{base}/{name}", "count": file["count"]}
        told.setdefault(file["kind"], []).append(entry)
    told["output"] += result.get("told", [])
    return told


async def _file(exchange: Exchange, id_: str, name: str) -> Answer:
    request = await _own(exchange, id_)
    listed = [] if request.result is None else request.result["files"]
    if not any(file["name"] == f"{name}.gz" for file in listed):
        raise _unknown()
    path = files.folder_of(exchange.parts.services.home, request.id) / f"{name}.gz"
    return Answer(
        200,
        stream=_in_thread(files.plain(path)),
        packed=_in_thread(files.packed(path)),
        media_type=NDJSON,
        detail={"request": id_, "file": name},
    )


async def _in_thread(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (part := await asyncio.to_thread(next, parts, None)) is not None:
        yield part
