"""How is the index of the record made again, and how far is it? (`$reindex`, for administrators)

`POST /fhir/$reindex?type=Patient,Observation` walks over the resources of these types (all without
`type`) and puts their keys right while the house works. `GET /fhir/$reindex-status` tells how far
the walk is, and the state of each search parameter that the establishment made itself.
"""

from __future__ import annotations

from typing import Any

from liane.fhir import definitions
from liane.fhir.json import dumps
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.explaining import require_administrator
from liane.gateways.fhir.operations.registry import Operation
from liane.store import Tx
from liane.store.search import custom, indexing
from liane.store.search.refusals import unknown


async def begin(exchange: Exchange, tx: Tx) -> Answer:
    """Queue the walk; the answer tells the state as it is now."""
    await require_administrator(exchange, tx)
    named = [
        type_
        for name, value in exchange.parameters()
        if name == "type"
        for type_ in value.split(",")
        if type_
    ]
    for type_ in named:
        if type_ not in definitions.resources():
            raise unknown("$reindex", type_, definitions.types()).refusal
    await indexing.begin_whole(tx, named or definitions.types())
    return Answer(202, dumps(await _state(tx)), detail={"types": len(named)})


async def progress(exchange: Exchange, tx: Tx) -> Answer:
    """How far every index is."""
    await require_administrator(exchange, tx)
    return Answer(200, dumps(await _state(tx)), patients=(None,))


async def _state(tx: Tx) -> dict[str, Any]:
    told = []
    for one in await custom.refresh(tx):
        parts: list[dict[str, Any]] = [
            {"name": "id", "valueString": one.id},
            {"name": "code", "valueString": one.code},
            {"name": "state", "valueCode": one.state},
            {"name": "done", "valueDecimal": one.done},
            {"name": "total", "valueDecimal": one.total},
        ]
        if one.problem is not None:
            parts.append({"name": "problem", "valueString": one.problem})
        told.append({"name": "index", "part": parts})
    return {"resourceType": "Parameters", "parameter": told}


_DEFINITION = "https://liane.example/fhir/OperationDefinition/reindex"

OPERATIONS = (
    Operation(
        "reindex",
        frozenset({"system"}),
        frozenset(),
        begin,
        _DEFINITION,
        writes=True,
        methods=frozenset({"POST"}),
    ),
    Operation(
        "reindex-status",
        frozenset({"system"}),
        frozenset(),
        progress,
        f"{_DEFINITION}-status",
        methods=frozenset({"GET"}),
    ),
)
