"""Which stretch of time does a FHIR date mean, when it may say a year, a day or an instant?

R4 search, `date`: a date is the interval of all instants it can mean. Intervals here are half
open: `low` belongs to it, `high` does not. A date without a zone is read in the hospital's own.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Paris")

# The first and last instants that both Python and PostgreSQL can hold.
_START = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)

Interval = tuple[datetime, datetime]

_FORM = re.compile(
    r"\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?P<fraction>\.\d+)?)?"
    r"(?:Z|[+-]\d{2}:\d{2})?)?)?)?"
)


def interval(text: str) -> Interval:
    """The instants a date, dateTime or instant can mean. Raises ValueError when it is none."""
    if len(text) <= 10:
        return _days(text)
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"not a FHIR date: {text[:40]!r}")
    fraction = match.group("fraction")
    at = datetime.fromisoformat(_microseconds(text, fraction))
    try:
        low = (at if at.tzinfo else at.replace(tzinfo=ZONE)).astimezone(UTC)
        return low, low + _precision(text, fraction)
    except OverflowError as problem:
        raise ValueError(f"a date out of range: {text!r}") from problem


@lru_cache(maxsize=8192)
def _days(text: str) -> Interval:
    """A year, a month or a day, in the hospital's zone."""
    if _FORM.fullmatch(text) is None:
        raise ValueError(f"not a FHIR date: {text[:40]!r}")
    parts = tuple(int(part) for part in text.split("-"))
    first = date(*(*parts, 1, 1)[:3])
    try:
        after = _day_after(first, len(parts))
        high = datetime(after.year, after.month, after.day, tzinfo=ZONE).astimezone(UTC)
    except (OverflowError, ValueError):
        high = _END
    try:
        low = datetime(first.year, first.month, first.day, tzinfo=ZONE).astimezone(UTC)
    except OverflowError:
        low = _START
    return low, high


def _day_after(first: date, precision: int) -> date:
    """The first day that a year (1), a month (2) or a day (3) no longer holds."""
    if precision == 3:
        return first + timedelta(days=1)
    if precision == 2:
        return date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return date(first.year + 1, 1, 1)


def _microseconds(text: str, fraction: str | None) -> str:
    """Python keeps six digits of a second; more are cut."""
    if fraction and len(fraction) > 7:
        return text.replace(fraction, fraction[:7], 1)
    return text


def _precision(text: str, fraction: str | None) -> timedelta:
    if fraction:
        return timedelta(microseconds=10 ** max(0, 7 - len(fraction)))
    with_seconds = len(text) >= 19 and text[16] == ":"
    return timedelta(seconds=1) if with_seconds else timedelta(minutes=1)
