"""Whatever the values, a search agrees with a plain comparison of what was stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liane.fhir.dates import interval
from liane.store import Database
from liane.store.resources import Write, put, write_many
from liane.store.search import parse_query, run
from liane.store.search.parsing import split, unescape

SLOW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

days = st.datetimes(datetime(2020, 1, 1), datetime(2026, 12, 31)).map(
    lambda d: d.replace(tzinfo=UTC)
)
periods = st.tuples(days, st.one_of(st.none(), st.integers(0, 120)))
asked_dates = st.one_of(
    days.map(lambda d: d.strftime("%Y")),
    days.map(lambda d: d.strftime("%Y-%m")),
    days.map(lambda d: d.strftime("%Y-%m-%d")),
    days.map(lambda d: d.strftime("%Y-%m-%dT%H:%M:%SZ")),
)
prefixes = st.sampled_from(["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"])


def meets(prefix: str, low: datetime, high: datetime, a: datetime, b: datetime) -> bool:
    """R4 search, prefixes, on half-open intervals."""
    return {
        "": a <= low and high <= b,
        "eq": a <= low and high <= b,
        "ne": not (a <= low and high <= b),
        "gt": high > b,
        "lt": low < a,
        "ge": high > b or (a <= low and high <= b) or low >= a,
        "le": low < a or (a <= low and high <= b) or high <= b,
        "sa": low >= b,
        "eb": high <= a,
    }[prefix]


async def found(database: Database, type_: str, *items: tuple[str, str]) -> set[str]:
    async with database.reading() as tx:
        page = await run(tx, parse_query(type_, [*items, ("_count", "1000")]))
    return {version.id for version in page.versions}


@SLOW
@given(
    stays=st.lists(periods, min_size=1, max_size=12),
    asked=st.lists(st.tuples(prefixes, asked_dates), min_size=1, max_size=3),
)
async def test_dates_are_compared_as_the_standard_says(
    database: Database, stays: list[Any], asked: list[tuple[str, str]]
) -> None:
    far = datetime(9999, 1, 1, tzinfo=UTC)
    writes, spans = [], {}
    for n, (start, length) in enumerate(stays):
        period = {"start": start.strftime("%Y-%m-%dT%H:%M:%SZ")}
        low, high = interval(period["start"])[0], far
        if length is not None:
            period["end"] = (start + timedelta(days=length)).strftime("%Y-%m-%dT%H:%M:%SZ")
            high = interval(period["end"])[1]
        spans[f"e{n}"] = (low, high)
        subject = {"reference": f"Patient/p{n % 2}"}
        encounter = {"resourceType": "Encounter", "id": f"e{n}", "period": period}
        writes.append(Write(encounter | {"subject": subject}))
    async with database.transaction() as tx:
        await tx.execute("delete from record.ix_date")
        await tx.execute("delete from record.ix")
        await tx.execute("delete from record.resource")
        await tx.execute("delete from record.history")
        await write_many(tx, writes)
    expected = {
        id_
        for id_, (low, high) in spans.items()
        if all(meets(prefix, low, high, *interval(text)) for prefix, text in asked)
    }
    items = [("date", prefix + text) for prefix, text in asked]
    assert await found(database, "Encounter", *items) == expected
    mine = {id_ for id_ in expected if int(id_[1:]) % 2 == 0}
    assert await found(database, "Encounter", ("patient", "p0"), *items) == mine


@SLOW
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from(["c1", "c2", "c3"]),
            st.sampled_from([None, "2026-01-01", "2026-02-01T10:00:00Z"]),
            st.decimals(-5, 5, places=2, allow_nan=False),
        ),
        min_size=1,
        max_size=8,
    )
)
async def test_only_the_last_version_is_found_by_its_values(
    database: Database, steps: list[tuple[str, str, str | None, Decimal]]
) -> None:
    last: dict[str, tuple[str, str | None, Decimal]] = {}
    for id_, code, day, value in steps:
        resource: dict[str, Any] = {
            "resourceType": "Observation",
            "id": id_,
            "status": "final",
            "code": {"coding": [{"system": "s", "code": code}]},
            "valueQuantity": {"value": value, "code": "g", "system": "u"},
        }
        if day is not None:
            resource["effectiveDateTime"] = day
        async with database.transaction() as tx:
            version = await put(tx, resource)
            assert version.resource["valueQuantity"]["value"].as_tuple() == value.as_tuple()
        last[id_] = (code, day, value)
    present = last
    others = {"a", "b"} - set(present)
    for code in ("c1", "c2", "c3"):
        expected = {id_ for id_, facts in present.items() if facts[0] == code}
        assert await found(database, "Observation", ("code", f"s|{code}")) - others == expected
    for value in {facts[2] for facts in present.values()}:
        expected = {id_ for id_, facts in present.items() if facts[2] == value}
        asked = ("value-quantity", f"{value}")
        assert await found(database, "Observation", asked) - others == expected
    async with database.reading() as tx:
        rows = await tx.fetchval("select count(distinct rid) from record.ix_number")
        assert rows == await tx.fetchval("select count(*) from record.resource")


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_guarded_separators_do_not_cut(parts: list[str]) -> None:
    def guard(text: str) -> str:
        for character in "\\,|$":
            text = text.replace(character, "\\" + character)
        return text

    for separator in ",|$":
        joined = separator.join(guard(part) for part in parts)
        assert [unescape(part) for part in split(joined, separator)] == parts
