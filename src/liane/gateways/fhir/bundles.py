"""How are many interactions sent in one Bundle served? (R4 http, batch and transaction)

A transaction is all or nothing: conditions are looked up, identities given, references between
entries replaced, then everything is written in one go. A batch serves each entry by itself.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from liane.base.errors import Conflict, Invalid, LianeError
from liane.fhir.dates import interval
from liane.fhir.json import dumps
from liane.gateways.fhir import authority, dispatch, journaling
from liane.gateways.fhir.answers import bundle
from liane.gateways.fhir.exchange import Answer, Exchange, items_of
from liane.gateways.fhir.outcomes import as_liane_error, outcome, status_of
from liane.gateways.fhir.transactions import Transaction, of_entry
from liane.store import Tx
from liane.store.versions import instant

LIMIT_ENTRIES = 20_000
TRIES = 3
"""How often a transaction begins that another one overtakes."""
_TEXTS = ("ifMatch", "ifNoneExist", "ifNoneMatch", "ifModifiedSince")
Entry = tuple[Exchange, str | None]
Serve = Callable[[Tx], Awaitable[Answer]]
Unit = Callable[[Serve], Awaitable[Answer]]
"""Opens the transaction that a transaction Bundle is served in."""


async def serve_bundle(exchange: Exchange, language: str) -> Answer:
    """A batch or transaction sent to the base address."""
    resource = exchange.body
    entries = entries_of(resource)
    if resource["type"] == "batch":
        return await _batch(exchange, entries, language)
    database = exchange.parts.database

    async def unit(serve: Serve) -> Answer:
        async with database.transaction() as tx:
            return await serve(tx)

    return await transaction(exchange, resource, exchange.reread, unit)


async def transaction(
    exchange: Exchange,
    resource: dict[str, Any],
    reread: Callable[[], dict[str, Any]] | None,
    unit: Unit,
) -> Answer:
    """Serve a transaction Bundle; from its beginning when another one overtakes it (serving it
    changes `resource`, so it is read anew).
    """
    for attempt in range(TRIES):
        entries = _entries(exchange, resource)
        try:
            return await unit(partial(_served, exchange, entries))
        except Conflict as conflict:
            if conflict.code != "store.overtaken" or attempt == TRIES - 1 or not reread:
                raise
            resource = reread()
    raise AssertionError


def entries_of(resource: dict[str, Any]) -> list[Any]:
    """The entries of a batch or transaction. Raises `Invalid` for what is none."""
    if resource.get("resourceType") != "Bundle":
        raise Invalid("fhir.bundle", "Un Bundle est attendu ici.", "A Bundle is expected here.")
    if resource.get("type") not in ("batch", "transaction"):
        raise Invalid(
            "fhir.bundle-type",
            "Seuls les Bundles de type batch et transaction sont traités ici.",
            "Only Bundles of type batch and transaction are processed here.",
        )
    entries = resource.get("entry", [])
    if not isinstance(entries, list) or len(entries) > LIMIT_ENTRIES:
        raise Invalid(
            "fhir.too-large",
            f"Un Bundle porte au plus {LIMIT_ENTRIES} entrées.",
            f"A Bundle holds at most {LIMIT_ENTRIES} entries.",
        )
    return entries


def _entries(exchange: Exchange, resource: dict[str, Any]) -> list[Entry]:
    """Each entry as an exchange of its own, with its fullUrl."""
    found = []
    for index, entry in enumerate(entries_of(resource)):
        with of_entry(index):
            one = entry_of(exchange, index, entry)
            dispatch.inside_bundle(one[0])
            found.append(one)
    return found


def entry_of(exchange: Exchange, index: int, entry: Any) -> Entry:
    """An entry as an exchange of its own, with its fullUrl."""
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not all(
        isinstance(request.get(name), str) for name in ("method", "url")
    ):
        raise Invalid(
            "fhir.entry",
            f"L’entrée {index} n’a pas de request.method et request.url.",
            f"Entry {index} has no request.method and request.url.",
        )
    _require_texts(index, entry, request)
    url = request["url"].removeprefix(exchange.parts.base).lstrip("/")
    path, _, query = url.partition("?")
    one = replace(
        exchange,
        method=request["method"],
        path=tuple(unquote(part) for part in path.split("/") if part),
        query=items_of(query),
        resource=entry.get("resource"),
        if_match=request.get("ifMatch"),
        if_none_exist=request.get("ifNoneExist"),
        if_none_match=request.get("ifNoneMatch"),
        if_modified_since=_http_date(request.get("ifModifiedSince")),
        accept="application/fhir+json",
        reread=None,
    )
    return (_patch_of(one) if one.method == "PATCH" else one), entry.get("fullUrl")


def _require_texts(index: int, entry: dict[str, Any], request: dict[str, Any]) -> None:
    full_url, resource = entry.get("fullUrl", ""), entry.get("resource", {})
    if (
        all(isinstance(request.get(name, ""), str) for name in _TEXTS)
        and isinstance(full_url, str)
        and isinstance(resource, dict)
    ):
        return
    raise Invalid(
        "fhir.entry",
        f"L’entrée {index} a un élément qui n’est pas de la forme attendue.",
        f"Entry {index} has an element that is not of the expected shape.",
    )


def _http_date(text: str | None) -> str | None:
    """`ifModifiedSince` is an instant in a Bundle and an HTTP date in a header."""
    if text is None:
        return None
    try:
        return format_datetime(interval(text)[0], usegmt=True)
    except ValueError:
        return None


def _patch_of(one: Exchange) -> Exchange:
    """A JSON Patch travels in a Binary (R4 http, patch in a Bundle)."""
    resource = one.resource or {}
    if resource.get("resourceType") != "Binary":
        return one
    try:
        data = base64.b64decode(str(resource.get("data", "")), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(
            "fhir.patch", "Le Binary du patch est illisible.", "The patch's Binary is unreadable."
        ) from None
    return replace(one, media=str(resource.get("contentType", "")), data=data, resource=None)


async def _batch(exchange: Exchange, entries: list[Any], language: str) -> Answer:
    texts = []
    patients: dict[str | None, None] = {}
    for index, entry in enumerate(entries):
        one = exchange
        try:
            with of_entry(index):
                one, _ = entry_of(exchange, index, entry)
                answer = await dispatch.run(dispatch.inside_bundle(one))
            patients.update(dict.fromkeys(answer.patients))
            texts.append(response_entry(answer, shown=is_shown(exchange, one)))
        except Exception as caught:  # noqa: BLE001 - one entry must not take the others with it
            problem = as_liane_error(caught)
            if authority.is_refusal(problem):
                await journaling.refused(one, problem)
            texts.append(refused_entry(problem, language))
    body = bundle("batch-response", texts, ())
    return Answer(200, body, patients=tuple(patients), detail={"entries": len(texts)})


async def _served(exchange: Exchange, entries: list[Entry], tx: Tx) -> Answer:
    answers = await Transaction(exchange, entries, tx).run()
    pairs = zip(answers, entries, strict=True)
    texts = [response_entry(answer, shown=is_shown(exchange, one)) for answer, (one, _) in pairs]
    patients = tuple(dict.fromkeys(patient for answer in answers for patient in answer.patients))
    body = bundle("transaction-response", texts, ())
    return Answer(200, body, patients=patients, detail={"entries": len(texts)})


def is_shown(exchange: Exchange, one: Exchange) -> bool:
    """Reads show what they read; writes only when asked to."""
    asked = exchange.preferences.get("return")
    return dispatch.is_read(one) or asked in ("representation", "OperationOutcome")


def response_entry(answer: Answer, *, shown: bool) -> str:
    """One entry of a response Bundle."""
    response: dict[str, Any] = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    if answer.location is not None:
        response["location"] = answer.location
    if answer.etag is not None:
        response["etag"] = answer.etag
    if answer.modified is not None:
        response["lastModified"] = instant(answer.modified)
    if not shown or not answer.body or answer.media_type is not None:
        return f'{{"response":{dumps(response)}}}'
    if answer.body.startswith('{"resourceType":"OperationOutcome"'):
        return f'{{"response":{dumps(response)[:-1]},"outcome":{answer.body}}}}}'
    return f'{{"resource":{answer.body},"response":{dumps(response)}}}'


def refused_entry(problem: LianeError, language: str) -> str:
    """The entry of a response Bundle for one that could not be served."""
    status = status_of(problem)
    response = dumps({"status": f"{status} {HTTPStatus(status).phrase}"})
    return f'{{"response":{response[:-1]},"outcome":{outcome(problem, language)}}}}}'
