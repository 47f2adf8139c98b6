"""How is a bulk export carried out, stretch by stretch, so that a kill costs one stretch at most?

Each stretch is one short transaction and one checkpoint: files made durable, the place kept, one
journal entry for each patient whose data went out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from liane.access import journal
from liane.access.journal import Act
from liane.gateways.fhir.asynchronous import files, requests
from liane.gateways.fhir.asynchronous.requests import Request
from liane.gateways.fhir.asynchronous.running import Work
from liane.gateways.fhir.operations.export_asking import Ask
from liane.gateways.fhir.operations.export_filing import Filing
from liane.gateways.fhir.operations.export_filtering import filtered
from liane.gateways.fhir.operations.export_reading import Q, Stretch, copy_out, statement
from liane.store import Database, Tx

ROWS = 50_000
"""Row numbers of one stretch."""
PATIENTS = 200
"""Patients of one stretch, when only some are wanted."""
PATIENCE_SECONDS = 10.0
"""How long writers that began before the export are waited for."""
ENTRIES_AT_ONCE = 1000


def export_work(home: Path) -> Work:
    """What the worker does for `$export`."""

    async def work(database: Database, request: Request) -> dict[str, Any]:
        run = _Run(database, request, home)
        try:
            return await run.whole()
        finally:
            run.filing.files.abandon()

    return work


class _Run:
    """One run of one export."""

    def __init__(self, database: Database, request: Request, home: Path) -> None:
        self.database = database
        self.request = request
        self.ask = Ask.of(request.ask)
        self.place = dict(request.place)
        folder = files.folder_of(home, request.id)
        self.filing = Filing(files.Files(folder, self.place.get("files", [])), self.ask)

    async def whole(self) -> dict[str, Any]:
        """Every stretch that is not done yet; what the manifest needs."""
        await self._earlier_writers()
        filters = dict.fromkeys(type_ for type_, _ in self.ask.filters)
        plain = tuple(t for t in self.ask.types if t not in filters)
        stretches = await self._stretches() if plain else []
        for number, stretch in enumerate(stretches, 1):
            if number > self.place.get("stretches", 0):
                await self._stretch(plain, stretch)
                await self._checkpoint({"stretches": number}, number / (len(stretches) + 1))
        for type_ in filters:
            if type_ in self.ask.types and type_ not in self.place.get("filtered", []):
                await self._filtered(type_)
        if self.ask.since and not self.place.get("gone"):
            sql, args = statement("gone", self.ask, self.request.actor, self.request.asked)
            await copy_out(self.database, sql, args, self.filing.take_gone)
            await self._checkpoint({"gone": True}, None)
        told = await asyncio.to_thread(self.filing.files.close)
        return {"files": told, "count": self.filing.files.count}

    async def _earlier_writers(self) -> None:
        """Wait for units of work begun before the export: what they commit belongs to it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while loop.time() < until:
            async with self.database.reading() as tx:
                if not await tx.fetchval(Q.writers_since_before, self.request.asked):
                    return
            await asyncio.sleep(0.1)

    async def _stretches(self) -> list[Stretch]:
        """All stretches, the same in every run: the end is kept with the first."""
        patients = self.ask.patients
        if patients is not None:
            return [Stretch(patients=some) for some in _cut(patients, PATIENTS)]
        if "high" not in self.place:
            async with self.database.reading() as tx:
                row = await tx.fetchrow(Q.bounds)
            self.place |= {"low": row["low"] - 1, "high": row["high"]}
        low, high = self.place["low"], self.place["high"]
        return [Stretch(n, min(n + ROWS, high)) for n in range(low, high, ROWS)]

    async def _stretch(self, types: tuple[str, ...], stretch: Stretch) -> None:
        ask = self.ask if types == self.ask.types else _only(self.ask, types)
        sql, args = statement("stretch", ask, self.request.actor, self.request.asked, stretch)
        await copy_out(self.database, sql, args, self.filing.take)

    async def _filtered(self, type_: str) -> None:
        async for lines in filtered(self.database, self.request, self.ask, type_):
            await asyncio.to_thread(self.filing.take, lines)
        await self._checkpoint({"filtered": [*self.place.get("filtered", []), type_]}, None)

    async def _checkpoint(self, news: dict[str, Any], share: float | None) -> None:
        """Keep what was written, where to go on, and whose data it was."""
        told = await asyncio.to_thread(self.filing.files.checkpoint)
        self.place |= {**news, "files": told}
        patients = sorted(self.filing.patients)
        self.filing.patients.clear()
        async with self.database.transaction() as tx:
            await requests.advance(tx, self.request, self.filing.files.count, share, self.place)
            await _journal(tx, self.request, patients)


async def _journal(tx: Tx, request: Request, patients: Sequence[str]) -> None:
    for some in _cut(tuple(patients), ENTRIES_AT_ONCE):
        acts = [Act("FHIR $export", patient, f"$job/{request.id}") for patient in some]
        await journal.record_many(tx, request.actor, acts)
        await asyncio.sleep(0)


def _cut(many: tuple[str, ...], size: int) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(many), size):
        yield many[start : start + size]


def _only(ask: Ask, types: tuple[str, ...]) -> Ask:
    return Ask(ask.reach, types, ask.patients, ask.since, ask.filters, ask.elements)
