"""What does the interfaces page show of the machines that send images?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from liane.store import Tx
from liane.store.sql import queries

Q = queries("liane.gateways.dicom", "interfaces.sql")

QUIET = timedelta(hours=24)
RATE_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Waiting:
    """Images of one machine that are in no chart, for one reason."""

    source: str
    reason: str
    """A message key of the imaging room."""
    studies: int
    images: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What was turned away in 24 hours: one line per machine and reason."""

    partner: str
    name: str
    address: str
    calling: str
    called: str
    reason: str
    detail: str
    times: int
    last: datetime


@dataclass(frozen=True, slots=True)
class MachineState:
    """One machine at a glance."""

    id: str
    name: str
    health: str
    """One of ok, attention, quiet, silent, closed, suspended."""
    titles: tuple[str, ...]
    unknown_patient: str
    received: int
    per_minute: float
    last: datetime | None
    waiting: tuple[Waiting, ...]
    refused: int

    @property
    def waiting_images(self) -> int:
        """How many of its images are in no chart."""
        return sum(one.images for one in self.waiting)


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything of the section."""

    machines: tuple[MachineState, ...]
    elsewhere: tuple[Waiting, ...]
    """What waits and came otherwise: taken over from files, or through the web."""
    refused: tuple[Refused, ...]

    @property
    def waiting_images(self) -> int:
        """How many images are in no chart, whoever sent them."""
        known = sum(one.waiting_images for one in self.machines)
        return known + sum(one.images for one in self.elsewhere)


async def overview(tx: Tx) -> Overview:
    """How all machines are doing now."""
    rows = await tx.fetch(Q["partners"], tx.tenant, tx.now)
    waiting = [Waiting(**row) for row in await tx.fetch(Q["waiting"], tx.tenant)]
    refused = tuple(Refused(**row) for row in await tx.fetch(Q["refused"], tx.tenant, tx.now))
    names = {row["name"] for row in rows}
    return Overview(
        tuple(_state(row, waiting, refused, tx.now) for row in rows),
        tuple(one for one in waiting if one.source not in names),
        refused,
    )


def _state(
    row: Mapping[str, Any], waiting: Sequence[Waiting], refused: Sequence[Refused], now: datetime
) -> MachineState:
    own = tuple(one for one in waiting if one.source == row["name"])
    turned_away = sum(one.times for one in refused if one.partner == row["id"])
    return MachineState(
        id=row["id"],
        name=row["name"],
        health=health(
            allowed=row["allowed"],
            reachable=bool(row["addresses"]),
            last=row["last"],
            troubles=len(own) + turned_away,
            now=now,
        ),
        titles=tuple(row["titles"]),
        unknown_patient=row["unknown_patient"],
        received=row["received"],
        per_minute=_short(row["recent"] / RATE_MINUTES),
        last=row["last"],
        waiting=own,
        refused=turned_away,
    )


def _short(rate: float) -> float:
    """One place after the point, none where it says nothing."""
    return int(rate) if rate.is_integer() else round(rate, 1)


def health(
    *, allowed: bool, reachable: bool, last: datetime | None, troubles: int, now: datetime
) -> str:
    """How a machine is doing: what people must do something about goes first."""
    if not allowed:
        return "suspended"
    if not reachable:
        return "closed"
    if troubles:
        return "attention"
    if last is None:
        return "silent"
    return "quiet" if now - last > QUIET else "ok"
