"""How are dates and numbers compared when both the question and the record may be vague?

R4 section 3.1.1.4.7 (prefixes) compares ranges: a value `2024` is a whole year, `5.4` reaches from
5.35 to 5.45. Index rows are filed short (up to 31 days, single numbers) or long (periods, ranges),
so that the beginning of a short one bounds its end and one end of the index is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from liane.fhir.dates import interval
from liane.store.keys import LONG_SPAN_MS, OPEN_LOW, milliseconds
from liane.store.search.refusals import wrong_value
from liane.store.search.sqltext import Arguments

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
OVERLAPS = "po"
"""Only `_filter` asks it: the two stretches have a moment in common."""

Hashes = tuple[list[int], list[int]]
Scale = Callable[[Decimal], Decimal]


def prefix_and_rest(value: str) -> tuple[str, str]:
    """`ge2024` gives ("ge", "2024"); without a prefix, equality is meant."""
    if value[:2] in PREFIXES or value[:2] == OVERLAPS:
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
        "po": f"({low} < {b} and {high} > {a})",
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
        "po": f"{low} < {b} and {low} > {a} - {span}",
    }[prefix]


def _asked_dates(value: str, param: str = "date") -> tuple[str, int, int]:
    prefix, text = prefix_and_rest(value)
    try:
        low, high = interval(text.replace(" ", "+"))
    except ValueError:
        raise wrong_value(
            param,
            value,
            f"2026, 2026-03 ou 2026-03-01T08:00:00+01:00, après {'|'.join(PREFIXES)}",
            f"2026, 2026-03 or 2026-03-01T08:00:00+01:00, after {'|'.join(PREFIXES)}",
        ) from None
    first, last = milliseconds(low), max(milliseconds(high), milliseconds(low) + 1)
    if prefix == "ap":
        away = abs(milliseconds(datetime.now(UTC)) - first) // 10
        first, last = first - away, last + away
    return prefix, first, last


def moments_of(values: Sequence[str], param: str) -> tuple[int | None, int | None]:
    """Between which beginnings a short date must lie to meet one of the values; None is open."""
    lows: list[int | None] = []
    highs: list[int | None] = []
    for value in values:
        prefix, first, last = _asked_dates(value, param)
        low, high = {
            "eq": (first, last),
            "ne": (None, None),
            "gt": (last - LONG_SPAN_MS, None),
            "lt": (None, first),
            "ge": (min(first, last - LONG_SPAN_MS), None),
            "le": (None, last),
            "sa": (last, None),
            "eb": (None, first),
            "ap": (first - LONG_SPAN_MS, last),
            "po": (first - LONG_SPAN_MS, last),
        }[prefix]
        lows.append(low)
        highs.append(high)
    return (
        None if None in lows else min(low for low in lows if low is not None),
        None if None in highs else max(high for high in highs if high is not None),
    )


def date_rows(
    a: Arguments, hashes: Hashes, groups: Sequence[Sequence[str]], param: str = "date"
) -> str:
    """Row numbers whose date meets one value of every group (one group for each criterion)."""
    short, long = [], []
    for values in groups:
        tests, bounds = [], []
        for value in values:
            prefix, first, last = _asked_dates(value, param)
            low, high = a.add(first, "bigint"), a.add(last, "bigint")
            tests.append(_compare(prefix, "low", "high", low, high))
            bounds.append(_bounds_of_short(prefix, "low", low, high, LONG_SPAN_MS))
        exact = f"({' or '.join(tests)})"
        long.append(exact)
        short.append(f"{exact} and (({') or ('.join(bounds)}))")
    return _both(a, "record.ix_date", hashes, short, long)


def date_test(
    a: Arguments, row: str, hashes: Hashes, groups: Sequence[Sequence[str]], param: str = "date"
) -> str:
    """Whether the main date of the row meets the groups: a look into the index at its own date."""
    tests = []
    for values in groups:
        alternatives = []
        for value in values:
            prefix, first, last = _asked_dates(value, param)
            bounds = a.add(first, "bigint"), a.add(last, "bigint")
            alternatives.append(_compare(prefix, "d.low", "d.high", *bounds))
        tests.append(f"({' or '.join(alternatives)})")
    here = f"floor(extract(epoch from {row}.at) * 1000)::bigint"
    return (
        "exists (select from record.ix_date d where "
        f"d.h = any({a.add([*hashes[0], *hashes[1]], 'bigint[]')}) and d.rid = {row}.rid "
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


def updated_test(a: Arguments, row: str, values: Sequence[str]) -> str:
    """`_lastUpdated` against the row."""
    tests = []
    column = f"{row}.updated"
    for value in values:
        prefix, first, last = _asked_dates(value, "_lastUpdated")
        low, high = (a.add(_instant(ms), "timestamptz") for ms in (first, last))
        # An instant: its end is itself, so that "after" excludes the last moment asked.
        tests.append(
            {
                "gt": f"{column} >= {high}",
                "sa": f"{column} >= {high}",
                "lt": f"{column} < {low}",
                "eb": f"{column} < {low}",
                "ge": f"{column} >= {low}",
                "le": f"{column} < {high}",
                "ne": f"not ({column} >= {low} and {column} < {high})",
            }.get(prefix, f"({column} >= {low} and {column} < {high})")
        )
    return f"({' or '.join(tests)})"


_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def _instant(milliseconds_: int) -> datetime:
    """The instant, or the nearest that can be written."""
    try:
        return datetime.fromtimestamp(milliseconds_ / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return _FIRST if milliseconds_ < 0 else _LAST


def asked_number(value: str, param: str) -> tuple[str, Decimal, Decimal, Decimal]:
    """Prefix, the ends that the written digits imply, and the number itself."""
    prefix, text = prefix_and_rest(value)
    try:
        number = Decimal(text)
        finite = number.is_finite() and abs(number.adjusted()) < 100 and len(text) < 60
    except InvalidOperation:
        number, finite = Decimal(0), False
    if not finite:
        listed = "|".join(PREFIXES)
        raise wrong_value(param, value, f"un nombre, après {listed}", f"a number, after {listed}")
    exponent = number.as_tuple().exponent
    half = Decimal(5).scaleb(int(exponent) - 1) if isinstance(exponent, int) else Decimal(0)
    if prefix == "ap":
        half = abs(number) / 10
    return prefix, number - half, number + half, number


def number_rows(
    a: Arguments, hashes: Hashes, values: Sequence[str], param: str, scale: Scale | None = None
) -> str:
    """Row numbers whose number meets one of the values, each turned into the unit of the rows."""
    points, ranges = [], []
    for value in values:
        prefix, *numbers = asked_number(value, param)
        low, high, exact = (float(scale(n) if scale else n) for n in numbers)
        if prefix in ("eq", "ne", "ap", "po"):
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
        "po": f"(low >= {a} and low <= {b})",
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
        "po": f"(low <= {b} and high >= {a})",
        "ne": f"(low < {a} or high > {b})",
        "gt": f"high > {a}",
        "sa": f"low >= {a}",
        "lt": f"low < {a}",
        "eb": f"high <= {a}",
        "ge": f"(high > {a} or low >= {a})",
        "le": f"(low < {a} or high <= {a})",
    }[prefix]
