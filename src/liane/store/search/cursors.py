"""Where did the last page end, so that the next one starts there whatever was written since?"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any, NamedTuple

from liane.store.search.model import Sort
from liane.store.search.parsing import refused


class Mark(NamedTuple):
    """The place of the last row of a page in every order."""

    rid: int
    at: datetime | None
    updated: datetime | None
    id: str


def encode(sort: Sort, row: Any) -> str:
    """The opaque text of `_cursor`."""
    at = None if row["at"] is None else row["at"].isoformat()
    place = [sort.column, sort.descending, row["rid"], at, row["updated"].isoformat(), row["id"]]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def decode(text: str, sort: Sort) -> Mark:
    """The place in a `_cursor`; raises `Invalid` when it is not one of this order."""
    try:
        place = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        column, descending, rid, at, updated, id_ = place
        mark = Mark(
            int(rid),
            None if at is None else datetime.fromisoformat(at),
            datetime.fromisoformat(updated),
            str(id_),
        )
    except (binascii.Error, ValueError, TypeError):
        raise _foreign() from None
    if (column, descending) != (sort.column, sort.descending) or abs(mark.rid) >= 1 << 62:
        raise _foreign()
    return mark


def _foreign() -> Exception:
    return refused("_cursor ne vient pas de cette recherche.", "_cursor is not of this search.")
