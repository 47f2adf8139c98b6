"""What does the record answer to a GraphQL document? (FHIR R4, graphql.html)

Reading only. Every resource passes the gate and is in the journal; lists are searches with the
reader's restriction inside the query.
"""

from __future__ import annotations

from liane.access import gate
from liane.access.permissions import Permission
from liane.fhir import json as fhir_json
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.graphql import checking
from liane.gateways.fhir.graphql.answering import Answering
from liane.gateways.fhir.graphql.documents import Document
from liane.gateways.fhir.graphql.limits import Budget
from liane.gateways.fhir.graphql.reading import asked
from liane.gateways.fhir.graphql.record import Record
from liane.gateways.fhir.operations.registry import Operation
from liane.store import Tx

DEFINITION = "http://hl7.org/fhir/OperationDefinition/Resource-graphql"


async def of_system(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/graphql.html, at the base address"""
    answering = await _prepared(exchange, tx)
    checking.check_system(answering.document)
    return _answer(answering, await answering.system())


async def of_instance(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/graphql.html, on one resource"""
    answering = await _prepared(exchange, tx)
    checking.check_instance(answering.document, exchange.type)
    resource = await answering.record.required(exchange.type, exchange.id)
    return _answer(answering, await answering.instance(resource))


async def _prepared(exchange: Exchange, tx: Tx) -> Answering:
    await gate.require(tx, exchange.actor, Permission.FHIR_API)
    document = Document(asked(exchange))
    budget = Budget()
    return Answering(document, Record(exchange, tx, budget), budget)


def _answer(answering: Answering, data: object) -> Answer:
    body: dict[str, object] = {"data": data}
    if answering.errors:
        body["errors"] = answering.errors
    record = answering.record
    return Answer(
        200,
        patients=tuple(record.patients) or (None,),
        detail={"graphql": True, "count": record.count, "refused": record.refused},
        media_type="application/json",
        content=fhir_json.dump_bytes(body),
    )


OPERATIONS = (
    Operation("graphql", frozenset({"system"}), frozenset(), of_system, DEFINITION),
    Operation("graphql", frozenset({"instance"}), frozenset(), of_instance, DEFINITION),
)
