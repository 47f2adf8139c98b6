"""How is one measured value said: number, unit, direction, severity, age?

Everything is as the sender gave it: the number of decimals, the unit, the flag, the range. Only
where the sender gave a range but no flag does the range itself say that a value lies outside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from liane.base.i18n import NARROW_SPACE, Translator

_NUMBER = re.compile(r"([-−]?)([0-9]{1,15})(?:\.([0-9]+))?")

MOST_DECIMALS = 4

CRITICAL = frozenset({"HH", "LL", "AA", "H>", "L<", "<", ">"})
OUTSIDE = frozenset({"H", "L", "A", "HU", "LU", "HX", "LX", "POS", "R"})
HIGH = frozenset({"H", "HH", "HU", "HX", "H>", ">"})
LOW = frozenset({"L", "LL", "LU", "LX", "L<", "<"})
WITHDRAWN = frozenset({"entered-in-error", "cancelled"})
UNIT_WORDS = {
    "umol/L": "µmol/L",
    "ug/L": "µg/L",
    "ug/mL": "µg/mL",
    "ng/mL": "ng/mL",
    "10*9/L": "G/L",
    "10*12/L": "T/L",
    "Cel": "°C",
    "mm[Hg]": "mmHg",
    "[iU]/L": "UI/L",
    "m[iU]/L": "mUI/L",
}
"""UCUM codes as a French laboratory prints them: another spelling, never another quantity."""


def unit_word(unit: str) -> str:
    """How a unit is printed; a unit we do not know stays as the sender wrote it."""
    return UNIT_WORDS.get(unit, unit)


@dataclass(frozen=True, slots=True)
class Shown:
    """One value, ready to be said."""

    text: str
    unit: str = ""
    flag: str = ""
    """The sender's interpretation code (HL7 v2 table 0078, FHIR ObservationInterpretation)."""
    low: Decimal | None = None
    high: Decimal | None = None
    range_text: str = ""
    status: str = "final"
    at: datetime | None = None
    former: str = ""
    """The value that a correction replaced, as it was."""
    comparator: str = ""
    number: Decimal | None = None
    severity_hint: str = ""
    """For signs that come without a flag: `out` or `critical` by the early-warning table."""
    way_hint: str = ""
    link: str = ""

    @property
    def computed(self) -> bool:
        """Whether Liane, not the sender, says that the value is outside the sender's range."""
        return not self.flag and bool(self._beyond())

    def _beyond(self) -> str:
        if self.number is None:
            return ""
        if self.high is not None and self.number > self.high:
            return "high"
        if self.low is not None and self.number < self.low:
            return "low"
        return ""

    @property
    def severity(self) -> str:
        """`critical`, `out` or nothing."""
        if self.status in WITHDRAWN:
            return ""
        if self.flag in CRITICAL:
            return "critical"
        if self.flag in OUTSIDE:
            return "out"
        if self.flag:
            return ""
        return self.severity_hint or ("out" if self._beyond() else "")

    @property
    def way(self) -> str:
        """`high`, `low` or nothing."""
        if self.flag in HIGH:
            return "high"
        if self.flag in LOW:
            return "low"
        return self.way_hint or ("" if self.flag else self._beyond())

    @property
    def unvalidated(self) -> bool:
        """Whether nobody has accepted the value yet (a device sent it)."""
        return self.status in ("preliminary", "registered")

    @property
    def withdrawn(self) -> bool:
        """Whether the sender took the value back."""
        return self.status in WITHDRAWN


def number_text(text: str, t: Translator) -> str:
    """A number as sent, in the reader's notation: `72.50` is `72,50`; words stay as they are."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    sign, whole, decimals = match.groups()
    decimals = shortened(decimals or "")
    separator, point = (NARROW_SPACE, ",") if t.language == "fr" else (",", ".")
    grouped = f"{int(whole):,}".replace(",", separator) if whole[:1] != "0" else whole
    minus = "\N{MINUS SIGN}" if sign else ""
    return f"{minus}{grouped}{point}{decimals}" if decimals else f"{minus}{grouped}"


def shortened(decimals: str) -> str:
    """More than four decimals come from a computation, not from a measure: the rest is an
    ellipsis (never a rounding), the whole number stays in the title.
    """
    if len(decimals) <= MOST_DECIMALS:
        return decimals
    zeros = len(decimals) - len(decimals.lstrip("0"))
    kept = decimals[: zeros + 2]
    return kept if not decimals[len(kept) :].strip("0") else f"{kept}…"


def is_shortened(text: str) -> bool:
    """Whether `number_text` leaves digits out."""
    match = _NUMBER.fullmatch(text)
    return bool(match and match.group(3) and shortened(match.group(3)).endswith("…"))


def with_unit(text: str, unit: str) -> str:
    """`4,1 mmol/L`, never broken between the two."""
    return f"{text}{NARROW_SPACE}{unit_word(unit)}" if unit else text


def range_text(shown: Shown, t: Translator) -> str:
    """The sender's own reference range: `3,5–5,1`, `≤ 5`, `≥ 60`, or its words."""
    if shown.range_text:
        return shown.range_text
    if shown.low is not None and shown.high is not None:
        return f"{_plain(shown.low, t)}–{_plain(shown.high, t)}"
    if shown.high is not None:
        return f"≤{NARROW_SPACE}{_plain(shown.high, t)}"
    if shown.low is not None:
        return f"≥{NARROW_SPACE}{_plain(shown.low, t)}"
    return ""


def _plain(value: Decimal, t: Translator) -> str:
    return number_text(format(value, "f"), t)


def ago(at: datetime, now: datetime, t: Translator) -> str:
    """`il y a 6 min`: how old something is, in the largest unit that says it honestly."""
    seconds = max(0, int((now - at).total_seconds()))
    if seconds < 60:
        return t("ui.ago.seconds", n=seconds)
    if seconds < 3600:
        return t("ui.ago.minutes", n=seconds // 60)
    if seconds < 172_800:
        return t("ui.ago.hours", n=seconds // 3600)
    days = seconds // 86_400
    if days < 61:
        return t("ui.ago.days", n=days)
    return t("ui.ago.months", n=days // 30) if days < 730 else t("ui.ago.years", n=days // 365)
