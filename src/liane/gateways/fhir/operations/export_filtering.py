"""Which resources of one type meet the searches of `_typeFilter`?

Several searches on one type are alternatives (Bulk Data Access IG 2). Each is answered in the
order of ids, page by page; the pages are merged, so that nothing goes out twice and memory stays
the same however many there are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from liane.access import gate
from liane.access.permissions import Permission
from liane.gateways.fhir import authority
from liane.gateways.fhir.asynchronous.requests import Request
from liane.gateways.fhir.exchange import items_of
from liane.gateways.fhir.operations.export_asking import Ask
from liane.gateways.fhir.operations.export_reading import SEPARATOR
from liane.store import Database, search
from liane.store.resources import Version
from liane.store.search import Restriction

PAGE = 500
_NOT_HERE = frozenset({"_sort", "_count", "_include", "_revinclude", "_summary", "_total"})


async def filtered(
    database: Database, request: Request, ask: Ask, type_: str
) -> AsyncIterator[bytes]:
    """Pieces of rows (type, patient, text) as COPY would send them."""
    streams = [
        _Stream(database, request, ask, type_, criteria)
        for filtered_type, criteria in ask.filters
        if filtered_type == type_
    ]
    for stream in streams:
        await stream.fill()
    rows: list[bytes] = []
    while waiting := [stream for stream in streams if stream.head is not None]:
        lowest = min(stream.head.id for stream in waiting if stream.head is not None)
        chosen: Version | None = None
        for stream in waiting:
            if stream.head is not None and stream.head.id == lowest:
                chosen = stream.head
                await stream.advance()
        if chosen is not None and _wanted(chosen, request, ask):
            patient = authority.patient_of(chosen) or ""
            row = (type_.encode(), patient.encode(), chosen.body.encode())
            rows.append(SEPARATOR.join(row))
        if len(rows) >= PAGE:
            yield b"\n".join(rows)
            rows = []
    if rows:
        yield b"\n".join(rows)


def _wanted(version: Version, request: Request, ask: Ask) -> bool:
    if version.updated > request.asked:
        return False
    return ask.since is None or version.updated > datetime.fromisoformat(ask.since)


class _Stream:
    """The matches of one search, one after the other by id."""

    def __init__(
        self, database: Database, request: Request, ask: Ask, type_: str, criteria: str
    ) -> None:
        self.head: Version | None = None
        self._database = database
        self._type = type_
        kept = [item for item in items_of(criteria) if item[0] not in _NOT_HERE]
        self._items = [*kept, ("_sort", "_id"), ("_count", str(PAGE))]
        self._limit = _limit(request, ask, type_)
        self._page: list[Version] = []
        self._cursor: str | None = None
        self._ended = False

    async def fill(self) -> None:
        """The first match."""
        await self.advance()

    async def advance(self) -> None:
        """The next match; `head` is None at the end."""
        if not self._page and not self._ended:
            items = self._items + ([("_cursor", self._cursor)] if self._cursor else [])
            query = search.parse_query(self._type, items)
            async with self._database.reading() as tx:
                page = await search.run(tx, query, self._limit)
            self._page = list(reversed(page.versions))
            self._cursor = page.next_cursor
            self._ended = page.next_cursor is None
        self.head = self._page.pop() if self._page else None


def _limit(request: Request, ask: Ask, type_: str) -> Restriction | None:
    """The gate's limit, and the patients wanted."""
    own = gate.restriction(request.actor, Permission.FHIR_API, resource_type=type_)
    if ask.reach == "system" and ask.patients is None:
        return own
    args: list[Any] = list(own.args) if own is not None else []
    sql = f"({own.sql})" if own is not None else "true"
    if ask.patients is not None:
        args.append(list(ask.patients))
        sql += f" and {{patient}} = any({{{len(args)}}}::text[])"
    return Restriction(sql, tuple(args), patientless=False)
