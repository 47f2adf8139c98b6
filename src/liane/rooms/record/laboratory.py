"""Which results may be joined, compared and laid side by side? (Pure.)

Results belong to one series only when analysis (LOINC), unit and method are all the same; nothing
is ever converted. Where a laboratory changes unit or method the line breaks, and the break is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from liane.ui.values import Shown

SeriesKey = tuple[str, str, str, str]
"""System, code, unit, method."""

SAME_SAMPLE = timedelta(minutes=1)

_CHAPTERS: Mapping[str, tuple[str, ...]] = {
    "inflammation": ("1988-5", "76485-2", "33959-8", "75241-0", "26881-3", "4537-7"),
    "electrolytes": (
        "2951-2",
        "2823-3",
        "6298-4",
        "2075-0",
        "1963-8",
        "2028-9",
        "17861-6",
        "2000-8",
        "2777-1",
        "14879-1",
        "2885-2",
        "2345-7",
        "2339-0",
        "14749-6",
        "15074-8",
        "2524-7",
        "14118-4",
    ),
    "kidney": ("2160-0", "14682-9", "3094-0", "22664-7", "33914-3", "62238-1", "48642-3", "3084-1"),
    "blood": (
        "718-7",
        "4544-3",
        "20570-8",
        "789-8",
        "6690-2",
        "26464-8",
        "777-3",
        "26515-7",
        "787-2",
        "785-6",
        "786-4",
        "751-8",
        "731-0",
        "742-7",
        "711-2",
        "704-7",
        "770-8",
        "736-9",
        "5905-5",
        "21000-5",
        "788-0",
        "32207-3",
        "32623-1",
    ),
    "clotting": ("6301-6", "34714-6", "5902-2", "3173-2", "14979-9", "48065-7", "3255-7", "5894-1"),
    "liver": ("1742-6", "1920-8", "1975-2", "14631-6", "1968-7", "6768-6", "2324-2", "1751-7"),
    "heart": ("67151-1", "89579-7", "10839-9", "6598-7", "33762-6", "30934-4", "2157-6"),
    "gases": ("2744-1", "11558-4", "2703-7", "2019-8", "1960-4", "11557-6", "1925-7", "2708-6"),
    "sugar": ("4548-4", "59261-8", "17856-6"),
    "lipids": ("2093-3", "18262-6", "2571-8", "2085-9", "13457-7"),
}
CHAPTERS = (*_CHAPTERS, "other")
_CHAPTER_OF = {code: chapter for chapter, codes in _CHAPTERS.items() for code in codes}
_RANK = {code: rank for rank, code in enumerate(c for codes in _CHAPTERS.values() for c in codes)}

PINNED_FIRST = (
    ("1988-5", "76485-2"),
    ("14682-9", "2160-0"),
    ("718-7",),
    ("2823-3", "6298-4"),
    ("6690-2", "26464-8"),
    ("67151-1", "89579-7"),
    ("2524-7", "14118-4"),
    ("2951-2",),
    ("2339-0", "2345-7", "14749-6"),
    ("6301-6",),
    ("777-3", "26515-7"),
    ("4548-4",),
    ("2093-3",),
)
PINNED_COUNT = 4


@dataclass(frozen=True, slots=True)
class Result:
    """One result as the sender gave it, and the resource it stands in."""

    key: SeriesKey
    label: str
    resource: str
    shown: Shown

    @property
    def at(self) -> datetime:
        """When the sample was taken."""
        assert self.shown.at is not None
        return self.shown.at


@dataclass(slots=True)
class Series:
    """Results that may be joined by one line, oldest first."""

    key: SeriesKey
    label: str
    results: list[Result] = field(default_factory=list)

    @property
    def code(self) -> str:
        """The analysis, by LOINC where the sender gave it."""
        return self.key[1]

    @property
    def unit(self) -> str:
        """The unit, as sent."""
        return self.key[2]

    @property
    def method(self) -> str:
        """The method, as sent, or nothing."""
        return self.key[3]

    @property
    def chapter(self) -> str:
        """The chapter of the cumulative table."""
        return _CHAPTER_OF.get(self.code, "other")

    @property
    def order(self) -> tuple[int, str, datetime]:
        """Chapters and analyses in the habit of French laboratories, then by name."""
        return _RANK.get(self.code, 10_000), self.label.casefold(), self.results[0].at


@dataclass(frozen=True, slots=True)
class Break:
    """The moment where a line may not go on."""

    code: str
    at: datetime
    before: SeriesKey
    after: SeriesKey

    @property
    def unit_changed(self) -> bool:
        """Whether the unit changed (else the method did)."""
        return self.before[2] != self.after[2]


def result_of(row: Mapping[str, Any], severity_hint: str = "", way_hint: str = "") -> Result:
    """A row of `record.value` as a result; the hints speak for values that came without a flag."""
    shown = Shown(
        text=row["shown"],
        unit=row["unit"],
        flag=row["flag"],
        low=row["low"],
        high=row["high"],
        range_text=row["range"],
        status=row["status"],
        at=row["at"],
        former=row["former"],
        comparator=row["comparator"],
        number=row["number"],
        severity_hint=severity_hint,
        way_hint=way_hint,
    )
    key = (row["system"], row["code"], row["unit"], row["method"])
    return Result(key, row["label"], row["resource"], shown)


def series_of(results: Iterable[Result]) -> list[Series]:
    """The series of these results, in the order of a laboratory sheet."""
    found: dict[SeriesKey, Series] = {}
    for result in sorted(results, key=lambda r: r.at):
        series = found.setdefault(result.key, Series(result.key, result.label))
        series.label = result.label  # the sender's latest words
        series.results.append(result)
    return sorted(found.values(), key=lambda s: s.order)


def breaks_of(series: Sequence[Series]) -> list[Break]:
    """Where, for one analysis, the unit or the method changes from one result to the next."""
    by_code: dict[tuple[str, str], list[Result]] = {}
    for one in series:
        by_code.setdefault(one.key[:2], []).extend(one.results)
    found = []
    for (_, code), results in by_code.items():
        ordered = sorted(results, key=lambda r: r.at)
        for before, after in pairwise(ordered):
            if before.key != after.key and after.at - before.at >= SAME_SAMPLE:
                found.append(Break(code, after.at, before.key, after.key))
    return found


def pinned_codes(counts: Mapping[str, int], chosen: Sequence[str] = ()) -> list[str]:
    """The analyses drawn on the axis: those this reader pinned, else the most telling ones.

    `counts` says how many numeric results there are of each analysis.
    """
    picked = [code for code in dict.fromkeys(chosen) if code in counts]
    if picked:
        return picked
    codes: list[str] = []
    for alternatives in PINNED_FIRST:
        codes.extend(code for code in alternatives if code in counts)
        if len(codes) >= PINNED_COUNT:
            break
    return codes or sorted(counts, key=lambda code: -counts[code])[:PINNED_COUNT]


def pinned(series: Sequence[Series], chosen: Sequence[str] = ()) -> list[Series]:
    """Those of `series` that are drawn on the axis, in their order there."""
    numeric = [one for one in series if any(r.shown.number is not None for r in one.results)]
    counts: dict[str, int] = {}
    for one in numeric:
        counts[one.code] = counts.get(one.code, 0) + len(one.results)
    codes = pinned_codes(counts, chosen)
    return [one for code in codes for one in numeric if one.code == code]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A cumulative table: columns are sampling times, newest first."""

    columns: list[datetime]
    chapters: list[tuple[str, list[tuple[Series, list[list[Result]]]]]]
    older: int
    """How many sampling times are not shown."""


def cumulative(series: Sequence[Series], most_columns: int = 24) -> Sheet:
    """Lay the series out by sampling time; results of the same minute share a column."""
    times = sorted({_minute(result.at) for one in series for result in one.results}, reverse=True)
    columns = times[:most_columns]
    place = {at: index for index, at in enumerate(columns)}
    chapters: dict[str, list[tuple[Series, list[list[Result]]]]] = {}
    for one in series:
        cells: list[list[Result]] = [[] for _ in columns]
        for result in one.results:
            index = place.get(_minute(result.at))
            if index is not None:
                cells[index].append(result)
        if any(cells):
            chapters.setdefault(one.chapter, []).append((one, cells))
    ordered = [(name, chapters[name]) for name in CHAPTERS if name in chapters]
    return Sheet(columns, ordered, len(times) - len(columns))


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Spark:
    """A small trend: points in a box of 84 by 24, and the range band of the last result."""

    points: str
    band_top: float | None
    band_height: float
    last_x: float
    last_y: float
    severity: str


def spark(series: Series) -> Spark | None:
    """The trend of a numeric series with at least two results; None otherwise."""
    numbered = [
        (r, r.shown.number)
        for r in series.results
        if r.shown.number is not None and not r.shown.withdrawn
    ][-24:]
    if len(numbered) < 2:
        return None
    last = numbered[-1][0].shown
    values = [number for _, number in numbered]
    edges = [edge for edge in (last.low, last.high) if edge is not None]
    low, high = min([*values, *edges]), max([*values, *edges])
    first_at = numbered[0][0].at.timestamp()
    span = (numbered[-1][0].at.timestamp() - first_at) or 1.0

    def x(at: datetime) -> float:
        return round(2 + 78 * (at.timestamp() - first_at) / span, 1)

    def y(value: Decimal) -> float:
        return round(22 - 20 * float((value - low) / ((high - low) or 1)), 1)

    points = " ".join(f"{x(result.at)},{y(number)}" for result, number in numbered)
    band = None
    if last.low is not None and last.high is not None:
        band = (y(last.high), round(y(last.low) - y(last.high), 1))
    end = numbered[-1]
    return Spark(
        points,
        band[0] if band else None,
        band[1] if band else 0,
        x(end[0].at),
        y(end[1]),
        last.severity,
    )
