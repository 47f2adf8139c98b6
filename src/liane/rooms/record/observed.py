"""Which values does an Observation state, as a chart or a table would write them? (Pure.)

Exactly what the sender gave: digits, unit, flag, range, method, status. A blood pressure states
two values, its components; a panel states each of its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from liane.base.i18n import HOSPITAL_ZONE

Resource = Mapping[str, Any]

LOINC = "http://loinc.org"
_KINDS = {"laboratory": "l", "vital-signs": "v"}


@dataclass(frozen=True, slots=True)
class Value:
    """One value of one Observation."""

    kind: str
    at: datetime
    part: int
    system: str
    code: str
    label: str
    unit: str
    method: str
    shown: str
    number: Decimal | None
    comparator: str
    flag: str
    low: Decimal | None
    high: Decimal | None
    range: str
    status: str


def values_of(observation: Resource, updated: datetime) -> list[Value]:
    """The values of `observation`; `updated` stands in when it says no time of its own."""
    shared = (
        _kind(observation),
        _when(observation) or updated,
        _text_of(observation.get("method", {})),
        str(observation.get("status", "unknown")),
    )
    found = []
    if any(key.startswith(("value", "dataAbsentReason")) for key in observation):
        found.append(_value(observation, 0, shared))
    for part, component in enumerate(observation.get("component", ()), start=1):
        found.append(_value(component, part, shared))
    return found


def _value(source: Resource, part: int, shared: tuple[str, datetime, str, str]) -> Value:
    kind, at, method, status = shared
    system, code, label = _coding(source.get("code", {}))
    shown, number, comparator, unit = _shown(source)
    low, high, words = _range(source)
    return Value(
        kind,
        at,
        part,
        system,
        code,
        label,
        unit,
        method,
        shown,
        number,
        comparator,
        _flag(source),
        low,
        high,
        words,
        status,
    )


def _kind(observation: Resource) -> str:
    for category in observation.get("category", ()):
        for coding in category.get("coding", ()):
            if coding.get("code") in _KINDS:
                return _KINDS[coding["code"]]
    return "o"


def _when(observation: Resource) -> datetime | None:
    period = observation.get("effectivePeriod", {})
    for text in (
        observation.get("effectiveDateTime"),
        observation.get("effectiveInstant"),
        period.get("start"),
        period.get("end"),
        observation.get("issued"),
    ):
        if at := instant(text):
            return at
    return None


def instant(text: object) -> datetime | None:
    """A FHIR date or time as an instant; a date alone is the start of that day in the hospital."""
    if not isinstance(text, str) or not text:
        return None
    padded = text if len(text) > 7 else f"{text}-01" if len(text) == 7 else f"{text}-01-01"
    try:
        at = datetime.fromisoformat(padded)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=HOSPITAL_ZONE)


def _coding(concept: Resource) -> tuple[str, str, str]:
    """System, code and words of a concept, LOINC preferred; words alone make their own code."""
    codings = [coding for coding in concept.get("coding", ()) if coding.get("code")]
    chosen = next((c for c in codings if c.get("system") == LOINC), codings[0] if codings else {})
    label = concept.get("text") or chosen.get("display") or _display(codings)
    code = chosen.get("code", "")
    return str(chosen.get("system", "")), str(code or label), str(label or code)


def _display(codings: list[Resource]) -> str:
    return next((str(coding["display"]) for coding in codings if coding.get("display")), "")


def _text_of(concept: Resource) -> str:
    codings = list(concept.get("coding", ()))
    return str(concept.get("text") or _display(codings) or (codings or [{}])[0].get("code", ""))


def _shown(source: Resource) -> tuple[str, Decimal | None, str, str]:
    """The value's text, its number if it is one, its comparator and its unit."""
    if quantity := source.get("valueQuantity"):
        return _quantity(quantity)
    if "valueInteger" in source:
        return str(source["valueInteger"]), Decimal(source["valueInteger"]), "", ""
    return _words(source), None, "", ""


def _quantity(quantity: Resource) -> tuple[str, Decimal | None, str, str]:
    unit = str(quantity.get("unit") or quantity.get("code") or "")
    comparator = str(quantity.get("comparator", ""))
    if "value" not in quantity:
        return "", None, comparator, unit
    number = quantity["value"]
    number = number if isinstance(number, Decimal) else Decimal(str(number))
    return format(number, "f"), number, comparator, unit


def _words(source: Resource) -> str:
    match source:
        case {"valueString": str(text)} | {"valueDateTime": str(text)} | {"valueTime": str(text)}:
            return text
        case {"valueCodeableConcept": concept}:
            return _text_of(concept)
        case {"valueBoolean": bool(value)}:
            return "true" if value else "false"
        case {"valueRatio": ratio}:
            sides = (ratio.get("numerator", {}), ratio.get("denominator", {}))
            return ":".join(_quantity(side)[0] for side in sides)
        case {"valueRange": limits}:
            sides = (limits.get("low", {}), limits.get("high", {}))
            return "–".join(_quantity(side)[0] for side in sides)
        case {"dataAbsentReason": reason}:
            return _text_of(reason)
    return ""


def _flag(source: Resource) -> str:
    for concept in source.get("interpretation", ()):
        for coding in concept.get("coding", ()):
            if coding.get("code"):
                return str(coding["code"]).upper()
        if concept.get("text"):
            return str(concept["text"])
    return ""


def _range(source: Resource) -> tuple[Decimal | None, Decimal | None, str]:
    for limits in _ranges(source):
        low = _quantity(limits["low"])[1] if "low" in limits else None
        high = _quantity(limits["high"])[1] if "high" in limits else None
        return low, high, str(limits.get("text", "")) if low is None and high is None else ""
    return None, None, ""


def _ranges(source: Resource) -> Iterator[Resource]:
    """Reference ranges, those called normal first, then those without a type."""
    ranges = list(source.get("referenceRange", ()))
    for wanted in ("normal", ""):
        for limits in ranges:
            codes = [coding.get("code") for coding in limits.get("type", {}).get("coding", ())]
            if (wanted and wanted in codes) or (not wanted and not codes):
                yield limits
