"""In which order do the rows come, and which of them come after a given one?

Every order ends with the number of the row, so it is total: a page continues exactly where the one
before ended, whatever was written since. Rows without a value come last when the client asked for
the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liane.store.keys import order_of
from liane.store.search import bodies, known
from liane.store.search.cursors import Mark
from liane.store.search.model import Sort
from liane.store.search.sqltext import Arguments


def column_order(sort: Sort, *, stream: bool) -> str:
    """The `order by` of an order that an index has."""
    if stream:
        return "k.s, k.rid" if sort.descending else "k.s desc, k.rid desc"
    return {
        ("at", True): "r.at desc, r.rid",
        ("at", False): "r.at, r.rid desc",
        ("updated", True): "r.updated desc, r.rid desc",
        ("updated", False): "r.updated, r.rid",
        ("id", True): "r.id desc",
        ("id", False): "r.id",
    }[sort.column, sort.descending]


def after(sort: Sort, mark: Mark, a: Arguments, *, stream: bool) -> str:
    """Only what follows the last row of the page before."""
    rid = a.add(mark.rid, "bigint")
    sign = "<" if sort.descending else ">"
    if stream:
        place = a.add(order_of(mark.at), "bigint")
        return f"(k.s, k.rid) {'>' if sort.descending else '<'} ({place}, {rid})"
    if sort.column == "id":
        return f"r.id {sign} {a.add(mark.id, 'text')}"
    if sort.column == "updated":
        return f"(r.updated, r.rid) {sign} ({a.add(mark.updated, 'timestamptz')}, {rid})"
    if mark.at is None:
        return (
            f"(r.at is not null or r.rid > {rid})"
            if sort.descending
            else f"(r.at is null and r.rid < {rid})"
        )
    at = a.add(mark.at, "timestamptz")
    if sort.descending:
        return f"(r.at <= {at} and (r.at < {at} or r.rid > {rid}))"
    return f"(r.at is null or (r.at >= {at} and (r.at > {at} or r.rid < {rid})))"


@dataclass(frozen=True, slots=True)
class Place:
    """One sorted value of a row: its SQL, its type, and whether the largest comes first."""

    sql: str
    cast: str
    descending: bool
    always: bool = False
    """Every row has one."""


def places(type_: str, sorts: Sequence[Sort], tenant: int, row: str = "r") -> list[Place]:
    """The values by which rows are sorted, when no index has their order."""
    found = []
    for sort in sorts:
        match sort.column:
            case "at":
                found.append(Place(f"{row}.at", "timestamptz", sort.descending))
            case "updated":
                found.append(Place(f"{row}.updated", "timestamptz", sort.descending, always=True))
            case "id":
                found.append(Place(f"{row}.id", "text", sort.descending, always=True))
            case _:
                parameter = known.parameter(type_, sort.param or "", tenant)
                if parameter is None:
                    raise ValueError(f"{type_} has no parameter {sort.param}")
                sql, cast = bodies.sort_value(parameter, row, descending=sort.descending)
                found.append(Place(sql, cast, sort.descending))
    return found


def order_by(kept: Sequence[Place], *, backwards: bool) -> str:
    """`s1`, `s2` ... and the row, values that are absent last (first, when going backwards)."""
    parts = []
    for n, place in enumerate(kept, 1):
        down = place.descending != backwards
        absent = "" if place.always else f" nulls {'first' if backwards else 'last'}"
        parts.append(f"s{n} {'desc' if down else 'asc'}{absent}")
    return ", ".join([*parts, f"rid {'desc' if backwards else 'asc'}"])


def beyond(
    kept: Sequence[Place], values: Sequence[Any], rid: int, a: Arguments, *, backwards: bool
) -> str:
    """Rows after (or before) the one with these sorted values."""
    alternatives, same = [], list[str]()
    for n, (place, value) in enumerate(zip(kept, values, strict=True), 1):
        name = f"s{n}"
        down = place.descending != backwards
        if value is None:
            if backwards:
                alternatives.append(" and ".join([*same, f"{name} is not null"]))
            same.append(f"{name} is null")
            continue
        placed = a.add(value, place.cast)
        past = f"{name} {'<' if down else '>'} {placed}"
        if not backwards and not place.always:
            past = f"({past} or {name} is null)"
        alternatives.append(" and ".join([*same, past]))
        same.append(f"{name} = {placed}")
    last = f"rid {'<' if backwards else '>'} {a.add(rid, 'bigint')}"
    alternatives.append(" and ".join([*same, last]))
    return "(" + " or ".join(f"({one})" for one in alternatives) + ")"
