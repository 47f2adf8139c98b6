"""What does the interfaces page show of partners and messages?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from liane.base.errors import NotFound
from liane.store import Tx
from liane.store.sql import queries

Q = queries("liane.gateways.hl7v2", "interfaces.sql")
PAGE = 50


@dataclass(frozen=True, slots=True)
class PartnerState:
    """One partner at a glance."""

    id: str
    name: str
    health: str
    """One of ok, attention, quiet, silent, suspended."""
    received: int
    per_minute: float
    applied: int
    kept: int
    held: int
    failed: int
    pending: int
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything of the first page."""

    partners: tuple[PartnerState, ...]
    refused: Sequence[Any]
    held: int
    failed: int
    pending: int


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One page of messages; `before` continues."""

    rows: Sequence[Any]
    before: str | None


async def overview(tx: Tx) -> Overview:
    """How all partners are doing now."""
    rows = await tx.fetch(Q["partners"], tx.tenant, tx.now)
    quiet = [row["id"] for row in rows if row["last"] is None]
    found = await tx.fetch(Q["last_ever"], tx.tenant, quiet) if quiet else []
    earlier = {row["partner"]: row["last"] for row in found}
    work = {r["state"]: r["times"] for r in await tx.fetch(Q["waiting_work"], tx.tenant)}
    return Overview(
        tuple(_state(row, earlier.get(row["id"]), tx.now) for row in rows),
        await tx.fetch(Q["refused"], tx.tenant, tx.now),
        work.get("held", 0),
        work.get("failed", 0),
        work.get("pending", 0),
    )


def _state(row: Any, earlier: datetime | None, now: datetime) -> PartnerState:
    last = row["last"] or earlier
    return PartnerState(
        row["id"],
        row["name"],
        health(row["allowed"], last, row["quiet_minutes"], row["held"] + row["failed"], now),
        row["received"],
        row["recent"] / 5,
        row["applied"],
        row["kept"],
        row["held"],
        row["failed"],
        row["pending"],
        last,
    )


def health(
    allowed: bool, last: datetime | None, quiet_minutes: int, troubles: int, now: datetime
) -> str:
    """How a partner is doing, worst first."""
    if not allowed:
        return "suspended"
    if last is None:
        return "silent"
    if now - last > timedelta(minutes=quiet_minutes):
        return "quiet"
    return "attention" if troubles else "ok"


async def messages(
    tx: Tx,
    *,
    partner: str | None = None,
    state: str | None = None,
    word: str | None = None,
    before: str | None = None,
) -> MessagePage:
    """A page of messages, newest first."""
    rows = await tx.fetch(
        Q["messages"], tx.tenant, partner or None, state or None, word or None, before or None
    )
    following = rows[PAGE - 1]["id"] if len(rows) > PAGE else None
    return MessagePage(rows[:PAGE], following)


async def message(tx: Tx, message_id: str) -> Any:
    """One message with everything known of it. Raises NotFound."""
    row = await tx.fetchrow(Q["message"], tx.tenant, message_id)
    if row is None:
        raise NotFound(
            "interfaces.message-unknown", "Ce message n'existe pas.", "There is no such message."
        )
    return row


async def neighbours(tx: Tx, row: Any) -> Sequence[Any]:
    """Messages of the same delivery, or with the same number from the same sender."""
    key = (row["id"], row["batch"], row["sender"], row["control_id"])
    found: Sequence[Any] = await tx.fetch(Q["neighbours"], tx.tenant, *key)
    return found


async def replayable(tx: Tx, partner: str) -> list[str]:
    """The failed and held messages of a partner, oldest first."""
    return [row["id"] for row in await tx.fetch(Q["replayable"], tx.tenant, partner)]
