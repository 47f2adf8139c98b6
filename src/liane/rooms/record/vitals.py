"""Which vital signs were charted, when, and what do they add up to? (Pure.)

Each sign keeps its own scale. A value that a device sent and nobody accepted is shown, looks
different, and never counts in a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from liane.rooms.record import news2
from liane.rooms.record.laboratory import Result, result_of
from liane.rooms.record.news2 import News, Signs
from liane.ui.values import Shown

CODES: Mapping[str, str] = {
    "8867-4": "pulse",
    "8480-6": "systolic",
    "8462-4": "diastolic",
    "8310-5": "temperature",
    "8331-1": "temperature",
    "59408-5": "saturation",
    "2708-6": "saturation",
    "9279-1": "respiration",
    "3151-8": "oxygen",
    "67775-7": "consciousness",
    "80288-4": "consciousness",
    "29463-7": "weight",
    "8302-2": "height",
    "72514-3": "pain",
}
SIGNS = (
    "pulse",
    "systolic",
    "diastolic",
    "temperature",
    "saturation",
    "oxygen",
    "respiration",
    "consciousness",
)
"""Those of the vital signs table and of the axis, in the order of the ward's sheet."""

MEASURED_FOR = timedelta(hours=1)
OBSERVED_FOR = timedelta(hours=4)
ONE_ROUND = timedelta(minutes=10)
_CELSIUS = {"", "°C", "Cel", "C", "℃", "degC"}
_LOWEST_NORMAL = {
    "pulse": Decimal(51),
    "systolic": Decimal(111),
    "temperature": Decimal("36.1"),
    "saturation": Decimal(96),
    "respiration": Decimal(12),
}
_LEVELS = {
    "LA9340-6": "A",
    "248234008": "A",
    "130987000": "C",
    "300202002": "V",
    "450847001": "P",
    "422768004": "U",
}


@dataclass(frozen=True, slots=True)
class Sign:
    """One charted value of one sign."""

    name: str
    result: Result
    scale: news2.Scale = 1
    """The scale of oxygen saturation in force for this patient."""

    @property
    def at(self) -> datetime:
        """When it was measured."""
        return self.result.at


def sign_of(row: Mapping[str, Any], scale: news2.Scale = 1) -> Sign | None:
    """A row of `record.value` as a vital sign, or None when it is another observation."""
    name = CODES.get(row["code"])
    if name is None:
        return None
    if row["flag"] or row["low"] is not None or row["high"] is not None:
        return Sign(name, result_of(row), scale)
    hints = _judged(name, row["shown"], row["number"], row["unit"], scale)
    return Sign(name, result_of(row, *hints), scale)


def _judged(
    name: str, text: str, number: Decimal | None, unit: str, scale: news2.Scale
) -> tuple[str, str]:
    """Severity and direction by the early-warning table, for a sign that came without a flag."""
    if name == "consciousness":
        letter = level(text)
        return ("critical" if letter and letter != "A" else "", "")
    if name not in news2.MEASURED or number is None:
        return "", ""
    if name == "temperature" and unit not in _CELSIUS:
        return "", ""
    second = name == "saturation" and scale == 2
    # On the second scale a high value is judged only with the oxygen given, in the score.
    points = news2.points_of("saturation 2 on air" if second else name, number)
    if not points:
        return "", ""
    return "critical" if points >= 3 else "out", "low" if number < _LOWEST_NORMAL[name] else "high"


def level(text: str) -> str | None:
    """The letter of ACVPU that a charted level of consciousness stands for."""
    stripped = text.strip()
    if stripped.upper() in ("A", "C", "V", "P", "U"):
        return stripped.upper()
    if stripped in _LEVELS:
        return _LEVELS[stripped]
    words = stripped.casefold()
    for letter, starts in (
        ("A", ("alert", "éveillé")),
        ("C", ("conf", "new conf", "nouvelle conf")),
        ("V", ("voi", "à la voix", "réagit à la voix", "verbal")),
        ("P", ("pain", "doul", "à la doul", "réagit à la doul")),
        ("U", ("unresp", "inconsc", "aucune")),
    ):
        if words.startswith(starts):
            return letter
    return None


def _signs(shown: Mapping[str, Shown]) -> Signs:
    def number(name: str) -> Decimal | None:
        return shown[name].number if name in shown else None

    warm = shown.get("temperature")
    flow = number("oxygen")
    words = shown.get("consciousness")
    return Signs(
        respiration=number("respiration"),
        saturation=number("saturation"),
        oxygen=None if flow is None else flow > 0,
        systolic=number("systolic"),
        pulse=number("pulse"),
        consciousness=level(words.text) if words else None,
        temperature=warm.number if warm and warm.unit in _CELSIUS else None,
    )


@dataclass(frozen=True, slots=True)
class Round:
    """What was charted together, and the score of everything valid at that moment."""

    at: datetime
    values: Mapping[str, Result]
    news: News | None


def rounds_of(signs: Iterable[Sign]) -> list[Round]:
    """Charted rounds, oldest first; values within ten minutes are one round."""
    ordered = sorted(signs, key=lambda sign: sign.at)
    rounds: list[Round] = []
    last: dict[str, Result] = {}
    group: list[Sign] = []
    for sign in ordered:
        if group and sign.at - group[0].at >= ONE_ROUND:
            rounds.append(_round(group, last))
            group = []
        group.append(sign)
    if group:
        rounds.append(_round(group, last))
    return rounds


def _round(group: Sequence[Sign], last: dict[str, Result]) -> Round:
    values: dict[str, Result] = {}
    scored = False
    for sign in group:
        values[sign.name] = sign.result
        shown = sign.result.shown
        if not shown.withdrawn and not shown.unvalidated:
            last[sign.name] = sign.result
            scored = scored or sign.name in news2.PARAMETERS
    at = group[-1].at
    if not scored:
        return Round(at, values, None)
    return Round(at, values, news2.score(_signs(_valid(last, at)), group[-1].scale))


def _valid(last: Mapping[str, Result], at: datetime) -> dict[str, Shown]:
    valid = {}
    for name, result in last.items():
        lasting = OBSERVED_FOR if name in ("oxygen", "consciousness") else MEASURED_FOR
        if at - result.at <= lasting:
            valid[name] = result.shown
    return valid


def latest_news(rounds: Sequence[Round]) -> tuple[Round | None, int | None]:
    """The latest scored round, and how many points it moved over the last four hours."""
    scored = [one for one in rounds if one.news is not None]
    if not scored:
        return None, None
    now = scored[-1]
    earlier = [one for one in scored if now.at - timedelta(hours=4) <= one.at < now.at]
    if not earlier or now.news is None or earlier[0].news is None:
        return now, None
    return now, now.news.total - earlier[0].news.total
