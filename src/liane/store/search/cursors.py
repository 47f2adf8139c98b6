"""Where did the last page end, so that the next one starts there whatever was written since?"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from liane.store.search.model import Sort
from liane.store.search.refusals import refused
from liane.store.search.steady import Since, Stand


class Mark(NamedTuple):
    """The place of the row at the edge of a page in every order."""

    rid: int
    at: datetime | None
    updated: datetime
    id: str
    since: Since
    backwards: bool = False
    values: tuple[Any, ...] = ()
    """What the row is sorted by, when no index has the order."""


def encode(
    sorts: Sequence[Sort],
    edge: Stand,
    since: Since,
    *,
    indexed: bool = False,
    backwards: bool = False,
) -> str:
    """The opaque text of `_cursor`."""
    place = [
        ",".join(sort.name for sort in sorts),
        int(backwards),
        edge.rid,
        _told(edge.at),
        _told(edge.updated),
        edge.id,
        [] if indexed else [_told(value) for value in edge.values],
        since.snapshot,
        _told(since.instant),
    ]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _told(value: Any) -> Any:
    return {"t": value.isoformat()} if isinstance(value, datetime) else value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        instant = datetime.fromisoformat(value["t"])
        if instant.tzinfo is None:
            raise ValueError("no zone")
        return instant
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise ValueError("no number of an order")
    if value is None or isinstance(value, (str, float, int)):
        return value
    raise ValueError("no value of an order")


def decode(text: str, sorts: Sequence[Sort]) -> Mark:
    """The place in a `_cursor`; raises `Invalid` when it is not one of this order."""
    try:
        if len(text) > 8000:
            raise ValueError("too long")
        place = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        names, backwards, rid, at, updated, id_, values, snapshot, instant = place
        mark = Mark(
            int(rid), None if at is None else _instant(at), _instant(updated), str(id_),
            Since(str(snapshot), _instant(instant)).checked(), bool(backwards),
            tuple(_read(value) for value in values),
        )  # fmt: skip
        if "\0" in text + mark.id:
            raise ValueError("no text")
        if any(isinstance(value, str) and "\0" in value for value in mark.values):
            raise ValueError("no text")
    except (
        binascii.Error, ValueError, TypeError, KeyError, AttributeError, RecursionError,
        OverflowError,
    ):  # fmt: skip
        raise _foreign() from None
    if names != ",".join(sort.name for sort in sorts) or abs(mark.rid) >= 1 << 62:
        raise _foreign()
    return mark


def _instant(value: Any) -> datetime:
    """An instant with its zone, so that instants can be compared."""
    read = _read(value)
    if not isinstance(read, datetime):
        raise TypeError("no instant")
    return read


def _foreign() -> Exception:
    return refused(
        "_cursor ne vient pas de cette recherche.", "_cursor is not of this search.", ["_cursor"]
    )
