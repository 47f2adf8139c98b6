"""How is a search or a history that takes long answered later? (`Prefer: respond-async`)

http://hl7.org/fhir/R4/async.html. The worker asks the same question in the asker's name; the Bundle
is the one line of the one file of the manifest. What it shows is in the journal before it can be
fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from liane.gateways.fhir import journaling
from liane.gateways.fhir.asynchronous import files, requests
from liane.gateways.fhir.asynchronous.polling import accepted, asked_url
from liane.gateways.fhir.asynchronous.requests import Request
from liane.gateways.fhir.asynchronous.running import Work
from liane.gateways.fhir.exchange import Answer, Choices, Exchange, Parts, WriteMany
from liane.rooms import record
from liane.store import Database
from liane.ui.services import Services


def wanted(exchange: Exchange) -> bool:
    """Whether a later answer is asked for, to a search or a history."""
    if "respond-async" not in exchange.preferences or exchange.path[:1] == ("metadata",):
        return False
    if any(part.startswith("$") for part in exchange.path):
        return False
    searches = exchange.method == "GET" and len(exchange.path) == 1 and bool(exchange.path[0])
    return searches or (
        exchange.path[-1:] in (("_search",), ("_history",)) and exchange.method in ("GET", "POST")
    )


async def deferred(exchange: Exchange) -> Answer:
    """Keep the question; 202 with the address to ask how far it is."""
    ask = {
        "method": exchange.method,
        "path": list(exchange.path),
        "query": [list(item) for item in exchange.query],
        "lenient": exchange.lenient,
        "language": exchange.language,
    }
    async with exchange.parts.database.transaction() as tx:
        id_ = await requests.begin(tx, exchange.actor, "request", asked_url(exchange), ask)
    return accepted(exchange, id_)


def deferred_work(
    services: Services, choices: Choices, writers: Mapping[str, WriteMany] | None = None
) -> Work:
    """What the worker does for a question put off."""

    async def no_token(_token: str) -> None:
        return None

    parts = Parts(
        database=services.database,
        write=record.write_resources,
        writers=writers or {},
        check_token=no_token,
        base=f"{services.base_url.rstrip('/')}/fhir",
        services=services,
        choices=choices,
    )

    async def work(database: Database, request: Request) -> dict[str, Any]:
        from liane.gateways.fhir import dispatch  # it knows the operations, and they know us

        exchange = _exchange(replace(parts, database=database), request)
        answer = await dispatch.run(exchange)
        await journaling.shown(exchange, answer)
        held = files.Files(files.folder_of(services.home, request.id), [])
        held.write("Bundle", answer.body.encode() + b"\n", 1)
        return {"files": await asyncio.to_thread(held.close), "count": 1}

    return work


def _exchange(parts: Parts, request: Request) -> Exchange:
    ask = request.ask
    return Exchange(
        parts=parts,
        actor=request.actor,
        method=ask["method"],
        path=tuple(ask["path"]),
        query=[(name, value) for name, value in ask["query"]],
        prefer="handling=lenient" if ask["lenient"] else "",
        language=ask["language"],
    )
