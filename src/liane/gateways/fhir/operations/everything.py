"""What does the record hold about one patient, all of it?"""

from __future__ import annotations

from liane.base.errors import NotFound
from liane.fhir import definitions
from liane.gateways.fhir import authority
from liane.gateways.fhir.answers import bundle, link, search_entry
from liane.gateways.fhir.conditions import Q
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations.registry import Operation
from liane.store import Tx
from liane.store.resources import Version

EVERYTHING_PAGE = 500
EVERYTHING_LIMIT = 2_000


async def everything(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/patient-operation-everything.html"""
    actor = exchange.actor
    id_ = exchange.path[1]
    authority.require_type(actor, "Patient", "r")
    await authority.require_read(tx, actor, id_, "Patient")
    items = exchange.parameters()
    types = [name for name in (dict(items).get("_type") or "").split(",") if name]
    known = types or list(definitions.types())
    allowed = [name for name in known if authority.allows_type(actor, name, "r")]
    count = max(1, exchange.number("_count", EVERYTHING_PAGE, EVERYTHING_LIMIT))
    start = exchange.number("_cursor", 0, 2**62)
    rows = await tx.fetch(Q["everything"], id_, start, count + 1, allowed, None)
    if not rows and not start and not types:
        raise NotFound(
            "fhir.not-found", f"Patient/{id_} n’existe pas.", f"Patient/{id_} does not exist."
        )
    entries = [
        search_entry(exchange, version, "match", version.body)
        for version in (Version(*tuple(row)[:6]) for row in rows[:count])
    ]
    links = [("self", link(exchange, items))]
    if len(rows) > count:
        rest = [item for item in items if item[0] != "_cursor"]
        cursor = str(rows[count - 1]["rid"])
        links.append(("next", link(exchange, [*rest, ("_cursor", cursor)])))
    body = bundle("searchset", entries, links)
    return Answer(200, body, patients=(id_,), detail={"everything": True, "count": len(entries)})


OPERATIONS = (
    Operation(
        "everything",
        frozenset({"instance"}),
        frozenset({"Patient"}),
        everything,
        "http://hl7.org/fhir/OperationDefinition/Patient-everything",
    ),
)
