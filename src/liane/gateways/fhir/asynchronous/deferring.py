"""How is a search, a history or a Bundle that takes long answered later? (`Prefer: respond-async`)

http://hl7.org/fhir/R4/async.html. The worker asks the same in the asker's name; the Bundle that
answers is the one line of the one file of the manifest. What it shows is in the journal before it
can be fetched. `bundling` carries out the Bundles that write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from liane.gateways.fhir import dispatch, journaling
from liane.gateways.fhir.asynchronous import bundling, files, requests
from liane.gateways.fhir.asynchronous.polling import accepted, asked_url
from liane.gateways.fhir.asynchronous.requests import Request
from liane.gateways.fhir.asynchronous.running import Work
from liane.gateways.fhir.exchange import Answer, Choices, Exchange, Parts, WriteMany
from liane.rooms import record
from liane.store import Database
from liane.ui.services import Services


def wanted(exchange: Exchange) -> bool:
    """Whether a later answer is asked for, to a search, a history or a Bundle."""
    if "respond-async" not in exchange.preferences or exchange.path[:1] == ("metadata",):
        return False
    if any(part.startswith("$") for part in exchange.path):
        return False
    if exchange.method == "POST" and not exchange.path:
        return True
    searches = exchange.method == "GET" and len(exchange.path) == 1 and bool(exchange.path[0])
    return searches or (
        exchange.path[-1:] in (("_search",), ("_history",)) and exchange.method in ("GET", "POST")
    )


async def deferred(exchange: Exchange) -> Answer:
    """Keep the question; 202 with the address to ask how far it is."""
    if not exchange.path:
        return await bundling.deferred(exchange)
    ask = {
        "method": exchange.method,
        "path": list(exchange.path),
        "query": [list(item) for item in exchange.query],
        "prefer": "handling=lenient" if exchange.lenient else "",
        "language": exchange.language,
    }
    async with exchange.parts.database.transaction() as tx:
        id_ = await requests.begin(tx, exchange.actor, "request", asked_url(exchange), ask)
    return accepted(exchange, id_)


def deferred_work(
    services: Services, choices: Choices, writers: Mapping[str, WriteMany] | None = None
) -> Work:
    """What the worker does for a question put off."""
    parts = _parts(services, choices, writers or {})

    async def work(database: Database, request: Request) -> dict[str, Any]:
        exchange = _exchange(replace(parts, database=database), request)
        answer = await dispatch.run(exchange)
        await journaling.shown(exchange, answer)
        held = files.Files(files.folder_of(services.home, request.id), [])
        held.write("Bundle", answer.body.encode() + b"\n", 1)
        return {"files": await asyncio.to_thread(held.close), "count": 1}

    return work


def bundle_work(
    services: Services, choices: Choices, writers: Mapping[str, WriteMany] | None = None
) -> Work:
    """What the worker does for a Bundle put off."""
    parts = _parts(services, choices, writers or {})

    async def work(database: Database, request: Request) -> None:
        await bundling.carried_out(_exchange(replace(parts, database=database), request), request)

    return work


def _parts(services: Services, choices: Choices, writers: Mapping[str, WriteMany]) -> Parts:
    async def no_token(_token: str) -> None:
        return None

    return Parts(
        database=services.database,
        write=record.write_resources,
        writers=writers,
        check_token=no_token,
        base=f"{services.base_url.rstrip('/')}/fhir",
        services=services,
        choices=choices,
    )


def _exchange(parts: Parts, request: Request) -> Exchange:
    ask = request.ask
    return Exchange(
        parts=parts,
        actor=request.actor,
        method=ask.get("method", "POST"),
        path=tuple(ask.get("path", ())),
        query=[(name, value) for name, value in ask.get("query", ())],
        prefer=ask["prefer"],
        language=ask["language"],
    )
