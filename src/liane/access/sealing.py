"""How does each committed entry get its place in an order that nobody can quietly change?

About once a second one process (whoever holds the lock) takes the entries that have no place yet,
gives them the next numbers without holes, and chains their hashes: one chain for each
establishment, and one published order over all. The head is then signed and written to a witness
file outside the database (`witness`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from liane.access.witness import Head, Witness
from liane.base.errors import LianeError
from liane.store import Database, Tx
from liane.store.sql import queries

log = logging.getLogger(__name__)

Q = queries("liane.access", "sealing.sql")

PAUSE_SECONDS = 1.0
BATCH = 5_000
GENESIS = b"\x00" * 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def chain_hash(previous: bytes, chain_seq: int, leaf: bytes) -> bytes:
    """SHA-256 of: hash before it in the establishment's chain, place (8 bytes), leaf hash."""
    return hashlib.sha256(previous + struct.pack(">q", chain_seq) + leaf).digest()


def order_hash(previous: bytes, seq: int, sealed_at: datetime, chained: bytes) -> bytes:
    """SHA-256 of: hash before it in the published order, number (8 bytes), instant of sealing in
    microseconds since 1970 (8 bytes), hash in the establishment's chain.
    """
    delta = sealed_at - _EPOCH
    micros = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    return hashlib.sha256(previous + struct.pack(">qq", seq, micros) + chained).digest()


@dataclass
class Place:
    """Where the order and each chain stand."""

    seq: int = 0
    order: bytes = GENESIS
    chains: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def next(self, establishment: str, leaf: bytes, at: datetime) -> tuple[int, int, bytes, bytes]:
        """Move one entry further; its seq, chain_seq, chain_hash and order_hash."""
        chain_seq, chained = self.chains.get(establishment, (0, GENESIS))
        chain_seq += 1
        chained = chain_hash(chained, chain_seq, leaf)
        self.seq += 1
        self.order = order_hash(self.order, self.seq, at, chained)
        self.chains[establishment] = (chain_seq, chained)
        return self.seq, chain_seq, chained, self.order


async def seal(tx: Tx, *, limit: int = BATCH) -> tuple[int, Head | None]:
    """Seal what is committed and has no place yet; how many, and the new head.

    (0, None) when another process holds the lock.
    """
    if not await tx.fetchval(Q["lead"], tx.tenant):
        return 0, None
    pending = await tx.fetch(Q["pending"], tx.tenant, limit)
    place, sealed_before = await _place(tx)
    if not pending:
        return 0, _head(tx, place, sealed_before) if sealed_before else None
    places = [place.next(row["establishment"], row["leaf_hash"], tx.now) for row in pending]
    seqs, chain_seqs, chained, orders = (list(column) for column in zip(*places, strict=True))
    ids = [row["id"] for row in pending]
    at = [row["at"] for row in pending]
    columns = (ids, seqs, chain_seqs, chained, orders)
    tag = await tx.execute(Q["seal"], tx.tenant, *columns, tx.now, at)
    if int(tag.rsplit(" ", 1)[-1]) != len(pending):
        raise RuntimeError("entries changed while they were being sealed")
    names = list({row["establishment"] for row in pending})
    await tx.execute(
        Q["keep_chains"],
        tx.tenant,
        names,
        [place.chains[name][0] for name in names],
        [place.chains[name][1] for name in names],
    )
    return len(pending), _head(tx, place, tx.now)


async def _place(tx: Tx) -> tuple[Place, datetime | None]:
    last = await tx.fetchrow(Q["last"], tx.tenant)
    if last is None:
        return Place(), None
    rows: list[Any] = await tx.fetch(Q["chains"], tx.tenant)
    chains = {row["establishment"]: (row["chain_seq"], row["chain_hash"]) for row in rows}
    return Place(last["seq"], last["order_hash"], chains), last["sealed_at"]


def _head(tx: Tx, place: Place, at: datetime) -> Head:
    chains = {name: (number, found.hex()) for name, (number, found) in place.chains.items()}
    return Head(tx.tenant, place.seq, place.order.hex(), chains, at)


async def seal_and_publish(database: Database, witness: Witness) -> int:
    """Seal everything that waits and publish the head; how many entries were sealed."""
    total = 0
    while True:
        async with database.transaction() as tx:
            count, head = await seal(tx)
        total += count
        if head is not None and count < BATCH and head.seq > witness.published:
            await asyncio.to_thread(witness.publish, head)
        if count < BATCH:
            return total


async def run(
    database: Database, home: Path, stop: asyncio.Event, *, others: Sequence[Path] = ()
) -> None:
    """Seal about once a second until `stop`; several processes may run this.

    `others` are further folders that receive each head: put one out of the reach of whoever
    administers the database.
    """
    witness = Witness.at_home(home, database.tenant, others)
    while not stop.is_set():
        try:
            await seal_and_publish(database, witness)
        except LianeError as failure:
            log.warning("the journal could not be sealed just now: %s", failure)
        except Exception:
            log.exception("the journal could not be sealed")
        try:
            await asyncio.wait_for(stop.wait(), PAUSE_SECONDS)
        except TimeoutError:
            continue
