"""Has anything in the journal been changed, removed, inserted, re-ordered or rolled back?

Everything is recomputed from the entries themselves, and compared with the heads published
outside the database. No secret is needed: only the public key beside the witness file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from liane.access.journal import leaf_hash
from liane.access.sealing import GENESIS, Q, chain_hash, order_hash
from liane.access.witness import Witness
from liane.store import Database, Tx

AHEAD_AT_MOST = timedelta(minutes=5)
"""How much later than its sealing an entry may say it happened (clocks of two nodes)."""
SHOWN_AT_MOST = 50


@dataclass(frozen=True, slots=True)
class Break:
    """One place where the journal does not hold."""

    kind: str
    """altered, missing, duplicate, chain, order, clock, witness, cut"""
    seq: int | None
    said: str


@dataclass
class Report:
    """What the verification found."""

    entries: int = 0
    heads: int = 0
    last_seq: int = 0
    breaks: list[Break] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """Whether every proof holds."""
        return not self.breaks

    def as_text(self) -> str:
        """For a terminal: the first break first."""
        lines = [f"{self.entries} sealed entries, {self.heads} published heads checked."]
        if self.intact:
            lines.append("The journal is intact.")
        else:
            first = self.breaks[0]
            lines.append(f"THE JOURNAL WAS ALTERED. First break at entry {first.seq}: {first.said}")
            lines += [f"  entry {b.seq}: {b.kind}: {b.said}" for b in self.breaks[1:]]
        return "\n".join(lines)

    def add(self, kind: str, seq: int | None, said: str) -> None:
        """Keep a break, up to a number that a person can read."""
        if len(self.breaks) < SHOWN_AT_MOST:
            self.breaks.append(Break(kind, seq, said))


async def verify(database: Database, home: Path, *, others: Sequence[Path] = ()) -> Report:
    """Recompute the whole journal of the tenant against the witness below `home` and `others`."""
    async with database.reading() as tx:
        return await verify_in(tx, Witness.at_home(home, tx.tenant, others))


async def verify_in(tx: Tx, witness: Witness | None) -> Report:
    """The same in an open transaction; without `witness`, a cut tail cannot be seen."""
    report = Report()
    # In this order: what is published or remembered first, the entries after, so that what is
    # sealed while we read can only add to the entries.
    heads = _Heads(witness, report)
    remembered = await tx.fetch(Q["chain_heads"], tx.tenant)
    walk = _Walk(report, {row["establishment"]: row for row in remembered})
    async for row in tx.connection.cursor(Q["sealed"], tx.tenant, prefetch=2_000):
        walk.step(row)
        heads.compare(row["seq"], row["order_hash"].hex())
    heads.finish(walk.seq)
    walk.finish()
    for row in await tx.fetch(Q["guards_off"]):
        report.add("guard", None, f"the guard {row['name']} of the journal is off or gone")
    report.entries, report.last_seq = walk.count, walk.seq
    return report


class _Walk:
    """Recomputes entry after entry; after a break it goes on from what is stored."""

    def __init__(self, report: Report, remembered: dict[str, Any]) -> None:
        self.report = report
        self.remembered = remembered
        self.count = 0
        self.seq = 0
        self.order = GENESIS
        self.chains: dict[str, tuple[int, bytes]] = {}
        self.sealed_at: datetime | None = None

    def step(self, row: Any) -> None:
        self.count += 1
        seq = row["seq"]
        if seq > self.seq + 1:
            gone = f"{self.seq + 1}" if seq == self.seq + 2 else f"{self.seq + 1} to {seq - 1}"
            self.report.add("missing", self.seq + 1, f"entries {gone} are missing")
        elif seq <= self.seq:
            self.report.add("duplicate", seq, "this number exists twice")
        self._check_leaf(row)
        self._check_chains(row)
        self._check_clock(row)
        self.seq = seq
        self.order = row["order_hash"]
        self.chains[row["establishment"]] = (row["chain_seq"], row["chain_hash"])
        head = self.remembered.get(row["establishment"])
        if head is not None and (head["chain_seq"], head["chain_hash"]) == (
            row["chain_seq"],
            row["chain_hash"],
        ):
            del self.remembered[row["establishment"]]

    def _check_leaf(self, row: Any) -> None:
        if leaf_hash(tuple(row[position] for position in range(15))) != row["leaf_hash"]:
            self.report.add("altered", row["seq"], "the entry is not what was written")

    def _check_chains(self, row: Any) -> None:
        seq = row["seq"]
        number, before = self.chains.get(row["establishment"], (0, GENESIS))
        if row["chain_seq"] != number + 1:
            self.report.add(
                "chain", seq, f"place {row['chain_seq']} follows {number} in its establishment"
            )
        elif chain_hash(before, row["chain_seq"], row["leaf_hash"]) != row["chain_hash"]:
            self.report.add("chain", seq, "the establishment's chain does not lead here")
        if order_hash(self.order, seq, row["sealed_at"], row["chain_hash"]) != row["order_hash"]:
            self.report.add("order", seq, "the published order does not lead here")

    def _check_clock(self, row: Any) -> None:
        if self.sealed_at is not None and row["sealed_at"] < self.sealed_at:
            self.report.add("clock", row["seq"], "sealed before the entry that precedes it")
        if row["at"] > row["sealed_at"] + AHEAD_AT_MOST:
            self.report.add("clock", row["seq"], "it says it happened after it was sealed")
        self.sealed_at = row["sealed_at"]

    def finish(self) -> None:
        """Every chain must have passed through the head that the sealer remembered."""
        for establishment, head in self.remembered.items():
            self.report.add(
                "chain",
                self.seq,
                f"the chain of {establishment or 'the group'} had reached place "
                f"{head['chain_seq']}, and ends at {self.chains.get(establishment, (0,))[0]}",
            )


class _Heads:
    """Walks the witness beside the entries: each head must name what the database says."""

    def __init__(self, witness: Witness | None, report: Report) -> None:
        self.witness = witness
        self.report = report
        self._readers = [] if witness is None else [_HeadFile(witness, f) for f in witness.files]

    def compare(self, seq: int, order: str) -> None:
        for reader in self._readers:
            for head in reader.up_to(seq):
                if head["seq"] != seq:
                    self.report.add("missing", head["seq"], "published, and not in the database")
                elif head["order"] != order:
                    self.report.add(
                        "witness", seq, f"not the order that was published on {head['at']}"
                    )

    def finish(self, last_seq: int) -> None:
        for reader in self._readers:
            beyond = list(reader.up_to(None))
            if beyond:
                self.report.add(
                    "cut",
                    last_seq + 1,
                    f"entries up to {max(head['seq'] for head in beyond)} were published "
                    f"(last on {beyond[-1]['at']}); the database ends at {last_seq}",
                )
            reader.check_file(self.report, last_seq)
            self.report.heads += reader.count


class _HeadFile:
    """One witness file, read once, line by line."""

    def __init__(self, witness: Witness, file: Path) -> None:
        self._witness = witness
        self._file = file
        self._size = file.stat().st_size if file.exists() else 0
        self._heads = self._read()
        self._next: dict[str, Any] | None = None
        self._previous = b""
        self._last: dict[str, Any] = {}
        self._faults: list[tuple[str, int | None, str]] = []
        self._highest = 0
        self.count = 0

    def _read(self) -> Iterator[dict[str, Any]]:
        for line, head in self._witness.lines(self._file, self._size):
            self.count += 1
            if not isinstance(head.get("seq"), int) or "order" not in head or "at" not in head:
                continue  # A line torn by a crash; the next head names the last whole line.
            if head.get("previous") != hashlib.sha256(self._previous).hexdigest():
                self._faults.append(("witness", head["seq"], "a published head was removed"))
            if head["at"] < self._last.get("at", ""):
                self._faults.append(("clock", head["seq"], "published before an earlier head"))
            if head["seq"] < self._highest:
                self._faults.append(
                    ("witness", head["seq"], f"the journal had already reached {self._highest}")
                )
            self._highest = max(self._highest, head["seq"])
            self._previous, self._last = line, head
            yield head

    def up_to(self, seq: int | None) -> Iterator[dict[str, Any]]:
        """The heads not yet given whose seq is at most `seq` (None: all that remain)."""
        while True:
            if self._next is None:
                self._next = next(self._heads, None)
            if self._next is None or (seq is not None and self._next["seq"] > seq):
                return
            head, self._next = self._next, None
            yield head

    def check_file(self, report: Report, last_seq: int) -> None:
        for kind, seq, said in self._faults:
            report.add(kind, seq, said)
        if last_seq and not self._last:
            report.add("witness", 1, f"no published head in {self._file.name}")
        elif self._last and not self._witness.signed(self._last):
            # Each head names the hash of the one before: the last signature covers them all.
            report.add("witness", self._last["seq"], "the last published head is not signed by us")
