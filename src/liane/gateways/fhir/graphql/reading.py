"""Which document, which variables and which operation does a `$graphql` request bring?

GET with `query`, `variables` and `operationName`; POST of application/graphql (the document) or of
application/json (an object with the same three members, or a FHIR Parameters).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from liane.fhir import json as fhir_json
from liane.gateways.fhir.exchange import Exchange
from liane.gateways.fhir.graphql.refusals import wrong

LIMIT_BYTES = 128 * 1024
GRAPHQL = "application/graphql"


class Asked(NamedTuple):
    """The text of a document, the values of its variables, the operation to run."""

    text: str
    variables: dict[str, Any]
    operation: str | None


def asked(exchange: Exchange) -> Asked:
    """What the request asks. Raises `Invalid` when there is no document."""
    query = dict(exchange.query)
    if exchange.method == "POST" and exchange.data:
        return _of_text(exchange, query)
    if exchange.resource is not None and exchange.resource.get("resourceType") != "Parameters":
        members = exchange.resource
        return _checked(
            members.get("query"), members.get("variables"), members.get("operationName")
        )
    query |= dict(exchange.parameters())
    return _checked(
        query.get("query"), _variables(query.get("variables")), query.get("operationName")
    )


def _of_text(exchange: Exchange, query: dict[str, str]) -> Asked:
    if exchange.media != GRAPHQL:
        raise wrong(
            f"type de contenu « {exchange.media[:60]} » : application/graphql ou application/json "
            "est attendu",
            f"content type '{exchange.media[:60]}': application/graphql or application/json is "
            "expected",
        )
    try:
        text = exchange.data.decode()
    except UnicodeDecodeError:
        raise wrong("le document n’est pas en UTF-8", "the document is not in UTF-8") from None
    return _checked(text, _variables(query.get("variables")), query.get("operationName"))


def _variables(text: str | None) -> dict[str, Any] | None:
    return fhir_json.loads(text, limit_bytes=LIMIT_BYTES) if text else None


def _checked(text: Any, variables: Any, operation: Any) -> Asked:
    if not isinstance(text, str) or not text.strip():
        raise wrong("un document (query) est attendu", "a document (query) is expected")
    if len(text) > LIMIT_BYTES:
        raise wrong(
            f"un document de plus de {LIMIT_BYTES} caractères",
            f"a document of more than {LIMIT_BYTES} characters",
        )
    if not isinstance(variables, (dict, type(None))):
        raise wrong("variables est un objet", "variables is an object")
    if not isinstance(operation, (str, type(None))):
        raise wrong("operationName est un texte", "operationName is a text")
    return Asked(text, variables or {}, operation or None)
