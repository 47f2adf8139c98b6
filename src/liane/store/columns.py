"""How do many resources with all their keys travel to the database as the columns of one statement?

Long columns of numbers and short words travel as the text of an array: the driver looks at each
element of a list twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from liane.store.keys import Keys, order_of
from liane.store.versions import Version


@dataclass(slots=True)
class Columns:
    """The arguments of one statement, column by column."""

    rids: list[int] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    patients: list[str | None] = field(default_factory=list)
    ats: list[datetime | None] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    index: set[tuple[int, int, int]] = field(default_factory=set)
    dates: set[tuple[int, int, int, int]] = field(default_factory=set)
    numbers: set[tuple[int, float, float, int]] = field(default_factory=set)
    texts: set[tuple[int, str, int]] = field(default_factory=set)
    words: list[tuple[int, int, str]] = field(default_factory=list)
    facts: list[str | None] = field(default_factory=list)
    gone_rids: list[int] = field(default_factory=list)
    gone: list[tuple[str, str, int, str | None]] = field(default_factory=list)
    index_out: set[tuple[int, int, int]] = field(default_factory=set)
    dates_out: set[tuple[int, int, int, int]] = field(default_factory=set)
    numbers_out: set[tuple[int, float, float, int]] = field(default_factory=set)
    texts_out: set[tuple[int, str, int]] = field(default_factory=set)
    words_out: list[int] = field(default_factory=list)

    def add(self, rid: int, version: Version, keys: Keys, facts: str | None) -> None:
        """One resource and everything that finds it."""
        self.rids.append(rid)
        self.types.append(version.type)
        self.ids.append(version.id)
        self.versions.append(version.version)
        self.patients.append(keys.patient)
        self.ats.append(keys.at)
        self.bodies.append(version.body)
        self.facts.append(facts)
        self.keys.append(_packed(keys.all))
        self.index |= _index_rows(keys.indexed, keys.at, rid)
        self.dates |= {(*row, rid) for row in keys.dates}
        self.numbers |= {(*row, rid) for row in keys.numbers}
        self.texts |= {(*row, rid) for row in keys.texts}
        if keys.words is not None:
            self.words.append((rid, 0, keys.words))

    def forget(self, rid: int, held: Iterable[int], at: datetime | None, keys: Keys) -> None:
        """Remove what found the old version; all its hashes, so that none can be left behind."""
        self.index_out |= _index_rows(held, at, rid)
        self.dates_out |= {(*row, rid) for row in keys.dates}
        self.numbers_out |= {(*row, rid) for row in keys.numbers}
        self.texts_out |= {(*row, rid) for row in keys.texts}

    def keep_common(self) -> None:
        """What both versions have is neither removed nor added again."""
        for added, removed in (
            (self.index, self.index_out),
            (self.dates, self.dates_out),
            (self.numbers, self.numbers_out),
            (self.texts, self.texts_out),
        ):
            common = added & removed
            added.difference_update(common)
            removed.difference_update(common)

    def arguments(self, tenant: int, now: datetime) -> list[Any]:
        """The arguments of `insert_new`, in its order."""
        return [
            tenant, now, _packed(self.rids), quoted(self.types), quoted(self.ids),
            _packed(self.versions), quoted(self.patients), self.ats, self.keys,
            *_columns(self.index, 3), *_columns(self.dates, 4), *_columns(self.numbers, 4),
            *_named(self.texts), *_worded(self.words), self.facts,
            self.bodies,
        ]  # fmt: skip

    def replacing_arguments(self, tenant: int, now: datetime) -> list[Any]:
        """The arguments of `replace`, in its order."""
        return [
            *self.arguments(tenant, now), _packed(self.gone_rids), *_turned(self.gone, 4),
            *_columns(self.index_out, 3), *_columns(self.dates_out, 4),
            *_columns(self.numbers_out, 4), *_named(self.texts_out), _packed(self.words_out),
        ]  # fmt: skip


def _index_rows(keys: Iterable[int], at: datetime | None, rid: int) -> set[tuple[int, int, int]]:
    order = order_of(at)
    return {(hashed, order, rid) for hashed in keys}


def _turned(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * width


def _packed(numbers: Iterable[float]) -> str:
    """Numbers as the text of a PostgreSQL array."""
    return "{" + ",".join(map(repr, numbers)) + "}"


def quoted(words: Iterable[str | None]) -> str:
    """Words as the text of a PostgreSQL array."""
    return "{" + ",".join("NULL" if word is None else _one_quoted(word) for word in words) + "}"


def _one_quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[str]:
    """Rows of numbers as columns, sorted so that neighbours in the index are written together."""
    return [_packed(column) for column in _turned(sorted(rows), width)]


def _named(rows: Iterable[tuple[int, str, int]]) -> list[Any]:
    hashes, texts, rids = _turned(sorted(rows), 3)
    return [_packed(hashes), texts, _packed(rids)]


def _worded(rows: Sequence[tuple[int, int, str]]) -> list[Any]:
    rids, numbers, words = _turned(rows, 3)
    return [_packed(rids), numbers, words]
