"""How does a program fetch the whole record, a group's or all patients', in files? (`$export`)

Bulk Data Access IG 2. The request is kept and answered by the worker; `asynchronous.polling` tells
how far it is and gives the files.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from liane.access import journal
from liane.gateways.fhir.asynchronous import requests
from liane.gateways.fhir.asynchronous.polling import accepted, asked_url
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations.export_asking import Reach, understood
from liane.gateways.fhir.operations.registry import Operation

_DEFINITIONS = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"


def _kick_off(reach: Reach) -> Callable[[Exchange, None], Awaitable[Answer]]:
    async def serve(exchange: Exchange, _tx: None) -> Answer:
        """https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-kick-off-request"""
        database = exchange.parts.database
        async with database.transaction() as tx:
            ask = await understood(exchange, tx, reach)
            url = asked_url(exchange)
            id_ = await requests.begin(tx, exchange.actor, "export", url, ask.kept())
            await journal.record(
                tx,
                exchange.actor,
                "FHIR $export",
                resource=f"$job/{id_}",
                detail={"reach": reach, "types": len(ask.types)},
            )
        return accepted(exchange, id_)

    return serve


OPERATIONS = (
    Operation(
        "export",
        frozenset({"system"}),
        frozenset(),
        _kick_off("system"),
        f"{_DEFINITIONS}/export",
        alone=True,
    ),
    Operation(
        "export",
        frozenset({"type"}),
        frozenset({"Patient"}),
        _kick_off("patient"),
        f"{_DEFINITIONS}/patient-export",
        alone=True,
    ),
    Operation(
        "export",
        frozenset({"instance"}),
        frozenset({"Group"}),
        _kick_off("group"),
        f"{_DEFINITIONS}/group-export",
        alone=True,
    ),
)
