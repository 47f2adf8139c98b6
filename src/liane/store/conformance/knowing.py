"""Which definitions and choices hold now, without asking the database at every write?

A process keeps them in memory. It asks for the stamp at most once a second, in the transaction it
is serving; its own changes count at once. A definition written on another node is therefore known
here a second later at most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from weakref import WeakKeyDictionary

from liane.base.errors import LianeError
from liane.fhir import json as fhir_json
from liane.fhir.profiles.catalogue import Catalogue, built_in, from_resources
from liane.fhir.profiles.findings import Kind
from liane.fhir.profiles.policy import DEFAULT, Effect, Policy
from liane.store.database import Database, Tx
from liane.store.sql import queries
from liane.store.versions import Version

log = logging.getLogger(__name__)

Q = queries("liane.store.conformance", "conformance.sql")

FRESH_SECONDS = 1.0
LARGEST_BYTES = 4 * 1024 * 1024
"""A definition with more text than that is not kept in memory (large lists of codes)."""
TYPES = frozenset({"StructureDefinition", "ValueSet", "CodeSystem"})
GROUP = ""
"""The establishment that stands for the whole group."""


@dataclass(slots=True)
class Known:
    """What one process knows of one tenant."""

    stamp: int = -1
    asked: float = 0.0
    catalogue: Catalogue = field(default_factory=built_in)
    policies: Mapping[str, Policy] = field(default_factory=lambda: MappingProxyType({}))
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def policy(self, establishment: str | None) -> Policy:
        """What this establishment, or else the group, has chosen."""
        found = self.policies.get(establishment or GROUP) or self.policies.get(GROUP)
        return found or DEFAULT


_KNOWN: WeakKeyDictionary[Database, Known] = WeakKeyDictionary()


async def known(tx: Tx) -> Known:
    """The definitions and choices of the tenant, at most a second old."""
    held = _KNOWN.get(tx.database)
    if held is None:
        held = _KNOWN[tx.database] = Known()
    if time.monotonic() - held.asked < FRESH_SECONDS:
        return held
    async with held.loading:
        if time.monotonic() - held.asked >= FRESH_SECONDS:
            stamp = await tx.fetchval(Q.stamp, tx.tenant)
            if stamp != held.stamp:
                await _load(tx, held)
                held.stamp = stamp
            held.asked = time.monotonic()
    return held


async def _load(tx: Tx, held: Known) -> None:
    held.policies = await _policies(tx)
    rows = await tx.fetch(Q.definitions, tx.tenant, LARGEST_BYTES)
    bodies = [row["body"] for row in rows]
    held.catalogue = await asyncio.to_thread(_catalogue, bodies) if bodies else built_in()


def _catalogue(bodies: Sequence[str]) -> Catalogue:
    readable = []
    for body in bodies:
        resource = fhir_json.loads(body)
        try:
            from_resources([resource])
        except LianeError as problem:
            # One definition that cannot be read must not take the others away.
            log.warning("%s", problem)
            continue
        readable.append(resource)
    return from_resources(readable)


async def _policies(tx: Tx) -> Mapping[str, Policy]:
    chosen: dict[str, dict[Kind, Effect]] = {}
    for establishment, kind, effect in await tx.fetch(Q.choices, tx.tenant):
        chosen.setdefault(establishment, {})[kind] = effect
    group = chosen.get(GROUP, {})
    return {
        establishment: Policy(MappingProxyType({**DEFAULT.effects, **group, **own}))
        for establishment, own in chosen.items()
    }


async def project(tx: Tx, versions: Sequence[Version]) -> None:
    """Raise the stamp when a definition changes (a projection of every write)."""
    if any(version.type in TYPES for version in versions):
        await changed(tx)


async def changed(tx: Tx) -> None:
    """Definitions or choices have changed: every process looks again."""
    await tx.execute(Q.raise_stamp, tx.tenant)
    forget(tx.database)
    tx.after_commit(lambda: forget(tx.database))


def forget(database: Database) -> None:
    """Ask for the stamp at the next need."""
    held = _KNOWN.get(database)
    if held is not None:
        held.asked = 0.0
