"""How do dates and times compare when they may stop at the year, the day or the minute?

FHIRPath N1: values are compared part by part; when one stops where the other goes on, the answer
is not known (None). Seconds and their fraction are one part.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from liane.fhir.fhirpath.errors import Wrong

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_DATETIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?"
    r"(?:T(?:(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?(Z|[+-]\d\d:\d\d)?)?)?",
    re.ASCII,
)
_TIME = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?", re.ASCII)
_LARGEST = (9999, 12, 31, 23, 59, 60)

Parts = tuple[int | Decimal, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, a dateTime or a time: the parts that were given, the largest first."""

    kind: str
    """`Date`, `DateTime` or `Time`."""
    parts: Parts
    offset_minutes: int | None = None
    utc: Parts = field(default=(), compare=False, repr=False)
    """The parts in universal time, where the offset is known."""

    def __str__(self) -> str:
        if self.kind == "Time":
            return _clock(self.parts)
        day = "-".join(f"{part:0{4 if i == 0 else 2}d}" for i, part in enumerate(self.parts[:3]))
        if len(self.parts) <= 3:
            return day
        return f"{day}T{_clock(self.parts[3:])}{_zone(self.offset_minutes)}"

    @property
    def literal(self) -> str:
        """As it would be written in an expression."""
        if self.kind == "Time":
            return f"@T{self}"
        return f"@{self}T" if self.kind == "DateTime" and len(self.parts) <= 3 else f"@{self}"

    @property
    def fraction_digits(self) -> int:
        """How many digits follow the point of the seconds."""
        last = self.parts[-1]
        return -int(last.as_tuple().exponent) if isinstance(last, Decimal) else 0


def _clock(parts: Parts) -> str:
    return ":".join(_two(part) for part in parts)


def _two(part: int | Decimal) -> str:
    whole, point, fraction = (
        f"{part:f}".partition(".") if isinstance(part, Decimal) else (str(part), "", "")
    )
    return f"{whole.zfill(2)}{point}{fraction}"


def _zone(offset: int | None) -> str:
    if offset is None:
        return ""
    if offset == 0:
        return "Z"
    return f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"


def _wrong(text: str) -> Wrong:
    return Wrong(f"« {text[:40]} » n’est pas une date", f"'{text[:40]}' is not a date")


def moment(kind: str, parts: Parts, offset: int | None = None) -> Moment:
    """A checked moment; Raises `Wrong` when the calendar has no such day."""
    shown = "-".join(map(str, parts))
    first = 3 if kind == "Time" else 0
    if any(part > _LARGEST[first + i] for i, part in enumerate(parts)):
        raise _wrong(shown)
    if kind != "Time":
        if any(part == 0 for part in parts[:3]):
            raise _wrong(shown)
        if len(parts) > 2 and parts[2] > calendar.monthrange(int(parts[0]), int(parts[1]))[1]:
            raise _wrong(shown)
    if offset is None or len(parts) < 4:
        return Moment(kind, parts, offset, parts)
    return Moment(kind, parts, offset, _shifted(parts, -offset))


def _shifted(parts: Parts, minutes: int) -> Parts:
    if minutes == 0:
        return parts
    whole = [int(part) for part in parts[:5]] + [0] * (5 - len(parts))
    try:
        at = datetime(*whole) + timedelta(minutes=minutes)  # type: ignore[arg-type]  # noqa: DTZ001 - both sides are shifted to the same zone
    except (OverflowError, ValueError):
        return parts
    return (at.year, at.month, at.day, at.hour, at.minute, *parts[5:])[: len(parts)]


def _numbers(groups: tuple[str | None, ...], seconds_at: int) -> Parts:
    return tuple(
        Decimal(group) if i == seconds_at and "." in group else int(group)
        for i, group in enumerate(groups)
        if group is not None
    )


def date_of(text: str) -> Moment:
    """The date in `text`."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise _wrong(text)
    return moment("Date", _numbers(match.groups(), -1))


def datetime_of(text: str) -> Moment:
    """The dateTime in `text`; it may stop anywhere."""
    match = _DATETIME.fullmatch(text)
    if match is None:
        raise _wrong(text)
    zone = match.group(7)
    return moment("DateTime", _numbers(match.groups()[:6], 5), _offset(zone))


def _offset(zone: str | None) -> int | None:
    if zone is None:
        return None
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return -minutes if zone[0] == "-" else minutes


def time_of(text: str) -> Moment:
    """The time of day in `text`."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise _wrong(text)
    return moment("Time", _numbers(match.groups(), 2))


def compare(left: Moment, right: Moment) -> int | None:
    """-1, 0 or 1; None when it cannot be known."""
    if (left.kind == "Time") != (right.kind == "Time"):
        return None
    here, there = left.parts, right.parts
    zones = (left.offset_minutes is None, right.offset_minutes is None)
    if zones == (False, False):
        here, there = left.utc, right.utc
    elif zones != (True, True) and min(len(here), len(there)) > 3:
        return _unzoned(left, right)
    for one, other in zip(here, there, strict=False):
        if one != other:
            return -1 if one < other else 1
    return 0 if len(here) == len(there) else None


def _unzoned(left: Moment, right: Moment) -> int | None:
    """One side has no zone: it may lie anywhere from 14 hours before to 12 hours after."""
    one, other = _minutes(left), _minutes(right)
    apart = one - other
    low, high = (-14 * 60, 12 * 60) if left.offset_minutes is None else (-12 * 60, 14 * 60)
    if apart + low > 0:
        return 1
    return -1 if apart + high < 0 else None


def _minutes(value: Moment) -> int:
    parts = [int(part) for part in value.utc[:5]] + [0] * (5 - len(value.utc))
    at = datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - a count of minutes only
    return at.toordinal() * 1440 + at.hour * 60 + at.minute


def equivalent(left: Moment, right: Moment) -> bool:
    """`~`: as equal, but an unknown answer is false."""
    return compare(left, right) == 0


_STEPS = {"year": 0, "month": 1, "week": 2, "day": 2, "hour": 3, "minute": 4, "second": 5}


def plus(value: Moment, amount: Decimal, unit: str) -> Moment:
    """`value` moved by `amount` calendar units (singular words); the precision stays."""
    if unit == "millisecond":
        amount, unit = amount / 1000, "second"
        whole = amount
    else:
        whole = Decimal(int(amount))
    if unit not in _STEPS or (value.kind == "Time" and _STEPS[unit] < 3):
        raise Wrong(f"on n’ajoute pas « {unit} » ici", f"'{unit}' cannot be added here")
    try:
        if value.kind == "Time":
            return _time_plus(value, whole, unit)
        return _day_plus(value, whole, unit)
    except (OverflowError, ValueError, ArithmeticError):
        raise Wrong("date hors de portée", "a date out of range") from None


def _day_plus(value: Moment, amount: Decimal, unit: str) -> Moment:
    if _STEPS[unit] < 2 or len(value.parts) < 3:
        return _months_plus(value, amount, unit)
    if value.kind == "Date" and _STEPS[unit] > 2:
        amount = Decimal(int(_seconds(amount, unit) / 86400))
        unit = "day"
    filled = [int(part) for part in value.parts[:5]] + [0] * (5 - len(value.parts[:5]))
    second = Decimal(value.parts[5]) if len(value.parts) > 5 else Decimal(0)
    total = second + _seconds(amount, unit)
    minutes, left = divmod(total, 60)
    if left < 0:
        minutes, left = minutes - 1, left + 60
    at = datetime(*filled) + timedelta(minutes=int(minutes))  # type: ignore[arg-type]  # noqa: DTZ001
    parts: list[int | Decimal] = [at.year, at.month, at.day, at.hour, at.minute]
    if len(value.parts) > 5:
        parts.append(_same_digits(left, value.parts[5]))
    return moment(value.kind, tuple(parts[: len(value.parts)]), value.offset_minutes)


def _same_digits(seconds: Decimal, like: int | Decimal) -> int | Decimal:
    """The seconds with the digits of `like`, or more where the value needs them."""
    shown = seconds.quantize(Decimal(like))
    if shown != seconds:
        return seconds
    return shown if isinstance(like, Decimal) else int(shown)


def _seconds(amount: Decimal, unit: str) -> Decimal:
    factor = {"week": 604800, "day": 86400, "hour": 3600, "minute": 60, "second": 1}
    return amount * factor[unit]


def _months_plus(value: Moment, amount: Decimal, unit: str) -> Moment:
    if unit == "year":
        months = int(amount) * 12
    elif unit == "month":
        months = int(amount)
    else:
        months = int(_seconds(amount, unit) / 86400 / 30)
    if len(value.parts) == 1:
        months = int(months / 12) * 12
    year, month = value.parts[0], value.parts[1] if len(value.parts) > 1 else 1
    count = int(year) * 12 + int(month) - 1 + months
    year, month = count // 12, count % 12 + 1
    if not 1 <= year <= 9999:
        raise OverflowError
    parts: Parts = (year, month)
    if len(value.parts) > 2:
        parts = (year, month, min(int(value.parts[2]), calendar.monthrange(year, month)[1]))
    return moment(value.kind, (*parts, *value.parts[3:])[: len(value.parts)], value.offset_minutes)


def _time_plus(value: Moment, amount: Decimal, unit: str) -> Moment:
    parts = [Decimal(part) for part in value.parts] + [Decimal(0)] * (3 - len(value.parts))
    total = (parts[0] * 3600 + parts[1] * 60 + parts[2] + _seconds(amount, unit)) % 86400
    if total < 0:
        total += 86400
    second = total % 60
    out: list[int | Decimal] = [int(total // 3600), int(total % 3600 // 60)]
    out.append(_same_digits(second, value.parts[2]) if len(value.parts) > 2 else int(second))
    return moment("Time", tuple(out[: len(value.parts)]))
