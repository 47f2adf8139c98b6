"""Where did a row stand when the first page was read, if it has been written since?

A cursor carries the snapshot of the first page. On every later page the rows that this snapshot
does not hold are left out of the usual reading and placed one by one: by the version that the
reader would have met then, shown with what they say now. So a resource whose sorted value changes
between two pages is neither missed nor given twice; one that came into being since is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from liane.fhir import json as fhir_json
from liane.store.database import Tx
from liane.store.keys import keys_of
from liane.store.search.model import Sort
from liane.store.search.sqltext import Arguments
from liane.store.search.ways import TENANT, Condition

if TYPE_CHECKING:
    from liane.store.search.sorting import Place

SNAPSHOT = "(select pg_current_snapshot()::text) as snapshot"
"""What a page was read in, as a column of its rows."""
MOST_CHANGED = 5000
"""So many rows written since the first page are placed one by one."""
SLOWEST = timedelta(minutes=1)
"""So long before the first page a transaction that it did not see may have begun."""

_SNAPSHOT = re.compile(r"(\d{1,19}):(\d{1,19}):((?:\d{1,19},)*\d{1,19})?")
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Since:
    """When the first page was read: its snapshot, and the instant."""

    snapshot: str
    instant: datetime

    def checked(self) -> Since:
        """Itself; raises `ValueError` when a snapshot of that form cannot be."""
        match = _SNAPSHOT.fullmatch(self.snapshot)
        if match is None or self.instant < _EARLIEST:
            raise ValueError("no snapshot")
        low, high = int(match[1]), int(match[2])
        open_ = [int(one) for one in (match[3] or "").split(",") if one]
        inside = all(low <= one < high for one in open_) and open_ == sorted(set(open_))
        # No transaction has a number whose lower half is zero.
        numbered = all(one % (1 << 32) for one in (low, high, *open_))
        if not (low <= high < 1 << 62 and inside and numbered):
            raise ValueError("no snapshot")
        return self

    def condition(self) -> Condition:
        """Only rows as the first page could read them."""
        return Condition(lambda a, row: f"not ({self.changed(a, row)})", label="_cursor")

    def changed(self, a: Arguments, row: str) -> str:
        """The row has been written since."""
        return f"({row}.updated >= {self.begun(a)} and {self.unseen(a, row)})"

    def begun(self, a: Arguments) -> str:
        """Whatever the first page did not see was begun after this instant."""
        return a.add(self.instant - SLOWEST, "timestamptz")

    def unseen(self, a: Arguments, row: str) -> str:
        """The transaction that wrote the row is not in the snapshot.

        A row tells the lower half of the number of its transaction; the upper half is the one that
        brings it nearest to the snapshot.
        """
        last = int(self.snapshot.split(":")[1])
        half, whole = 1 << 31, 1 << 32
        low = f"({row}.xmin::text::bigint - {last % whole})"
        number = f"greatest({last} + (({low} + {half + whole}) % {whole}) - {half}, 3)"
        snapshot = a.add(self.snapshot, "text")
        return f"not pg_visible_in_snapshot({number}::text::xid8, {snapshot}::pg_snapshot)"


@dataclass(slots=True)
class Stand:
    """One row where it belongs in the order: the value of each sort, then its number."""

    rid: int
    id: str
    updated: datetime
    at: datetime | None
    values: list[Any]
    row: Any = None
    """What is shown; None until it is read."""


async def moved(
    tx: Tx, since: Since, sorts: Sequence[Sort], kept: Sequence[Place], a: Arguments, where: str
) -> list[Stand]:
    """The rows `r` that pass `where` and were written since, where the first page had them.

    `kept` are the sorted values of rows named `p`.
    """
    rows = await a.fetch(tx, _moved(since, kept, a, where))
    return [_stand(tx.tenant, row, sorts) for row in rows]


def _moved(since: Since, kept: Sequence[Place], a: Arguments, where: str) -> str:
    named = "".join(f", {place.sql} as s{n}" for n, place in enumerate(kept, 1))
    instant = a.add(since.instant, "timestamptz")
    past = f"tenant = {TENANT} and type = c.type and id = c.id"
    # A version stands in the history since its successor was written: the first of those that the
    # snapshot does not hold was the current one. Versions older than the last before the first
    # page need not be looked at.
    former = (
        "select h.version, h.updated, h.body, bool_or(h.deleted) over () as gone "  # noqa: S608 - names are ours, values are arguments
        f"from record.history h where {past} and {since.unseen(a, 'h')} and h.version >= coalesce("
        f"(select max(version) from record.history where {past} and updated < {since.begun(a)}), 0)"
        " order by h.version limit 1"
    )
    changed = (
        "select r.rid, r.type, r.id, r.updated, r.body from record.resource r "  # noqa: S608
        f"where {where} and {since.changed(a, 'r')} "
        f"and (r.version > 1 or r.updated <= {instant}) limit {MOST_CHANGED}"
    )
    placed = (
        "select c.rid, c.type, c.id, coalesce(o.updated, c.updated) as updated, "  # noqa: S608
        "coalesce(o.body, c.body) as body, null::timestamptz as at "
        f"from ({changed}) c left join lateral ({former}) o on true "
        f"where not coalesce(o.gone, false) and (o.version is not null or c.updated <= {instant})"
    )
    return f"select p.rid, p.id, p.updated, p.body{named} from ({placed} offset 0) p"  # noqa: S608


def _stand(tenant: int, row: Any, sorts: Sequence[Sort]) -> Stand:
    at = None
    if any(sort.column == "at" for sort in sorts):
        at = keys_of(tenant, fhir_json.loads(row["body"])).at
    values = [at if sort.column == "at" else row[f"s{n}"] for n, sort in enumerate(sorts, 1)]
    return Stand(row["rid"], row["id"], row["updated"], at, values)
