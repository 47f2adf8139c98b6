"""What does the time axis receive, small enough to be there at once? (Pure.)

Times are seconds, each series as differences from the one before; values stay the sender's text.
Long series are thinned by slices of time that keep their lowest and highest value, so no peak
and no fall is ever lost to the eye.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from liane.rooms.record.events import Moment, Stretch
from liane.rooms.record.laboratory import Break, Result, Series
from liane.rooms.record.vitals import Round, Sign
from liane.ui.values import unit_word

SLICES = 170
MOST_MOMENTS = 400
_SEVERITY = {"": "0", "out": "1", "critical": "2"}
_WAY = {"": "0", "high": "1", "low": "2"}
_STATE = {"preliminary": "1", "registered": "1", "corrected": "2", "amended": "2"}


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of time that the axis shows."""

    name: str
    starts: datetime
    ends: datetime


def window(
    name: str,
    now: datetime,
    stay: tuple[datetime, datetime | None] | None,
    first: datetime | None,
) -> Window:
    """24h, stay, year or life; a little room is left after now for what is planned.

    `stay` is the present stay (no end) or the latest one, which is then shown whole.
    """
    if name == "stay" and stay is not None and stay[1] is not None:
        length = max(stay[1] - stay[0], timedelta(hours=12))
        return Window(name, stay[0] - length * 0.05, stay[0] + length * 1.1)
    starts = {
        "24h": now - timedelta(hours=24),
        "stay": (stay[0] if stay else now - timedelta(days=7)) - timedelta(hours=2),
        "year": now - timedelta(days=366),
        "life": (first or now - timedelta(days=366)) - timedelta(days=10),
    }[name]
    return Window(name, starts, now + (now - starts) * 0.075)


def thinned(results: Sequence[Result], view: Window) -> list[Result]:
    """At most two values of each slice of time: the lowest and the highest."""
    if len(results) <= 2 * SLICES:
        return list(results)
    width = (view.ends - view.starts) / SLICES
    slices: dict[int, list[Result]] = {}
    for result in results:
        slices.setdefault(int((result.at - view.starts) / width), []).append(result)
    kept: list[Result] = []
    for _, inside in sorted(slices.items()):
        numbered = [r for r in inside if r.shown.number is not None] or inside
        extremes = {
            id(r): r
            for r in (
                min(numbered, key=_height),
                max(numbered, key=_height),
            )
        }
        kept.extend(sorted(extremes.values(), key=lambda r: r.at))
    return kept


def _height(result: Result) -> float:
    return float(result.shown.number) if result.shown.number is not None else 0.0


def line(results: Sequence[Result]) -> dict[str, Any]:
    """Columns of one line: times, values, severity, direction, state, former values, ranges."""
    shown = [result.shown for result in results]
    ranges: list[list[str | None]] = []
    used: list[int] = []
    for one in shown:
        pair = [_digits(one.low), _digits(one.high)]
        if pair not in ranges:
            ranges.append(pair)
        used.append(ranges.index(pair))
    columns: dict[str, Any] = {
        "t": _differences(result.at for result in results),
        "v": [one.comparator + one.text for one in shown],
        "s": "".join(_SEVERITY[one.severity] for one in shown),
        "w": "".join(_WAY[one.way] for one in shown),
        "x": "".join("3" if one.withdrawn else _STATE.get(one.status, "0") for one in shown),
        "r": ranges,
    }
    if len(ranges) > 1:
        columns["ri"] = used
    former = {str(i): one.former for i, one in enumerate(shown) if one.former}
    if former:
        columns["o"] = former
    return columns


def _digits(value: object) -> str | None:
    return None if value is None else format(value, "f")


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _differences(times: Iterable[datetime]) -> list[int]:
    seconds = [_seconds(at) for at in times]
    return [one - before for one, before in zip(seconds, [0, *seconds], strict=False)]


def vital_lines(signs: Sequence[Sign], view: Window) -> list[dict[str, Any]]:
    """One line for each sign and unit."""
    found: dict[tuple[str, str], list[Result]] = {}
    for sign in signs:
        found.setdefault((sign.name, sign.result.shown.unit), []).append(sign.result)
    return [
        {"p": name, "u": unit_word(unit), **line(thinned(results, view))}
        for (name, unit), results in found.items()
    ]


def laboratory_lines(series: Sequence[Series], view: Window) -> list[dict[str, Any]]:
    """One line for each pinned series, with the last value before the window."""
    lines = []
    for one in series:
        inside = [r for r in one.results if view.starts <= r.at <= view.ends]
        before = [r for r in one.results if r.at < view.starts][-1:]
        columns = line(before + thinned(inside, view))
        lines.append(
            {"c": one.code, "l": one.label, "u": unit_word(one.unit), "m": one.method, **columns}
        )
    return lines


def news_boxes(rounds: Sequence[Round], view: Window) -> list[list[Any]]:
    """Time, score, band, 1 when complete: the highest score of each slice of time."""
    width = (view.ends - view.starts) / 60
    worst: dict[int, Round] = {}
    for one in rounds:
        if one.news is None or one.news.band == "unknown":
            continue
        if not view.starts <= one.at <= view.ends:
            continue
        slot = int((one.at - view.starts) / width)
        held = worst.get(slot)
        if held is None or held.news is None or one.news.total >= held.news.total:
            worst[slot] = one
    return [
        [_seconds(one.at), one.news.total, one.news.band, int(one.news.complete)]
        for one in worst.values()
        if one.news is not None
    ]


def stretches(items: Iterable[Stretch], view: Window) -> list[dict[str, Any]]:
    """Stays or treatments that touch the window."""
    return [
        {
            "s": _seconds(item.starts),
            "e": _seconds(item.ends) if item.ends else None,
            "l": item.label,
            "k": item.kind,
            "i": item.id,
        }
        for item in sorted(items, key=lambda i: i.starts)
        if item.starts <= view.ends and (item.ends is None or item.ends >= view.starts)
    ]


def moments(items: Iterable[Moment], view: Window) -> list[dict[str, Any]]:
    """Letters, reports, acts, studies inside the window, the newest when there are very many."""
    inside = sorted(
        (item for item in items if view.starts <= item.at <= view.ends), key=lambda i: i.at
    )[-MOST_MOMENTS:]
    found = []
    for item in inside:
        entry: dict[str, Any] = {
            "t": _seconds(item.at),
            "l": item.label,
            "k": item.kind,
            "i": item.id,
            "y": item.type,
        }
        if item.detail:
            entry["d"] = item.detail
        if item.count:
            entry["n"] = item.count
        found.append(entry)
    return found


def break_marks(breaks: Iterable[Break], say: Mapping[str, str]) -> list[dict[str, Any]]:
    """Where a line stops, and why, in words (`unit` and `method` of `say`)."""
    return [
        {
            "c": one.code,
            "t": _seconds(one.at),
            "l": f"{say['unit']} : {one.before[2]} → {one.after[2]}"
            if one.unit_changed
            else f"{say['method']} : {one.before[3] or '?'} → {one.after[3] or '?'}",
        }
        for one in breaks
    ]
