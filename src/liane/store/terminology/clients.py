"""Which concepts does a client keep a closure table of, and what stands between them?

(R4 conceptmap-operation-closure) Each client has tables of its own, by name; nobody else sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from liane.base.errors import Invalid, NotFound
from liane.store.database import Tx
from liane.store.sql import queries
from liane.store.terminology import resolving
from liane.store.terminology.asking import System
from liane.store.terminology.checking import Coding
from liane.store.terminology.stored import StoredSystem

Q = queries("liane.store.terminology", "clients.sql")
MOST_CONCEPTS = 10_000
MOST_TABLES = 50


@dataclass(frozen=True, slots=True)
class Link:
    """Two concepts of a table, the second above the first."""

    system: str
    below: str
    above: str


@dataclass(frozen=True, slots=True)
class Change:
    """What was added to a table, and its version now."""

    version: int
    links: list[Link]


async def begin(tx: Tx, client: str, name: str) -> Change:
    """Make the table, or empty it."""
    if await tx.fetchval(Q.count_tables, tx.tenant, client) >= MOST_TABLES:
        raise _too_many(f"{MOST_TABLES} tables", f"{MOST_TABLES} tables")
    await tx.execute(Q.begin_table, tx.tenant, client, name, tx.now)
    await tx.execute(Q.empty_table, tx.tenant, client, name)
    return Change(0, [])


async def add(tx: Tx, client: str, name: str, concepts: Sequence[Coding]) -> Change:
    """Add concepts; what stands between them and all that is there. Raises `NotFound`."""
    version = await tx.fetchval(Q.next_version, tx.tenant, client, name, tx.now)
    if version is None:
        raise _no_table(name)
    systems = [one.system for one in concepts]
    codes = [one.code for one in concepts]
    await tx.execute(Q.add_concepts, tx.tenant, client, name, systems, codes, version)
    return Change(version, await _links(tx, client, name, version - 1))


async def since(tx: Tx, client: str, name: str, version: int) -> Change:
    """All that was added after a version. Raises `NotFound`."""
    present = await tx.fetchval(Q.present_version, tx.tenant, client, name)
    if present is None:
        raise _no_table(name)
    return Change(present, await _links(tx, client, name, version))


async def _links(tx: Tx, client: str, name: str, after: int) -> list[Link]:
    rows = await tx.fetch(Q.concepts, tx.tenant, client, name)
    if len(rows) > MOST_CONCEPTS:
        raise _too_many(f"{MOST_CONCEPTS} concepts", f"{MOST_CONCEPTS} concepts")
    added: dict[str, dict[str, int]] = {}
    for row in rows:
        added.setdefault(row["system"], {})[row["code"]] = row["version"]
    links: list[Link] = []
    for url, versions in added.items():
        if max(versions.values()) <= after:
            continue
        for below, above in await _pairs(tx, await resolving.system(tx, url), list(versions)):
            if max(versions.get(below, 0), versions.get(above, 0)) > after:
                links.append(Link(url, below, above))
    return links


async def _pairs(tx: Tx, system: System, codes: list[str]) -> list[tuple[str, str]]:
    """Those of the codes that stand below one another: (below, above)."""
    if isinstance(system, StoredSystem):
        keys = [system.header.key(code) for code in codes]
        rows = await tx.fetch(Q.pairs, tx.tenant, system.id, keys)
        return [(row["below"], row["above"]) for row in rows]
    wanted = set(codes)
    found: list[tuple[str, str]] = []
    for code in codes:
        above = await system.line(tx, code, "above", MOST_CONCEPTS)
        found += [(code, one) for one in above[1:] if one in wanted]
    return found


def _no_table(name: str) -> NotFound:
    return NotFound(
        "terminology.no-table",
        f"Aucune table de fermeture « {name[:100]} » n’a été commencée.",
        f"No closure table '{name[:100]}' has been begun.",
        "L’appeler d’abord avec name seul.",
        "Call it first with name alone.",
    )


def _too_many(fr: str, en: str) -> Invalid:
    return Invalid(
        "terminology.too-many",
        f"C’est trop : au plus {fr}.",
        f"That is too much: at most {en}.",
    )
