"""Is one value of a resource the value that a filter asks for? (R4 search, matching rules)"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from liane.base.text import fold
from liane.fhir.dates import interval
from liane.fhir.references import parse as parse_reference
from liane.fhir.search_values import Amount, Ref, Span, Text, Token, Uri

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[-+0-9.])")
_ESCAPED = re.compile(r"\\([\\,|$])")


def value_holds(value: Any, modifier: str, asked: str) -> bool:
    """Whether `value` (one of `liane.fhir.search_values`) is what `asked` says."""
    match value:
        case Token():
            return _token(value, asked)
        case Ref():
            return _reference(value, modifier, asked)
        case Text():
            return _text(value.text, modifier, _plain(asked))
        case Span():
            return _date(value, asked)
        case Amount():
            return _amount(value, asked)
        case Uri():
            return _uri(value.uri, modifier, _plain(asked))
    return False


def parts_hold(parts: Sequence[Any], asked: str) -> bool:
    """Whether values that stand together are those of `a$b`."""
    wanted = re.split(r"(?<!\\)\$", asked)
    pairs = zip(parts, wanted, strict=False)
    return len(wanted) == len(parts) and all(value_holds(part, "", one) for part, one in pairs)


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _bars(asked: str) -> list[str]:
    return [_plain(part) for part in re.split(r"(?<!\\)\|", asked)]


def _token(token: Token, asked: str) -> bool:
    system, *rest = _bars(asked)
    if not rest:
        return token.code == system
    code = rest[0]
    if code and token.code != code:
        return False
    return token.system == (system or None)


def _reference(ref: Ref, modifier: str, asked: str) -> bool:
    if modifier == "identifier":
        return ref.identifier is not None and _token(Token("", *ref.identifier), asked)
    text = _plain(asked)
    wanted = parse_reference(text)
    if wanted.id is not None:
        same = (ref.type, ref.id) == (wanted.type, wanted.id)
        return ref.url == text or (same and modifier in ("", ref.type))
    if ref.id is not None and ref.id == text:
        return modifier in ("", ref.type)
    return ref.url is not None and ref.url == text


def _text(text: str, modifier: str, asked: str) -> bool:
    if modifier == "exact":
        return text == asked
    if modifier == "contains":
        return fold(asked) in fold(text)
    return fold(text).startswith(fold(asked))


def _uri(uri: str, modifier: str, asked: str) -> bool:
    if modifier == "below":
        return uri == asked or uri.startswith(asked.rstrip("/") + "/")
    if modifier == "above":
        return uri == asked or asked.startswith(uri.rstrip("/") + "/")
    return uri == asked


def _prefixed(asked: str) -> tuple[str, str]:
    match = _PREFIX.match(asked)
    return (match[1], asked[2:]) if match else ("eq", asked)


def _date(span: Span, asked: str) -> bool:
    """The resource means [low, high), the question [first, after): http://hl7.org/fhir/R4/search.html#prefix"""
    prefix, text = _prefixed(asked)
    try:
        first, after = interval(text.replace(" ", "+"))
    except ValueError:
        return False
    low = span.low or datetime.min.replace(tzinfo=first.tzinfo)
    high = span.high or datetime.max.replace(tzinfo=first.tzinfo)
    return _ordered(prefix, (low, high), (first, after))


def _ordered(prefix: str, has: tuple[Any, Any], asked: tuple[Any, Any]) -> bool:
    low, high = has
    first, after = asked
    within = bool(first <= low and high <= after)
    match prefix:
        case "ne":
            return not within
        case "gt":
            return bool(high > after)
        case "lt":
            return bool(low < first)
        case "ge":
            return within or bool(high > after)
        case "le":
            return within or bool(low < first)
        case "sa":
            return bool(low >= after)
        case "eb":
            return bool(high <= first)
        case "ap":
            return bool(low < after and first < high)
    return within


def _amount(amount: Amount, asked: str) -> bool:
    number, *unit = _bars(asked)
    prefix, text = _prefixed(number)
    try:
        value = Decimal(text)
    except InvalidOperation:
        return False
    if not value.is_finite() or abs(value.adjusted()) > 100:
        return False
    if unit and not _unit(amount, unit):
        return False
    low = Decimal("-Infinity") if amount.low is None else amount.low
    high = Decimal("Infinity") if amount.high is None else amount.high
    if prefix in ("eq", "ne", "ap"):
        return _near(prefix, value, low, high)
    return _compared(prefix, value, low, high)


def _unit(amount: Amount, unit: list[str]) -> bool:
    system, code = (unit[0] or None, unit[1]) if len(unit) > 1 else (None, unit[0])
    return (not code or amount.code == code) and (system is None or amount.system == system)


def _near(prefix: str, value: Decimal, low: Decimal, high: Decimal) -> bool:
    """A number is as wide as its last digit says; `ap` a tenth of its size."""
    exponent = value.as_tuple().exponent
    half = Decimal(5).scaleb(int(exponent) - 1)
    if prefix == "ap":
        half = max(half, abs(value) / 10)
        return low <= value + half and high >= value - half
    within = value - half <= low and high < value + half
    return within if prefix == "eq" else not within


def _compared(prefix: str, value: Decimal, low: Decimal, high: Decimal) -> bool:
    match prefix:
        case "gt":
            return high > value
        case "lt":
            return low < value
        case "ge":
            return high >= value
        case "le":
            return low <= value
        case "sa":
            return low > value
    return high < value
