"""What does the house remember of each subscription, and what was asked for in it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from liane.base.errors import LianeError
from liane.fhir import json as fhir_json
from liane.gateways.subscriptions.model import Action, ChannelKind, Event, Status
from liane.gateways.subscriptions.notifications import Told
from liane.store import Tx
from liane.store.failures import LOST
from liane.store.sql import queries

Q = queries("liane.gateways.subscriptions", "state.sql")

TROUBLE: tuple[type[Exception], ...] = (LianeError, *LOST)
"""What may befall the work of a process: it goes on, and tries again."""


@dataclass(frozen=True, slots=True)
class State:
    """One row of `subscription.state`."""

    id: str
    revision: int
    asked: str
    status: Status
    topic: str
    channel: ChannelKind
    host: str
    heartbeat_seconds: int
    ends: datetime | None
    owner_kind: str
    owner_id: str
    owner_name: str
    owner_login: str | None
    owner_scopes: tuple[str, ...]
    owner_establishment: str | None
    greeted: bool
    events: int
    delivered: int
    sending: int
    failures: int
    failing_since: datetime | None
    last_error: str | None
    contacted: datetime | None
    next_at: datetime
    lease_by: int | None
    last_error_fr: str | None

    @property
    def resource(self) -> dict[str, Any]:
        """The Subscription as its owner sent it, secrets included."""
        return fhir_json.loads(self.asked)

    def told(self, base: str) -> Told:
        """What a status says of it."""
        return Told(base, self.id, self.topic, self.status, self.events, self.last_error)


def state_from(row: Any) -> State:
    """The row as a value."""
    values = dict(row)
    del values["tenant"]
    values["owner_scopes"] = tuple(values["owner_scopes"])
    return State(**values)


async def find(tx: Tx, id_: str) -> State | None:
    """The subscription of this id; None when it is none of ours to serve."""
    row = await tx.fetchrow(Q["find"], id_)
    return None if row is None else state_from(row)


async def find_many(
    tx: Tx,
    ids: Sequence[str] | None,
    *,
    owner: str | None = None,
    status: Sequence[str] | None = None,
    limit: int = 1000,
) -> list[State]:
    """Several subscriptions, by id, owner and status."""
    rows = await tx.fetch(
        Q["find_many"],
        None if ids is None else list(ids),
        owner,
        None if status is None else list(status),
        limit,
    )
    return [state_from(row) for row in rows]


async def events(tx: Tx, id_: str, first: int, last: int, limit: int) -> list[Event]:
    """Events by number, both ends included; those too old are not there any more."""
    rows = await tx.fetch(Q["events"], id_, first, last, limit)
    return [
        Event(
            row["number"],
            row["at"],
            cast("Action", row["action"]),
            row["type"],
            row["id"],
            row["version"],
            row["patient"],
        )
        for row in rows
    ]
