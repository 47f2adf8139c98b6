"""How does a GraphQL request read the record: each resource and each list through the gate?"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

from liane.access import gate
from liane.access.permissions import Permission
from liane.base.errors import Denied, NotFound
from liane.fhir import definitions
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Exchange, Items
from liane.gateways.fhir.graphql.limits import Budget
from liane.store import Tx, resources, search
from liane.store.resources import Version

_REFERENCE = re.compile(r"(?:(?P<base>https?://.*)/)?(?P<type>[A-Z]\w*)/(?P<id>[A-Za-z0-9.-]{1,64})"
                        r"(?:/_history/(?P<version>\d{1,9}))?", re.ASCII)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search."""

    versions: list[Version]
    total: int | None
    cursor: str | None


class Record:
    """Reads for one request, and remembers whose data it showed, for the journal."""

    def __init__(self, exchange: Exchange, tx: Tx, budget: Budget) -> None:
        self.exchange = exchange
        self.tx = tx
        self.budget = budget
        self.patients: dict[str | None, None] = {}
        self.count = 0
        self.refused = 0
        """What was asked for and not shown, for the journal."""
        self._read: dict[tuple[str, str], dict[str, Any] | None] = {}

    async def read(self, type_: str, id_: str) -> dict[str, Any] | None:
        """The resource; None when there is none that this reader may see."""
        if (type_, id_) not in self._read:
            self.budget.resource()
            self._read[type_, id_] = await self._opened(type_, id_)
        return self._read[type_, id_]

    async def required(self, type_: str, id_: str) -> dict[str, Any]:
        """The resource that the address names.

        Raises `NotFound` (whether it does not exist or is not open to this reader), `Denied` when
        the token does not cover the type.
        """
        authority.require_type(self.exchange.actor, type_, "r")
        version = await resources.read(self.tx, type_, id_)
        if version is None:
            raise authority.absent(type_, id_)
        patient = await authority.require_open(self.tx, self.exchange.actor, version)
        if version.deleted:
            raise authority.absent(type_, id_)
        self._shown(patient)
        return version.resource

    async def _opened(self, type_: str, id_: str) -> dict[str, Any] | None:
        # Others are answered between two readings, however many this request makes.
        await asyncio.sleep(0)
        try:
            return await self.required(type_, id_)
        except (NotFound, Denied) as refusal:
            self.refused += authority.is_refusal(refusal)
            return None

    def _shown(self, patient: str | None) -> None:
        self.patients[patient] = None
        self.count += 1

    async def resolve(self, reference: str) -> dict[str, Any] | None:
        """The resource that a reference of this server points to."""
        match = _REFERENCE.fullmatch(reference[:2_000])
        if match is None or match["type"] not in definitions.types():
            return None
        if match["base"] not in (None, self.exchange.parts.base):
            return None
        return await self.read(match["type"], match["id"])

    async def search(self, type_: str, items: Items, *, total: bool) -> Found:
        """One page of what this reader may see."""
        self.budget.search()
        actor = self.exchange.actor
        authority.require_type(actor, type_, "s")
        await gate.require(self.tx, actor, Permission.FHIR_API)
        asked = [*items, ("_total", "accurate")] if total else items
        query = search.parse_query(type_, asked, tenant=self.tx.tenant)
        limit = gate.restriction(actor, Permission.FHIR_API, resource_type=type_)
        page = await search.run(self.tx, query, limit)
        self.budget.resource(len(page.versions))
        for version in page.versions:
            self._shown(authority.patient_of(version))
        return Found(page.versions, page.total, page.next_cursor)
