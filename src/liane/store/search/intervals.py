"""How are dates and numbers compared when both the question and the record may be vague?

R4 section 3.1.1.4.7 (prefixes) compares ranges: a value `2024` is a whole year, `5.4` reaches from
5.35 to 5.45. Index rows are filed short (up to 31 days, single numbers) or long (periods, ranges),
so that the beginning of a short one bounds its end and one end of the index is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from liane.fhir.dates import interval
from liane.store.keys import LONG_SPAN_MS, OPEN_LOW, milliseconds
from liane.store.search.parsing import refused
from liane.store.search.sqltext import Arguments

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")

Hashes = tuple[list[int], list[int]]


def prefix_and_rest(value: str) -> tuple[str, str]:
    """`ge2024` gives ("ge", "2024"); without a prefix, equality is meant."""
    if value[:2] in PREFIXES:
        return value[:2], value[2:]
    return "eq", value


def _compare(prefix: str, low: str, high: str, a: str, b: str) -> str:
    """The row's [low, high) against the question's [a, b)."""
    return {
        "eq": f"({low} >= {a} and {high} <= {b})",
        "ne": f"({low} < {a} or {high} > {b})",
        "gt": f"{high} > {b}",
        "lt": f"{low} < {a}",
        "ge": f"({low} >= {a} or {high} > {b})",
        "le": f"({high} <= {b} or {low} < {a})",
        "sa": f"{low} >= {b}",
        "eb": f"{high} <= {a}",
        "ap": f"({low} < {b} and {high} > {a})",
    }[prefix]


def _bounds_of_short(prefix: str, low: str, a: str, b: str, span: int) -> str:
    """What the beginning of a short row must be, so that the index is read in one range."""
    return {
        "eq": f"{low} >= {a} and {low} < {b}",
        "ne": "true",
        "gt": f"{low} > {b} - {span}",
        "lt": f"{low} < {a}",
        "ge": f"{low} >= least({a}, {b} - {span})",
        "le": f"{low} < {b}",
        "sa": f"{low} >= {b}",
        "eb": f"{low} < {a}",
        "ap": f"{low} < {b} and {low} > {a} - {span}",
    }[prefix]


def _asked_dates(value: str) -> tuple[str, int, int]:
    prefix, text = prefix_and_rest(value)
    try:
        low, high = interval(text.replace(" ", "+"))
    except ValueError:
        raise refused(
            f"« {text[:40]} » n'est pas une date.", f"'{text[:40]}' is no date."
        ) from None
    first, last = milliseconds(low), max(milliseconds(high), milliseconds(low) + 1)
    if prefix == "ap":
        away = abs(milliseconds(datetime.now(UTC)) - first) // 10
        first, last = first - away, last + away
    return prefix, first, last


def date_rows(a: Arguments, hashes: Hashes, groups: Sequence[Sequence[str]]) -> str:
    """Row numbers whose date meets one value of every group (one group for each criterion)."""
    short, long = [], []
    for values in groups:
        tests, bounds = [], []
        for value in values:
            prefix, first, last = _asked_dates(value)
            low, high = a.add(first, "bigint"), a.add(last, "bigint")
            tests.append(_compare(prefix, "low", "high", low, high))
            bounds.append(_bounds_of_short(prefix, "low", low, high, LONG_SPAN_MS))
        exact = f"({' or '.join(tests)})"
        long.append(exact)
        short.append(f"{exact} and (({') or ('.join(bounds)}))")
    return _both(a, "record.ix_date", hashes, short, long)


def date_test(a: Arguments, hashes: Hashes, groups: Sequence[Sequence[str]]) -> str:
    """Whether the main date of row `r` meets the groups: a look into the index at its own date."""
    tests = []
    for values in groups:
        alternatives = []
        for value in values:
            prefix, first, last = _asked_dates(value)
            bounds = a.add(first, "bigint"), a.add(last, "bigint")
            alternatives.append(_compare(prefix, "d.low", "d.high", *bounds))
        tests.append(f"({' or '.join(alternatives)})")
    here = "floor(extract(epoch from r.at) * 1000)::bigint"
    return (
        "exists (select from record.ix_date d where "
        f"d.h = any({a.add([*hashes[0], *hashes[1]], 'bigint[]')}) and d.rid = r.rid "
        f"and d.low in ({here}, {OPEN_LOW}) and {' and '.join(tests)})"
    )


def _both(
    a: Arguments, table: str, hashes: Hashes, short: Sequence[str], long: Sequence[str]
) -> str:
    near, far = (a.add(h, "bigint[]") for h in hashes)
    return (
        f"select rid from {table} where h = any({near}) and {' and '.join(short)} union all "  # noqa: S608
        f"select rid from {table} where h = any({far}) and {' and '.join(long)}"
    )


def updated_test(a: Arguments, values: Sequence[str]) -> str:
    """`_lastUpdated` against the row."""
    tests = []
    for value in values:
        prefix, first, last = _asked_dates(value)
        low, high = (
            a.add(datetime.fromtimestamp(ms / 1000, UTC), "timestamptz") for ms in (first, last)
        )
        # An instant: its end is itself, so that "after" excludes the last moment asked.
        tests.append(
            {
                "gt": f"r.updated >= {high}",
                "sa": f"r.updated >= {high}",
                "lt": f"r.updated < {low}",
                "eb": f"r.updated < {low}",
                "ge": f"r.updated >= {low}",
                "le": f"r.updated < {high}",
                "ne": f"not (r.updated >= {low} and r.updated < {high})",
            }.get(prefix, f"(r.updated >= {low} and r.updated < {high})")
        )
    return f"({' or '.join(tests)})"


def _asked_number(value: str) -> tuple[str, float, float, float]:
    prefix, text = prefix_and_rest(value)
    try:
        number = Decimal(text)
        finite = number.is_finite() and abs(number.adjusted()) < 300
    except InvalidOperation:
        number, finite = Decimal(0), False
    if not finite:
        raise refused(f"« {text[:40]} » n'est pas un nombre.", f"'{text[:40]}' is not a number.")
    exponent = number.as_tuple().exponent
    half = Decimal(5).scaleb(int(exponent) - 1) if isinstance(exponent, int) else Decimal(0)
    if prefix == "ap":
        half = abs(number) / 10
    return prefix, float(number - half), float(number + half), float(number)


def number_rows(a: Arguments, hashes: Hashes, values: Sequence[str]) -> str:
    """Row numbers whose number meets one of the values."""
    points, ranges = [], []
    for value in values:
        prefix, low, high, exact = _asked_number(value)
        if prefix in ("eq", "ne", "ap"):
            first, last = a.add(low, "float8"), a.add(high, "float8")
        else:
            first = last = a.add(exact, "float8")
        points.append(_compare_point(prefix, first, last))
        ranges.append(_compare_range(prefix, first, last))
    return _both(
        a, "record.ix_number", hashes, [f"({' or '.join(points)})"], [f"({' or '.join(ranges)})"]
    )


def _compare_point(prefix: str, a: str, b: str) -> str:
    return {
        "eq": f"(low >= {a} and low < {b})",
        "ap": f"(low >= {a} and low <= {b})",
        "ne": f"(low < {a} or low >= {b})",
        "gt": f"low > {a}",
        "sa": f"low > {a}",
        "lt": f"low < {a}",
        "eb": f"low < {a}",
        "ge": f"low >= {a}",
        "le": f"low <= {a}",
    }[prefix]


def _compare_range(prefix: str, a: str, b: str) -> str:
    """A range such as `<5`; its open end is infinite, so `lt5` finds it and `gt` does not."""
    return {
        "eq": f"(low >= {a} and high <= {b})",
        "ap": f"(low <= {b} and high >= {a})",
        "ne": f"(low < {a} or high > {b})",
        "gt": f"high > {a}",
        "sa": f"low >= {a}",
        "lt": f"low < {a}",
        "eb": f"high <= {a}",
        "ge": f"(high > {a} or low >= {a})",
        "le": f"(low < {a} or high <= {a})",
    }[prefix]
