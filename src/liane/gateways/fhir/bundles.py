"""How are many interactions sent in one Bundle served? (R4 http, batch and transaction)

A transaction is all or nothing: conditions are looked up, identities given, references between
entries replaced, then everything is written in one go. A batch serves each entry by itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from liane.base.errors import Invalid, LianeError
from liane.fhir.json import dumps
from liane.gateways.fhir import dispatch, journaling
from liane.gateways.fhir.answers import bundle
from liane.gateways.fhir.exchange import Answer, Exchange, items_of
from liane.gateways.fhir.outcomes import as_liane_error, outcome, status_of
from liane.gateways.fhir.transactions import Transaction
from liane.store.versions import instant

LIMIT_ENTRIES = 20_000
_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 410: "Gone", 412: "Precondition Failed", 422: "Unprocessable Entity",
    429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


async def serve_bundle(exchange: Exchange, language: str) -> Answer:
    """A batch or transaction sent to the base address."""
    resource = exchange.body
    if resource.get("resourceType") != "Bundle":
        raise Invalid("fhir.bundle", "Un Bundle est attendu ici.", "A Bundle is expected here.")
    entries = _entries(exchange, resource)
    if resource.get("type") == "batch":
        return await _batch(exchange, entries, language)
    if resource.get("type") != "transaction":
        raise Invalid(
            "fhir.bundle-type",
            "Seuls les Bundles de type batch et transaction sont traités ici.",
            "Only Bundles of type batch and transaction are processed here.",
        )
    return await _transaction(exchange, entries)


def _entries(exchange: Exchange, resource: dict[str, Any]) -> list[tuple[Exchange, str | None]]:
    """Each entry as an exchange of its own, with its fullUrl."""
    entries = resource.get("entry", [])
    if not isinstance(entries, list) or len(entries) > LIMIT_ENTRIES:
        raise Invalid(
            "fhir.too-large",
            f"Un Bundle porte au plus {LIMIT_ENTRIES} entrées.",
            f"A Bundle holds at most {LIMIT_ENTRIES} entries.",
        )
    return [_entry(exchange, index, entry) for index, entry in enumerate(entries)]


def _entry(exchange: Exchange, index: int, entry: Any) -> tuple[Exchange, str | None]:
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not all(
        isinstance(request.get(name), str) for name in ("method", "url")
    ):
        raise Invalid(
            "fhir.entry",
            f"L’entrée {index} n’a pas de request.method et request.url.",
            f"Entry {index} has no request.method and request.url.",
        )
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
    )
    return one, entry.get("fullUrl")


async def _batch(
    exchange: Exchange, entries: list[tuple[Exchange, str | None]], language: str
) -> Answer:
    texts = []
    patients: dict[str | None, None] = {}
    for one, _ in entries:
        try:
            answer = await dispatch.run(one)
            patients.update(dict.fromkeys(answer.patients))
            texts.append(response_entry(answer, shown=_shown(exchange, one)))
        except LianeError as problem:
            if problem.http_status == 403:
                await journaling.refused(one, problem)
            texts.append(_refused_entry(problem, language))
        except Exception as problem:  # noqa: BLE001 - one entry must not take the others with it
            texts.append(_refused_entry(as_liane_error(problem), language))
    body = bundle("batch-response", texts, ())
    return Answer(200, body, patients=tuple(patients), detail={"entries": len(texts)})


async def _transaction(exchange: Exchange, entries: list[tuple[Exchange, str | None]]) -> Answer:
    async with exchange.parts.database.transaction() as tx:
        answers = await Transaction(exchange, entries, tx).run()
    pairs = zip(answers, entries, strict=True)
    texts = [response_entry(answer, shown=_shown(exchange, one)) for answer, (one, _) in pairs]
    patients = tuple(dict.fromkeys(patient for answer in answers for patient in answer.patients))
    body = bundle("transaction-response", texts, ())
    return Answer(200, body, patients=patients, detail={"entries": len(texts)})


def _shown(exchange: Exchange, one: Exchange) -> bool:
    """Reads show what they read; writes only when asked to."""
    return dispatch.is_read(one) or "return=representation" in exchange.prefer


def response_entry(answer: Answer, *, shown: bool) -> str:
    """One entry of a response Bundle."""
    response: dict[str, Any] = {"status": f"{answer.status} {_REASONS.get(answer.status, '')}"}
    if answer.location is not None:
        response["location"] = answer.location
    if answer.etag is not None:
        response["etag"] = answer.etag
    if answer.modified is not None:
        response["lastModified"] = instant(answer.modified)
    resource = f'"resource":{answer.body},' if shown and answer.body else ""
    return f'{{{resource}"response":{dumps(response)}}}'


def _refused_entry(problem: LianeError, language: str) -> str:
    status = status_of(problem)
    response = dumps({"status": f"{status} {_REASONS.get(status, '')}"})
    return f'{{"response":{response[:-1]},"outcome":{outcome(problem, language)}}}}}'
