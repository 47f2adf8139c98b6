"""What value does an OBX carry, against which limits, and how sure is it?

A number keeps exactly the digits it came with; a unit is never converted; a limit that cannot be
read as two numbers stays as words.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from liane.base.text import visible
from liane.gateways.hl7v2.codec import Repetition, Segment
from liane.gateways.hl7v2.mapping.datatypes import (
    UCUM,
    Source,
    code_system,
    concept,
    fhir_date,
    fhir_datetime,
)

Json = dict[str, Any]

_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:[.,]\d{1,30})?|[.,]\d{1,30})")
_AMBIGUOUS = re.compile(r"[+-]?\d{1,3},\d{3}")
_COMPARED = re.compile(r"(<=|>=|<|>)\s*(.+)")
_BOUNDS = re.compile(rf"\s*({_NUMBER.pattern})\s*(?:-|–|à|a|to|\.\.)\s*({_NUMBER.pattern})\s*")
_ONE_BOUND = re.compile(rf"\s*(<=|>=|<|>|≤|≥)\s*({_NUMBER.pattern})\s*")
DATA_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_INTERPRETATIONS = frozenset(
    {
        "<", ">", "A", "AA", "B", "D", "H", "HH", "HU", "HX", "I", "IE", "IND", "L", "LL", "LU",
        "LX", "N", "NCL", "NEG", "NR", "NS", "POS", "R", "RR", "S", "SDD", "SYN-R", "SYN-S", "U",
        "VS", "W", "WR", "EX", "E", "DET", "ND", "EXP", "UNE", "MS",
    }
)  # fmt: skip
"""HL7 table 0078 codes that FHIR's value set also holds."""
STATUSES = {
    "F": "final",
    "U": "final",
    "C": "corrected",
    "P": "preliminary",
    "R": "preliminary",
    "S": "preliminary",
    "B": "preliminary",
    "V": "final",
    "A": "amended",
    "I": "registered",
    "O": "registered",
    "X": "cancelled",
    "D": "entered-in-error",
    "W": "entered-in-error",
    "N": "unknown",
}
"""OBX-11 (HL7 table 0085) as FHIR observation-status."""


def number(text: str) -> Decimal | None:
    """A decimal number with its digits; a French comma is read, an ambiguous one is not."""
    text = text.strip()
    if _NUMBER.fullmatch(text) is None or _AMBIGUOUS.fullmatch(text):
        return None
    try:
        return Decimal(text.replace(",", "."))
    except InvalidOperation:
        return None


def unit(obx: Segment, source: Source) -> Json:
    """OBX-6 as the unit part of a Quantity; a code only when the sender says it is UCUM."""
    cwe = obx.first(6)
    code, text, system = (visible(cwe.get(n)) for n in (1, 2, 3))
    if not code and not text:
        return {}
    shown = code if system.upper() != "UCUM" or not text else text
    found: Json = {"unit": shown or text}
    if code and system:
        named = code_system(system, source)
        found |= {"system": named, "code": code}
        if named == UCUM:
            found["unit"] = code
    return found


def quantity(text: str, of: Json) -> Json | None:
    """`5.2`, `<0.01` or `>= 10` with its unit; None when it is not a number."""
    compared = _COMPARED.fullmatch(text.strip())
    value = number(compared.group(2) if compared else text)
    if value is None:
        return None
    return {"value": value} | ({"comparator": compared.group(1)} if compared else {}) | of


def value_of(obx: Segment, source: Source) -> Json:
    """The `value[x]` of OBX-2 and OBX-5, or why there is none."""
    raw = obx[5]
    if not raw or raw == '""':
        return {"dataAbsentReason": _absent(obx)}
    kind = obx.get(2).upper()
    reader = _READERS.get(kind)
    found = reader(obx, source) if reader is not None else None
    return found or {"valueString": text_of(obx)}


def _absent(obx: Segment) -> Json:
    code = {"X": "not-performed", "I": "temp-unknown", "O": "temp-unknown"}.get(obx.get(11))
    return {"coding": [{"system": DATA_ABSENT, "code": code or "unknown"}]}


def text_of(obx: Segment) -> str:
    """OBX-5 as words: repetitions are lines."""
    return "\n".join(visible(each.whole()) for each in obx.repetitions(5)).strip()


def _numeric(obx: Segment, source: Source) -> Json | None:
    found = quantity(obx.get(5), unit(obx, source))
    return {"valueQuantity": found} if found else None


def _structured(obx: Segment, source: Source) -> Json | None:
    """SN: comparator, number, separator, number."""
    sn, of = obx.first(5), unit(obx, source)
    comparator, first, separator, second = (sn.get(n) for n in (1, 2, 3, 4))
    low, high = number(first), number(second)
    if low is not None and not separator and comparator in {"", "=", "<", ">", "<=", ">="}:
        compared = {"comparator": comparator} if comparator not in {"", "="} else {}
        return {"valueQuantity": {"value": low} | compared | of}
    if low is None or high is None:
        return None
    if separator == "-":
        return {"valueRange": {"low": {"value": low} | of, "high": {"value": high} | of}}
    if separator in {":", "/"}:
        return {"valueRatio": {"numerator": {"value": low}, "denominator": {"value": high}}}
    return None


def _range(obx: Segment, source: Source) -> Json | None:
    of, nr = unit(obx, source), obx.first(5)
    low, high = number(nr.get(1)), number(nr.get(2))
    bounds = {"low": low, "high": high}
    found = {name: {"value": bound} | of for name, bound in bounds.items() if bound is not None}
    return {"valueRange": found} if found else None


def _coded(obx: Segment, source: Source) -> Json | None:
    found = [c for c in (concept(each, source) for each in obx.repetitions(5)) if c]
    if not found:
        return None
    if len(found) == 1:
        return {"valueCodeableConcept": found[0]}
    return {
        "valueCodeableConcept": {
            "coding": [coding for each in found for coding in each.get("coding", [])],
            "text": ", ".join(each["text"] for each in found if each.get("text")),
        }
    }


def _moment(obx: Segment, _source: Source) -> Json | None:
    at = fhir_datetime(obx.get(5))
    return {"valueDateTime": at} if at else None


def _day(obx: Segment, _source: Source) -> Json | None:
    day = fhir_date(obx.get(5))
    return {"valueDateTime": day} if day else None


def _time(obx: Segment, _source: Source) -> Json | None:
    found = re.fullmatch(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d)?(?:\.\d+)?", obx.get(5))
    if found is None:
        return None
    hour, minute, second = found.groups()
    return {"valueTime": f"{hour}:{minute}:{second or '00'}"}


def _period(obx: Segment, _source: Source) -> Json | None:
    dr = obx.first(5)
    ends = {"start": fhir_datetime(dr.get(1)), "end": fhir_datetime(dr.get(2))}
    found = {name: at for name, at in ends.items() if at}
    return {"valuePeriod": found} if found else None


def _quantity(obx: Segment, source: Source) -> Json | None:
    """CQ: a number with a unit of its own."""
    cq = obx.first(5)
    own = {"unit": visible(cq.get(2))} if cq.get(2) else unit(obx, source)
    found = quantity(cq.get(1), own)
    return {"valueQuantity": found} if found else None


_READERS = {
    "NM": _numeric,
    "SN": _structured,
    "NR": _range,
    "CE": _coded,
    "CWE": _coded,
    "CNE": _coded,
    "CF": _coded,
    "DT": _day,
    "TS": _moment,
    "DTM": _moment,
    "TM": _time,
    "DR": _period,
    "CQ": _quantity,
}


def reference_range(obx: Segment, source: Source) -> list[Json]:
    """OBX-7: the words as sent, and the bounds when they are two plain numbers."""
    text = visible(obx.whole(7)).strip()
    if not text:
        return []
    of = unit(obx, source)
    found: Json = {"text": text}
    both, one = _BOUNDS.fullmatch(text), _ONE_BOUND.fullmatch(text)
    if both:
        found |= _bound("low", both.group(1), of) | _bound("high", both.group(2), of)
    elif one:
        side = "high" if one.group(1) in {"<", "<=", "≤"} else "low"
        found |= _bound(side, one.group(2), of)
    return [found]


def _bound(side: str, text: str, of: Json) -> Json:
    value = number(text)
    return {side: {"value": value} | of} if value is not None else {}


def interpretation(obx: Segment) -> list[Json]:
    """OBX-8: each flag, coded when it is one of the standard's."""
    found: list[Json] = []
    for each in obx.repetitions(8):
        code = _flag(each)
        if not code:
            continue
        known = code in _INTERPRETATIONS
        coding = [{"system": INTERPRETATION, "code": code}] if known else []
        text = visible(each.get(2)) or code
        found.append(({"coding": coding} if coding else {}) | {"text": text})
    return found


def _flag(each: Repetition) -> str:
    return visible(each.get(1)).upper()
