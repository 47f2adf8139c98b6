"""Which test does a condition put to a row, and which index leads to rows that may pass it?

Only operators that PostgreSQL calls leak-proof lead the way, because row-level security would
switch off any other index (docs/decisions/0003-record-store.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from liane.fhir import definitions
from liane.store.keys import key
from liane.store.search.intervals import date_rows, date_test
from liane.store.search.sqltext import Arguments


@dataclass(slots=True)
class Condition:
    """`test` is exact, unless there is none and the way is. `hashes` are the index keys of a way
    through `record.ix`; `patients` and `ids` the only ones whose rows can pass.
    """

    test: Callable[[Arguments], str] | None = None
    way: Callable[[Arguments], str] | None = None
    hashes: list[int] | None = None
    patients: list[str] | None = None
    ids: list[str] | None = None
    exact_way: bool = False
    """The way gives exactly the right rows, so those it leads to need no test."""


def hashed_condition(exact: list[int], leading: list[int] | None) -> Condition:
    """Rows that have one of the `exact` keys; `leading` keys, when given, lead to them."""

    def test(arguments: Arguments) -> str:
        return f"r.keys && {arguments.add(exact, 'bigint[]')}"

    if leading is None:
        return Condition(test)

    def way(arguments: Arguments) -> str:
        return f"select rid from record.ix where h = any({arguments.add(leading, 'bigint[]')})"  # noqa: S608

    return Condition(test, way, leading)


def hasher(tenant: int, type_: str, name: str) -> Callable[..., int]:
    """Makes the keys of one parameter of one type."""
    return lambda form, *parts: key(tenant, type_, name, form, *parts)


def dates_condition(
    tenant: int, type_: str, param: str, groups: Sequence[Sequence[str]]
) -> Condition:
    """One date parameter asked once or several times (one group of values for each time).

    The main date of a type is the column `at`, so rows already at hand are tested by one look
    into the index instead of a scan of all dates.
    """
    hashed = hasher(tenant, type_, param)
    hashes = ([hashed("short")], [hashed("long")])
    main = definitions.resources()[type_]["at"]
    test = (lambda a: date_test(a, hashes, groups)) if main[:1] == [param] else None
    return Condition(test, lambda a: date_rows(a, hashes, groups), exact_way=True)


def all_of(tenant: int, type_: str) -> Condition:
    """Every resource of a type, through the index that all of them are filed in."""
    hashed = [key(tenant, type_, "_type", "all")]
    found = hashed_condition(hashed, hashed)
    found.test = None
    return found
