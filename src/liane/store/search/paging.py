"""Which rows make up one page, and where do its neighbours begin?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import cmp_to_key
from typing import Any

from liane.store.database import Tx
from liane.store.search.cursors import Mark, encode
from liane.store.search.model import Page, Query, Sort
from liane.store.search.refusals import refused
from liane.store.search.sorting import Place
from liane.store.search.steady import Since, Stand
from liane.store.versions import Version

COLUMNS = "r.rid, r.at, r.type, r.id, r.version, r.updated, false as deleted, r.body, r.patient"

Reader = Callable[[list[int]], Awaitable[list[Any]]]
"""Gives the rows of those numbers that may be shown, `COLUMNS` of each."""


def version_of(row: Any) -> Version:
    """The version in a row of a search."""
    return Version(
        row["type"],
        row["id"],
        row["version"],
        row["updated"],
        row["deleted"],
        row["body"],
        patient=row["patient"],
    )


class Order:
    """The order of a question, for rows that are placed here and not by the database.

    `indexed`: the order that an index has, with its own ways for the undated and for equal values.
    """

    def __init__(self, sorts: Sequence[Sort], *, indexed: bool) -> None:
        first = sorts[0]
        self.sorts = sorts
        self.indexed = indexed
        self.absent_first = indexed and first.column == "at" and first.descending
        self.absent_first = self.absent_first and not first.asked
        self.last_down = indexed and (
            first.descending if first.column == "updated" else not first.descending
        )

    def compare(self, one: Stand, other: Stand) -> int:
        """Negative when `one` comes first."""
        for sort, a, b in zip(self.sorts, one.values, other.values, strict=True):
            if a is None or b is None:
                if a is not b:
                    return -1 if (a is None) == self.absent_first else 1
            elif a != b:
                return -1 if (a > b) == sort.descending else 1
        return (one.rid - other.rid) * (-1 if self.last_down else 1)

    def stand(self, row: Any) -> Stand:
        """Where a row of a statement stands."""
        if self.indexed:
            values = [row[self.sorts[0].column]]
        else:
            values = [row[f"s{n}"] for n in range(1, len(self.sorts) + 1)]
        return Stand(row["rid"], row["id"], row["updated"], row["at"], values, row)

    def edge(self, mark: Mark) -> Stand:
        """The row at which the page before ended."""
        values = list(mark.values)
        if self.indexed:
            column = self.sorts[0].column
            values = [{"at": mark.at, "updated": mark.updated, "id": mark.id}[column]]
        return Stand(mark.rid, mark.id, mark.updated, mark.at, values)

    def sorted(self, stands: Iterable[Stand], *, backwards: bool) -> list[Stand]:
        """In the direction of reading."""
        return sorted(stands, key=cmp_to_key(self.compare), reverse=backwards)


async def page_of(
    tx: Tx,
    query: Query,
    order: Order,
    mark: Mark | None,
    rows: Sequence[Any],
    changed: Sequence[Stand],
    read: Reader,
) -> Page:
    """The page of the rows found (one more than asked, if there is), and of those that moved."""
    stands = [order.stand(row) for row in rows]
    if mark is not None and changed:
        edge, found = order.edge(mark), {one.rid for one in stands}
        sign = -1 if mark.backwards else 1
        beyond = [
            one for one in changed if order.compare(one, edge) * sign > 0 and one.rid not in found
        ]
        stands = order.sorted([*stands, *beyond], backwards=mark.backwards)
    more = len(stands) > query.count
    kept = stands[: query.count]
    if mark is not None and mark.backwards:
        kept.reverse()
    await _filled(kept, read)
    since = _since(tx, mark, kept)
    before = mark is not None and (not mark.backwards or more)
    behind = more if mark is None or not mark.backwards else True
    following = previous = None
    if kept and since is not None and behind:
        following = encode(query.sorts, kept[-1], since, indexed=order.indexed)
    if kept and since is not None and before:
        previous = encode(query.sorts, kept[0], since, indexed=order.indexed, backwards=True)
    shown = [version_of(one.row) for one in kept if one.row is not None]
    return Page(shown, [], None, following, previous)


async def _filled(kept: Sequence[Stand], read: Reader) -> None:
    """What the rows that moved say now; one that has gone meanwhile stays empty."""
    empty = [one.rid for one in kept if one.row is None]
    if empty:
        now = {row["rid"]: row for row in await read(empty)}
        for one in kept:
            one.row = one.row or now.get(one.rid)


def _since(tx: Tx, mark: Mark | None, kept: Sequence[Stand]) -> Since | None:
    if mark is not None:
        return mark.since
    return Since(kept[0].row["snapshot"], tx.now) if kept else None


_KINDS = {"timestamptz": datetime, "float8": (int, float), "text": str}


def refuse_other_values(kept: Sequence[Place], mark: Mark) -> None:
    """Raise `Invalid` when the cursor holds values of another kind than the order has."""
    fits = len(kept) == len(mark.values) and all(
        (value is None and not place.always) or isinstance(value, _KINDS[place.cast])  # type: ignore[arg-type]
        for place, value in zip(kept, mark.values, strict=False)
    )
    if not fits:
        raise refused(
            "_cursor ne vient pas de cette recherche.",
            "_cursor is not of this search.",
            ["_cursor"],
        )
