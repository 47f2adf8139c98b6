"""How is a Bundle that takes long answered later, and carried out exactly once? (`respond-async`)

What was sent is kept with the request until it is answered. A transaction and the note that it is
done are one commit. Of a batch, each entry and the note of what became of it are one commit: a run
that dies is followed by one that goes on after the last entry noted.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from liane.base.errors import Conflict, Unavailable
from liane.base.safe_archive import gunzip
from liane.fhir import json as fhir_json
from liane.gateways.fhir import authority, bundles, dispatch, formats, journaling
from liane.gateways.fhir.answers import bundle
from liane.gateways.fhir.asynchronous import files, requests, running
from liane.gateways.fhir.asynchronous.polling import accepted, asked_url
from liane.gateways.fhir.asynchronous.requests import Overtaken, Request
from liane.gateways.fhir.bodies import LIMIT_BYTES
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.outcomes import as_liane_error
from liane.gateways.fhir.transactions import of_entry
from liane.store import Tx

_KEPT = ("return", "handling")


async def deferred(exchange: Exchange) -> Answer:
    """Keep the Bundle; 202 with the address to ask how far it is."""
    bundles.entries_of(exchange.body)
    wishes = ((name, exchange.preferences.get(name)) for name in _KEPT)
    ask = {
        "prefer": ", ".join(f"{name}={wish}" for name, wish in wishes if wish),
        "language": exchange.language,
    }
    sent = await asyncio.to_thread(_packed, exchange.body)
    async with exchange.parts.database.transaction() as tx:
        id_ = await requests.begin(tx, exchange.actor, "bundle", asked_url(exchange), ask)
        await requests.keep_sent(tx, id_, sent)
    return accepted(exchange, id_)


def _packed(resource: dict[str, Any]) -> bytes:
    return formats.compressed(fhir_json.dump_bytes(resource))


def _unpacked(sent: bytes) -> dict[str, Any]:
    # Written out anew, what was sent can be a little longer than it was.
    limit = 2 * LIMIT_BYTES
    return fhir_json.loads(gunzip(sent, limit_bytes=limit), limit_bytes=limit)


async def carried_out(exchange: Exchange, request: Request) -> None:
    """Do what the Bundle asks and end the request, whichever run of it this is."""
    async with exchange.parts.database.reading() as tx:
        sent = await requests.sent(tx, request.id)
    if sent is None:
        raise Overtaken(request.id)
    resource = await asyncio.to_thread(_unpacked, sent)
    run = _Run(exchange, request)
    if resource["type"] == "transaction":
        await run.transaction(resource, sent)
    else:
        await run.batch(bundles.entries_of(resource))


class _Run:
    """One run of one Bundle."""

    def __init__(self, exchange: Exchange, request: Request) -> None:
        self.exchange = exchange
        self.request = request
        self.database = exchange.parts.database

    async def transaction(self, resource: dict[str, Any], sent: bytes) -> None:
        """All of it and the answer in one commit."""

        async def unit(serve: bundles.Serve) -> Answer:
            async with self.database.transaction() as tx:
                await requests.hold(tx, self.request)
                answer = await serve(tx)
                if answer.patients:
                    await journaling.shown_within(tx, self.exchange, answer)
                await self._end(tx, answer.body)
            return answer

        await bundles.transaction(self.exchange, resource, lambda: _unpacked(sent), unit)

    async def batch(self, entries: list[Any]) -> None:
        """Each entry that is not noted yet, then the answer."""
        for index in range(self.request.done, len(entries)):
            await self._entry(index, entries)
        async with self.database.transaction() as tx:
            await requests.hold(tx, self.request)
            texts = await requests.told_entries(tx, self.request.id)
            await self._end(tx, bundle("batch-response", texts, ()))
            await requests.forget_entries(tx, self.request.id)

    async def _entry(self, index: int, entries: list[Any]) -> None:
        one = self.exchange
        share = (index + 1) / len(entries)
        try:
            with of_entry(index):
                one, _ = bundles.entry_of(self.exchange, index, entries[index])
                dispatch.inside_bundle(one)
                await self._served(one, index, share)
        except (Overtaken, Unavailable):
            raise  # another run goes on here
        except Exception as caught:  # noqa: BLE001 - one entry must not take the others with it
            problem = as_liane_error(caught)
            async with self.database.transaction() as tx:
                await requests.advance(tx, self.request, index + 1, share, {})
                if authority.is_refusal(problem):
                    await journaling.refused_within(tx, one, problem)
                told = bundles.refused_entry(problem, self.exchange.language)
                await requests.tell_entry(tx, self.request.id, index, told)

    async def _served(self, one: Exchange, index: int, share: float) -> None:
        """The entry and the note of what became of it, in one commit."""
        for attempt in range(dispatch.TRIES):
            try:
                async with self.database.transaction() as tx:
                    await requests.advance(tx, self.request, index + 1, share, {})
                    answer = await dispatch.serve(one, tx)
                    if dispatch.is_read(one) or answer.patients:
                        await journaling.shown_within(tx, one, answer)
                    shown = bundles.is_shown(self.exchange, one)
                    told = bundles.response_entry(answer, shown=shown)
                    await requests.tell_entry(tx, self.request.id, index, told)
            except Conflict as conflict:
                if conflict.code != "store.overtaken" or attempt == dispatch.TRIES - 1:
                    raise
            else:
                return

    async def _end(self, tx: Tx, body: str) -> None:
        """Make the answer durable, then say in this commit that it is there."""
        folder = files.folder_of(self.exchange.parts.services.home, self.request.id)
        told = await asyncio.to_thread(_filed, folder, body)
        await running.end(tx, self.request, {"files": told, "count": 1})


def _filed(folder: Path, body: str) -> list[dict[str, Any]]:
    held = files.Files(folder, [])
    held.write("Bundle", body.encode() + b"\n", 1)
    return held.close()
