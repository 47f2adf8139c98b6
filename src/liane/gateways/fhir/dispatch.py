"""Which interaction does an address and a method mean? (R4 http, summary table)

One table, which the CapabilityStatement and the OpenAPI description are made from as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from liane.base.errors import Conflict, Invalid, NotFound
from liane.base.ids import is_fhir_id
from liane.fhir import definitions
from liane.gateways.fhir import changes, conditional, histories, interactions, searching
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import REGISTRY, Level, Operation
from liane.store import Database, Tx
from liane.store.together import rounds_of

READS = frozenset({"GET", "HEAD"})
TRIES = 3
"""How often a write begins that another one overtakes."""
_HEAVY = frozenset(
    {
        "Binary", "Bundle", "CodeSystem", "ConceptMap", "DocumentReference", "SearchParameter",
        "StructureDefinition", "Subscription", "ValueSet",
    }
)  # fmt: skip
"""Types that may be large, or whose writing sets other work in motion: they hold up nobody."""
Handler = Callable[[Exchange, Tx], Awaitable[Answer]]
_LEVELS: tuple[Level, ...] = ("system", "type", "instance")


@dataclass(frozen=True, slots=True)
class Interaction:
    """One row of the table: at this address, this method does that."""

    code: str
    """As in http://hl7.org/fhir/R4/valueset-type-restful-interaction.html"""
    method: str
    address: str
    """Below the base; `[type]`, `[id]`, `[vid]` and `[of]` (a type of a compartment, or `*`) stand
    for one part each."""
    serve: Handler
    conditional: bool = False
    """It names the resource by search criteria."""


async def _search(exchange: Exchange, tx: Tx) -> Answer:
    return await searching.search_type(exchange, tx, exchange.type)


INTERACTIONS = (
    Interaction("history-system", "GET", "_history", histories.of_system),
    Interaction("search-type", "GET", "[type]", _search),
    Interaction("search-type", "POST", "[type]/_search", _search),
    Interaction("search-type", "GET", "[type]/[id]/[of]", searching.search_compartment),
    Interaction("search-system", "GET", "", searching.search_system),
    Interaction("search-system", "POST", "_search", searching.search_system),
    Interaction("create", "POST", "[type]", interactions.create),
    Interaction("update", "PUT", "[type]", conditional.update, conditional=True),
    Interaction("patch", "PATCH", "[type]", conditional.patch, conditional=True),
    Interaction("delete", "DELETE", "[type]", conditional.delete, conditional=True),
    Interaction("history-type", "GET", "[type]/_history", histories.of_type),
    Interaction("read", "GET", "[type]/[id]", interactions.read),
    Interaction("update", "PUT", "[type]/[id]", interactions.update),
    Interaction("patch", "PATCH", "[type]/[id]", changes.patch),
    Interaction("delete", "DELETE", "[type]/[id]", interactions.delete),
    Interaction("history-instance", "GET", "[type]/[id]/_history", histories.of_instance),
    Interaction("vread", "GET", "[type]/[id]/_history/[vid]", interactions.vread),
)
_TABLE = {(one.address, one.method): one for one in INTERACTIONS}
_METHODS = {
    address: [one.method for one in INTERACTIONS if one.address == address]
    for address in dict.fromkeys(one.address for one in INTERACTIONS)
}


def is_read(exchange: Exchange) -> bool:
    """Whether the interaction changes nothing (a search by POST included)."""
    if exchange.method in READS or exchange.path[-1:] == ("_search",):
        return True
    operation = operation_of(exchange)
    return operation is not None and not operation.writes


def may_be_raw(exchange: Exchange) -> bool:
    """Whether the answer may be of no FHIR format: the content of a Binary, an operation."""
    return operation_of(exchange) is not None or (
        exchange.path[:1] == ("Binary",) and exchange.method in READS
    )


async def run(exchange: Exchange) -> Answer:
    """Serve in a unit of work of its own, reading or writing as the interaction needs."""
    operation = operation_of(exchange)
    if operation is not None and operation.alone:
        return await _called(operation, exchange).call(exchange, None)
    database = exchange.parts.database
    if is_read(exchange):
        code = "operation" if operation is not None else interaction_of(exchange).code
        async with _unit_of_reading(database, code) as tx:
            return await serve(exchange, tx)
    shares = operation is None and _may_share(exchange)
    for attempt in range(TRIES):
        try:
            if shares:
                return await rounds_of(database).run(lambda tx: serve(exchange, tx))
            async with database.transaction() as tx:
                return await serve(exchange, tx)
        except Conflict as conflict:
            # Two wrote the same new thing at once: the second one finds it now.
            if conflict.code != "store.overtaken" or attempt == TRIES - 1:
                raise
    raise AssertionError


def _unit_of_reading(database: Database, code: str) -> AbstractAsyncContextManager[Tx]:
    """As few round trips as the interaction allows."""
    if code in ("read", "vread"):
        return database.single()
    return database.searching() if code.startswith("search") else database.reading()


def _may_share(exchange: Exchange) -> bool:
    """Whether it may share a transaction with others of the same moment: a plain creation makes
    something new and looks at nothing that another one makes.
    """
    plain = exchange.if_none_exist is None and exchange.resource is not None
    return plain and exchange.type not in _HEAVY and interaction_of(exchange).code == "create"


def inside_bundle(exchange: Exchange) -> Exchange:
    """The entry of a Bundle, when what it asks for can be part of one."""
    operation = operation_of(exchange)
    if not exchange.path or (operation is not None and operation.alone):
        raise Invalid(
            "fhir.not-in-bundle",
            "Cette demande ne peut pas être une entrée de Bundle : l’envoyer seule.",
            "This request cannot be an entry of a Bundle: send it by itself.",
        )
    return exchange


def writing_of(exchange: Exchange) -> Interaction:
    """The row of the table for an entry that writes by itself, not through an operation."""
    if operation_of(exchange) is not None:
        raise Invalid(
            "fhir.not-in-transaction",
            "Une opération qui écrit ne peut pas être une entrée de transaction.",
            "An operation that writes cannot be an entry of a transaction.",
            "L’envoyer seule, ou dans un Bundle de type batch.",
            "Send it by itself, or in a Bundle of type batch.",
        )
    return interaction_of(exchange)


async def serve(exchange: Exchange, tx: Tx) -> Answer:
    """Serve any interaction on one resource, one type or the whole system, but not a Bundle."""
    operation = operation_of(exchange)
    if operation is not None:
        return await _called(operation, exchange).call(exchange, tx)
    return await interaction_of(exchange).serve(exchange, tx)


def interaction_of(exchange: Exchange) -> Interaction:
    """The row of the table. Raises `NotFound` or `Invalid` saying what is wrong."""
    method = "GET" if exchange.method == "HEAD" else exchange.method
    address = address_of(exchange)
    found = _TABLE.get((address, method))
    if found is None or (found.conditional and not exchange.query):
        raise not_allowed(_methods(address))
    return found


def allowed(exchange: Exchange) -> list[str]:
    """The methods that the address takes (RFC 9110, Allow)."""
    operation = operation_of(exchange)
    if operation is not None:
        return [*(m for m in ("GET", "POST", "DELETE") if operation.allows(m)), "OPTIONS"]
    further = [] if exchange.path else ["POST"]
    return [*further, *_methods(address_of(exchange))]


def _methods(address: str) -> list[str]:
    own = _METHODS.get(address, [])
    return [*(["HEAD"] if "GET" in own else []), *own, "OPTIONS"]


def address_of(exchange: Exchange) -> str:
    """The address with its type, id and version replaced by their names, checked."""
    path = exchange.path
    if not path or path[0].startswith(("_", "$")):
        if "/".join(path) in _METHODS or not path:
            return "/".join(path)
        raise unknown_address()
    _check_type(path[0])
    shape = ["[type]"]
    if len(path) > 1 and not path[1].startswith(("_", "$")):
        _check_id(path[1])
        shape.append("[id]")
    shape += path[len(shape) :]
    if shape[2:3] == ["_history"] and len(shape) == 4:
        shape[3] = "[vid]"
    if len(shape) == 3 and (shape[2] == "*" or shape[2] in definitions.types()):
        shape[2] = "[of]"
    return "/".join(shape)


def operation_of(exchange: Exchange) -> Operation | None:
    """The operation that the address names, at the level where its `$name` stands."""
    path = exchange.path
    for place, level in enumerate(_LEVELS):
        if len(path) > place and path[place].startswith("$"):
            found = REGISTRY.find(level, path[0] if place else None, path[place][1:])
            deep = len(path) > place + 1
            return None if found is None or (deep and not found.deeper) else found
    return None


def _called(operation: Operation, exchange: Exchange) -> Operation:
    """The operation, when its address and method are right."""
    path = exchange.path
    if not path[0].startswith("$"):
        _check_type(path[0])
        if not path[1].startswith("$"):
            _check_id(path[1])
    if not operation.allows(exchange.method):
        raise not_allowed(allowed(exchange))
    return operation


def _check_type(type_: str) -> None:
    if type_ not in definitions.types():
        raise NotFound(
            "fhir.type",
            f"« {type_[:64]} » n’est pas un type de ressource FHIR R4.",
            f"'{type_[:64]}' is not a FHIR R4 resource type.",
        )


def _check_id(id_: str) -> None:
    if not is_fhir_id(id_):
        raise Invalid("fhir.id", "Identifiant de ressource invalide.", "Not a valid resource id.")


def unknown_address() -> NotFound:
    """No interaction has this address."""
    return NotFound(
        "fhir.address",
        "Adresse inconnue.",
        "Unknown address.",
        "Voir /fhir/metadata.",
        "See /fhir/metadata.",
    )


def not_allowed(methods: list[str]) -> Invalid:
    """The address exists, the method does not apply to it."""
    told = ", ".join(methods)
    return Invalid(
        "fhir.method",
        f"Cette interaction n’est pas offerte ici (offert : {told}) ; voir /fhir/metadata.",
        f"This interaction is not offered here (offered: {told}); see /fhir/metadata.",
        allowed=told,
    )
