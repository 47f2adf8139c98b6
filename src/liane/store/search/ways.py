"""Which test does a condition put to a row, and which index leads to rows that may pass it?

Only operators that PostgreSQL calls leak-proof lead the way, because row-level security would
switch off any other index (docs/decisions/0003-record-store.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from liane.store.keys import key
from liane.store.search.sqltext import Arguments

TENANT = "current_setting('liane.tenant')::smallint"

Test = Callable[[Arguments, str], str]
"""The predicate for the row of that name."""
Way = Callable[[Arguments], str]
"""A query of row numbers."""


@dataclass(slots=True)
class Condition:
    """`test` is exact, unless there is none and the way is. `hashes` are the index keys of a way
    through `record.ix`; `patients` and `ids` the only ones whose rows can pass.
    """

    test: Test | None = None
    way: Way | None = None
    hashes: list[int] | None = None
    patients: list[str] | None = None
    ids: list[str] | None = None
    exact_way: bool = False
    """The way gives exactly the right rows, so those it leads to need no test."""
    moments: tuple[int | None, int | None] | None = None
    """The stretch of the clinical date (milliseconds) outside which no row with a short date can
    pass; rows with a long one are another matter."""
    long_way: Way | None = None
    """The rows with a long date that pass."""
    label: str = ""
    """The name of the parameter, for explanations; never a value."""
    heavy: bool = False
    """The way reads far more than it gives: walking along the order is tried first."""

    def tested(self, a: Arguments, row: str) -> str:
        """The whole predicate, wherever the row comes from."""
        tests = []
        if self.ids is not None:
            tests.append(f"{row}.id = any({a.add(self.ids, 'text[]')})")
        if self.patients is not None:
            tests.append(among_patients(self.patients, a, row))
        if self.test is not None:
            tests.append(self.test(a, row))
        elif self.way is not None:
            tests.append(f"{row}.rid in ({self.way(a)})")
        return " and ".join(tests) if tests else "true"


def among_patients(patients: Sequence[str], a: Arguments, row: str) -> str:
    """Whether the row belongs to one of these patients."""
    if len(patients) == 1:
        return f"{row}.patient = {a.add(patients[0], 'text')}"
    return f"{row}.patient = any({a.add(list(patients), 'text[]')})"


def hashed_condition(exact: list[int], leading: list[int] | None, *, label: str = "") -> Condition:
    """Rows that have one of the `exact` keys; `leading` keys, when given, lead to them."""

    def test(a: Arguments, row: str) -> str:
        return f"{row}.keys && {a.add(exact, 'bigint[]')}"

    if leading is None:
        return Condition(test, label=label)
    found = Condition(test, ix_way(leading), leading, label=label)
    found.exact_way = set(exact) == set(leading)
    return found


def ix_way(hashes: list[int]) -> Way:
    """The rows filed under one of the keys."""
    return lambda a: f"select rid from record.ix where h = any({a.add(hashes, 'bigint[]')})"  # noqa: S608


def hasher(tenant: int, type_: str, name: str) -> Callable[..., int]:
    """Makes the keys of one parameter of one type."""
    return lambda form, *parts: key(tenant, type_, name, form, *parts)


def all_of(tenant: int, type_: str) -> Condition:
    """Every resource of a type, through the index that all of them are filed in."""
    hashed = [key(tenant, type_, "_type", "all")]
    return Condition(None, ix_way(hashed), hashed, exact_way=True, label="_type")


def any_of(members: Sequence[Condition], label: str = "") -> Condition:
    """Rows that meet one of the members."""

    def test(a: Arguments, row: str) -> str:
        return "(" + " or ".join(f"({one.tested(a, row)})" for one in members) + ")"

    ways = [_way_of(one) for one in members]

    def way(a: Arguments) -> str:
        return " union all ".join(f"({one(a)})" for one in ways if one is not None)

    return Condition(test, way if all(ways) else None, label=label)


def _way_of(one: Condition) -> Way | None:
    if one.ids is not None or one.patients is not None:
        return None
    return one.way


def all_together(members: Sequence[Condition], label: str = "") -> Condition:
    """Rows that meet every member, as one condition inside others."""

    def test(a: Arguments, row: str) -> str:
        return "(" + " and ".join(f"({one.tested(a, row)})" for one in members) + ")"

    way = next((one.way for one in members if _way_of(one) is not None), None)
    return Condition(test, way, label=label)


def none_of(member: Condition, label: str = "") -> Condition:
    """Rows that do not meet the member."""
    return Condition(lambda a, row: f"not ({member.tested(a, row)})", label=label)
