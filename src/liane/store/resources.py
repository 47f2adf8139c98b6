"""How does the rest of the house store a resource and read it back, in any of its versions?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from liane.fhir import definitions
from liane.store.database import Tx
from liane.store.sql import queries
from liane.store.versions import Version, Write
from liane.store.writing import write_many

__all__ = [
    "HistoryCursor",
    "Version",
    "Write",
    "create",
    "delete",
    "history",
    "put",
    "read",
    "read_many",
    "vread",
    "write_many",
]

Q = queries("liane.store", "resources.sql")


class HistoryCursor(NamedTuple):
    """The last version of a page of history; the next page starts after it."""

    updated: datetime
    type: str
    id: str
    version: int


async def create(tx: Tx, resource: dict[str, Any]) -> Version:
    """Store a resource under a new id; an id inside is ignored (R4 http, create)."""
    fresh = {name: value for name, value in resource.items() if name != "id"}
    return (await write_many(tx, [Write(fresh)]))[0]


async def put(tx: Tx, resource: dict[str, Any], *, if_match: int | None = None) -> Version:
    """Store a resource under the id it carries (R4 http, update, and update as create)."""
    return (await write_many(tx, [Write(resource, if_match=if_match)]))[0]


async def delete(tx: Tx, type: str, id: str, *, if_match: int | None = None) -> Version | None:  # noqa: A002
    """Delete; the versions stay in the history. None when there never was such a resource."""
    gone = Write({"resourceType": type}, id=id, if_match=if_match, deletes=True)
    version = (await write_many(tx, [gone]))[0]
    return version if version.version else None


async def read(tx: Tx, type: str, id: str) -> Version | None:  # noqa: A002
    """The current version; its deletion when it was deleted; None when it never was."""
    row = await tx.fetchrow(Q.read, type, id)
    return await deletion(tx, type, id) if row is None else Version(*row)


async def deletion(tx: Tx, type: str, id: str) -> Version | None:  # noqa: A002
    """The last deletion of a resource that is not there now; None when it never was."""
    row = await tx.fetchrow(Q.deletion, type, id)
    return None if row is None else Version(*row)


async def read_many(tx: Tx, type: str, ids: Sequence[str]) -> dict[str, Version]:  # noqa: A002
    """The current versions by id; absent and deleted ones are left out."""
    rows = await tx.fetch(Q.read_many, type, list(ids))
    return {row["id"]: Version(*row) for row in rows}


async def vread(tx: Tx, type: str, id: str, version: int) -> Version | None:  # noqa: A002
    """One version of a resource, which may be a deletion."""
    row = await tx.fetchrow(Q.vread, type, id, version)
    return None if row is None else Version(*row)


async def history(
    tx: Tx,
    type: str | None = None,  # noqa: A002 - the word of the standard
    id: str | None = None,  # noqa: A002
    *,
    since: datetime | None = None,
    at: datetime | None = None,
    count: int = 50,
    before: HistoryCursor | None = None,
) -> list[Version]:
    """Versions newest first: of one resource, of a type, or of everything (R4 http, history).

    `at` gives what was written up to that instant; `before` continues after a page.
    """
    if type is not None and id is not None:
        past = None if before is None else before.version
        rows = await tx.fetch(Q.history_of_one, type, id, since, at, count, past)
        return [Version(*row) for row in rows]
    types = [type] if type is not None else list(definitions.types())
    mark = before or (None, None, None, None)
    rows = await tx.fetch(
        Q.history_of_type, types, mark[1], since, at, count, mark[0], mark[2], mark[3]
    )
    return [Version(*row) for row in rows]
