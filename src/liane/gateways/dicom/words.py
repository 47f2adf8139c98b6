"""How are the names, dates and numbers of an image read (PS3.5 section 6)?

Machines write them in many character sets and often badly. Nothing here raises: what cannot be
read is empty, what cannot be seen is taken out.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes

from liane.base.i18n import HOSPITAL_ZONE
from liane.base.text import visible

LONGEST_TEXT = 500
_DELIMITERS = {0x0A, 0x0C, 0x0D, 0x5C, 0x5E, 0x3D}
_DATE = re.compile(r"(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.\d+)?")
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")


def text(value: bytes | None, charsets: Sequence[str]) -> str:
    """One line of text, visible characters only, without padding."""
    if not value:
        return ""
    if value.isascii() and b"\x1b" not in value:
        decoded = value.decode("ascii")
    else:
        decoded = _decoded(value, tuple(charsets))
    return " ".join(visible(decoded.replace("\0", "")).split())[:LONGEST_TEXT]


def charsets_of(value: bytes | None) -> tuple[str, ...]:
    """The terms of (0008,0005)."""
    if not value:
        return ()
    return tuple(term.strip() for term in value.decode("latin-1").rstrip("\0 ").split("\\"))


def _decoded(value: bytes, charsets: tuple[str, ...]) -> str:
    if not charsets or charsets == ("ISO_IR 6",):
        # Nothing declared, yet not ASCII: wrong, and common.
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(decode_bytes(value, _encodings(charsets), _DELIMITERS))
        except (LookupError, ValueError, AssertionError):
            return value.decode("latin-1")


@lru_cache(maxsize=64)
def _encodings(charsets: tuple[str, ...]) -> list[str]:
    return list(convert_encodings(list(charsets)))


def person(name: str) -> tuple[str, tuple[str, ...]]:
    """(family name, given names) of a PN; the alphabetic group, else the next that is filled."""
    group = next((part for part in name.split("=") if part.strip(" ^")), "")
    family, *rest = (part.strip() for part in group.split("^"))
    return family, tuple(part for part in rest[:2] if part)


def day(value: str) -> str:
    """A DA as a FHIR date, empty when it is none."""
    match = _DATE.fullmatch(value)
    if match is None:
        return ""
    try:
        return date(int(match[1]), int(match[2]), int(match[3])).isoformat()
    except ValueError:
        return ""


def moment(day_text: str, time_text: str, offset: str) -> str:
    """A DA and a TM as a FHIR dateTime: with a zone, or only the day when there is no time."""
    on = day(day_text)
    match = _TIME.fullmatch(time_text)
    if not on or match is None:
        return on
    try:
        at = time(int(match[1]), int(match[2] or 0), min(int(match[3] or 0), 59))
    except ValueError:
        return on
    zone = _zone(offset) or HOSPITAL_ZONE
    return datetime.combine(date.fromisoformat(on), at, zone).isoformat()


def _zone(offset: str) -> timezone | None:
    match = _OFFSET.fullmatch(offset)
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    if minutes > 14 * 60:
        return None
    return timezone(timedelta(minutes=minutes if match[1] == "+" else -minutes)) if minutes else UTC


def integer(value: str) -> int | None:
    """The first number of an IS, when it fits a database integer."""
    first = value.split("\\", maxsplit=1)[0].strip()
    if not re.fullmatch(r"[+-]?\d{1,10}", first):
        return None
    number = int(first)
    return number if -(2**31) <= number < 2**31 else None


def decimals(value: str) -> tuple[float, ...]:
    """The numbers of a DS, empty when one of them is none."""
    try:
        found = tuple(float(part) for part in value.split("\\"))
    except ValueError:
        return ()
    return found if all(abs(number) < 1e12 for number in found) else ()
