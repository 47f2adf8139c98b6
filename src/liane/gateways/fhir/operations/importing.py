"""How does a program bring many resources in at once, from files? (`$import`)

Answered by the worker, like `$export`; `asynchronous.polling` tells how far it is, what was stored
and what was refused.
"""

from __future__ import annotations

from liane.access import gate, journal
from liane.access.permissions import Permission
from liane.gateways.fhir.asynchronous import requests
from liane.gateways.fhir.asynchronous.polling import accepted, asked_url
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations.import_asking import understood
from liane.gateways.fhir.operations.registry import Operation


async def serve(exchange: Exchange, _tx: None) -> Answer:
    """Keep the request; 202 with the address to ask how far it is."""
    database = exchange.parts.database
    async with database.reading() as tx:
        await gate.require(tx, exchange.actor, Permission.FHIR_API)
    inputs = await understood(exchange)
    async with database.transaction() as tx:
        ask = {"inputs": [one.kept() for one in inputs]}
        id_ = await requests.begin(tx, exchange.actor, "import", asked_url(exchange), ask)
        await journal.record(
            tx,
            exchange.actor,
            "FHIR $import",
            resource=f"$job/{id_}",
            detail={"files": len(inputs), "types": sorted({one.type for one in inputs})},
        )
    return accepted(exchange, id_)


OPERATIONS = (
    Operation(
        "import",
        frozenset({"system"}),
        frozenset(),
        serve,
        "https://liane.example/fhir/OperationDefinition/import",
        alone=True,
        writes=True,
    ),
)
