"""What has been sent, what was answered, and what must therefore be found in the record?

A file (SQLite) that is both the outbox of the sending systems and the proof for the checker. A
message is written here before it is sent and its answer as soon as it comes, so that a sender that
is killed sends again what was not answered, with the same control id and the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCHEMA = """
create table if not exists outbox (
    position integer primary key autoincrement,
    control_id text not null unique,
    kind text not null,
    lane text not null,
    payload blob,
    sha256 text not null,
    expects text not null,
    made_at text not null,
    code text,
    answered_at text
);
create index if not exists outbox_waiting on outbox (position) where code is null;
create table if not exists state (key text primary key, value text not null);
"""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something to hand over: its control id, kind (hl7, dicom, fhir), lane and bytes.

    Parcels of one lane (a patient) are handed over in order. `expects` says what the record must
    hold once this is acknowledged; see `checker`.
    """

    control_id: str
    kind: str
    lane: str
    payload: bytes
    expects: dict[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """The fingerprint of the bytes."""
        return hashlib.sha256(self.payload).hexdigest()


@dataclass(frozen=True, slots=True)
class Line:
    """A parcel as the ledger remembers it, with its answer."""

    control_id: str
    kind: str
    lane: str
    sha256: str
    expects: dict[str, Any]
    code: str | None
    answered_at: str | None


class Ledger:
    """The outbox and proof of one sending side."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(file, isolation_level=None)
        self._base.execute("pragma journal_mode=wal")
        self._base.execute("pragma synchronous=normal")
        self._base.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def promise(self, parcels: Iterable[Parcel], state: dict[str, str] | None = None) -> None:
        """Write down what will be sent, and the state it comes from, in one transaction."""
        made = datetime.now(UTC).isoformat()
        rows = [
            (
                one.control_id,
                one.kind,
                one.lane,
                one.payload,
                one.sha256,
                json.dumps(one.expects),
                made,
            )
            for one in parcels
        ]
        self._base.execute("begin")
        self._base.executemany(
            "insert or ignore into outbox"
            " (control_id, kind, lane, payload, sha256, expects, made_at)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        for key, value in (state or {}).items():
            self._base.execute("insert or replace into state values (?, ?)", (key, value))
        self._base.execute("commit")

    def answered(self, control_id: str, code: str) -> None:
        """Write down the answer; the bytes are no longer needed."""
        self._base.execute(
            "update outbox set code = ?, answered_at = ?, payload = null where control_id = ?",
            (code, datetime.now(UTC).isoformat(), control_id),
        )

    def answered_many(self, answers: Iterable[tuple[str, str]]) -> None:
        """Write down many answers in one transaction."""
        self._base.execute("begin")
        for control_id, code in answers:
            self.answered(control_id, code)
        self._base.execute("commit")

    def withdraw(self, control_ids: Iterable[str]) -> None:
        """Take back promises of things that never left."""
        rows = [(one,) for one in control_ids]
        self._base.execute("begin")
        self._base.executemany("delete from outbox where control_id = ? and code is null", rows)
        self._base.execute("commit")

    def waiting(self) -> list[Parcel]:
        """What was promised and not answered, in order."""
        rows = self._base.execute(
            "select control_id, kind, lane, payload, expects from outbox"
            " where code is null order by position"
        )
        return [
            Parcel(control_id, kind, lane, payload, json.loads(expects))
            for control_id, kind, lane, payload, expects in rows
        ]

    def answers(self) -> int:
        """How many answers were written down."""
        row = self._base.execute("select count(*) from outbox where code is not null").fetchone()
        return int(row[0])

    def lines(self) -> Iterator[Line]:
        """Everything, in the order it was promised."""
        rows = self._base.execute(
            "select control_id, kind, lane, sha256, expects, code, answered_at from outbox"
            " order by position"
        )
        for control_id, kind, lane, sha256, expects, code, answered_at in rows:
            yield Line(control_id, kind, lane, sha256, json.loads(expects), code, answered_at)

    def state(self, key: str) -> str | None:
        """A remembered value."""
        row = self._base.execute("select value from state where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def states(self) -> list[tuple[str, str]]:
        """All remembered values."""
        return [(str(key), str(value)) for key, value in self._base.execute("select * from state")]

    def forget(self) -> None:
        """Begin anew: another installation has another history."""
        self._base.executescript("delete from outbox; delete from state;")
