"""Which interaction does an address and a method mean? (R4 http, summary table)"""

from __future__ import annotations

from urllib.parse import urlencode

from liane.base.errors import Invalid, NotFound
from liane.base.ids import is_fhir_id
from liane.fhir import definitions
from liane.gateways.fhir import interactions, searching
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import REGISTRY, Operation
from liane.store import Tx

READS = frozenset({"GET", "HEAD"})


def is_read(exchange: Exchange) -> bool:
    """Whether the interaction changes nothing (a search by POST included)."""
    if exchange.method in READS or exchange.path[-1:] == ("_search",):
        return True
    operation = operation_of(exchange)
    return operation is not None and not operation.writes


async def run(exchange: Exchange) -> Answer:
    """Serve in a unit of work of its own, reading or writing as the interaction needs."""
    operation = operation_of(exchange)
    if operation is not None and operation.alone:
        return await _called(operation, exchange).call(exchange, None)
    database = exchange.parts.database
    opened = database.reading() if is_read(exchange) else database.transaction()
    async with opened as tx:
        return await serve(exchange, tx)


async def serve(exchange: Exchange, tx: Tx) -> Answer:
    """Serve any interaction on one resource, one type or the whole system, but not a Bundle."""
    path = exchange.path
    method = "GET" if exchange.method == "HEAD" else exchange.method
    operation = operation_of(exchange)
    if operation is not None:
        return await _called(operation, exchange).call(exchange, tx)
    if not path or path[0].startswith(("_", "$")):
        return await _system(exchange, tx, method)
    type_ = path[0]
    _known(type_)
    if len(path) == 1 or path[1].startswith(("_", "$")):
        return await _type(exchange, tx, method, type_)
    _check_id(path[1])
    return await _instance(exchange, tx, method, type_, path[1])


def operation_of(exchange: Exchange) -> Operation | None:
    """The operation that the address names, at the level where its `$name` stands."""
    path = exchange.path
    for place, level in enumerate(("system", "type", "instance")):
        if len(path) > place and path[place].startswith("$"):
            type_ = path[0] if place else None
            found = REGISTRY.find(level, type_, path[place][1:])  # type: ignore[arg-type]
            if found is None or (len(path) > place + 1 and not found.deeper):
                return None
            return found
    return None


def _called(operation: Operation, exchange: Exchange) -> Operation:
    """The operation, when its address and method are right."""
    path = exchange.path
    if not path[0].startswith("$"):
        _known(path[0])
        if not path[1].startswith("$"):
            _check_id(path[1])
    if not operation.allows(exchange.method):
        raise not_allowed()
    return operation


def _known(type_: str) -> None:
    if type_ not in definitions.types():
        raise NotFound(
            "fhir.type",
            f"« {type_[:64]} » n’est pas un type de ressource FHIR R4.",
            f"'{type_[:64]}' is not a FHIR R4 resource type.",
        )


def _check_id(id_: str) -> None:
    if not is_fhir_id(id_):
        raise Invalid("fhir.id", "Identifiant de ressource invalide.", "Not a valid resource id.")


async def _system(exchange: Exchange, tx: Tx, method: str) -> Answer:
    if method == "GET" and exchange.path == ("_history",):
        return await interactions.history(exchange, tx, None, None)
    raise unknown_address()


async def _type(exchange: Exchange, tx: Tx, method: str, type_: str) -> Answer:
    rest = exchange.path[1:]
    criteria = urlencode(exchange.query)
    match method, rest:
        case "GET", ():
            return await searching.search_type(exchange, tx, type_)
        case "POST", ("_search",):
            return await searching.search_type(exchange, tx, type_)
        case "POST", ():
            return await interactions.create(exchange, tx, type_)
        case "PUT", () if criteria:
            return await interactions.conditional_update(exchange, tx, type_, criteria)
        case "GET", ("_history",):
            return await interactions.history(exchange, tx, type_, None)
    raise not_allowed()


async def _instance(exchange: Exchange, tx: Tx, method: str, type_: str, id_: str) -> Answer:
    match method, exchange.path[2:]:
        case "GET", ():
            return await interactions.read(exchange, tx, type_, id_)
        case "PUT", ():
            return await interactions.update(exchange, tx, type_, id_)
        case "DELETE", ():
            return await interactions.delete(exchange, tx, type_, id_)
        case "GET", ("_history",):
            return await interactions.history(exchange, tx, type_, id_)
        case "GET", ("_history", number):
            return await interactions.vread(exchange, tx, type_, id_, number)
    raise not_allowed()


def unknown_address() -> NotFound:
    """No interaction has this address."""
    return NotFound("fhir.address", "Adresse inconnue.", "Unknown address.")


def not_allowed() -> Invalid:
    """The address exists, the method does not apply to it."""
    return Invalid(
        "fhir.method",
        "Cette interaction n’est pas offerte ici ; voir /fhir/metadata.",
        "This interaction is not offered here; see /fhir/metadata.",
    )
