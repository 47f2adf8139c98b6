"""Is the text of a primitive value one that its type allows, beyond its general form?"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from typing import Any

from liane.fhir.profiles.findings import Kind, finding
from liane.fhir.profiles.visit import Visit

Check = Callable[[Any, str, Visit], None]

_BLANK = re.compile(r"\s")
_OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+")
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_ZONE = re.compile(r"(?:Z|[+-]\d\d:\d\d)$")


def check_of(type_: str) -> Check | None:
    """The check of a value of that primitive type; None where the form says all."""
    return _CHECKS.get(type_)


def _told(visit: Visit, path: str, value: str, fr: str, en: str, *, kind: Kind = "type") -> None:
    shown = value[:60]
    visit.issues.append(
        finding(kind, "", path, f"{fr} : « {shown} »", f"{en}: '{shown}'", code="value")
    )


def _day(value: Any, path: str, visit: Visit) -> None:
    """A day that the calendar has; a time with its zone."""
    if type(value) is not str:
        return
    if value[8:10] > "28" and not _is_day(value):
        _told(visit, path, value, "ce jour n’existe pas", "there is no such day")
    elif len(value) > 10 and not _ZONE.search(value):
        _told(visit, path, value, "une heure porte son fuseau", "a time has a time zone")


def _is_day(value: str) -> bool:
    try:
        year, month, day = int(value[:4]), int(value[5:7]), int(value[8:10])
    except ValueError:
        return False
    return 1 <= month <= 12 and year > 0 and day <= monthrange(year, month)[1]


def _without_blanks(value: Any, path: str, visit: Visit) -> None:
    if type(value) is str and _BLANK.search(value):
        _told(visit, path, value, "une URI ne contient pas d’espace", "a URI holds no blanks")
    elif type(value) is str and value[:8] in ("urn:oid:", "urn:uuid"):
        _identifier(value, path, visit)


def _identifier(value: Any, path: str, visit: Visit) -> None:
    """The spelling of OID and UUID; like other pointers, no reason to refuse a write by default."""
    if type(value) is not str:
        return
    if value[:8] == "urn:oid:" and not _OID.fullmatch(value):
        _told(visit, path, value, "OID mal formé", "malformed OID", kind="reference")
    elif value[:9] == "urn:uuid:" and not _UUID.fullmatch(value):
        fr, en = "UUID mal formé (minuscules)", "malformed UUID (lower case)"
        _told(visit, path, value, fr, en, kind="reference")


def _base64(value: Any, path: str, visit: Visit) -> None:
    if type(value) is str and not _BASE64.fullmatch(re.sub(r"\s+", "", value)):
        _told(visit, path, value, "base64 non valide", "not valid base64")


def _code(value: Any, path: str, visit: Visit) -> None:
    if type(value) is str and (value != value.strip() or "  " in value or "\n" in value):
        _told(
            visit,
            path,
            value,
            "un code n’a pas d’espace au début, à la fin ou doublé",
            "a code has no blanks around it nor doubled",
        )


_CHECKS: dict[str, Check] = {
    "date": _day,
    "dateTime": _day,
    "instant": _day,
    "uri": _without_blanks,
    "url": _without_blanks,
    "canonical": _without_blanks,
    "oid": _identifier,
    "uuid": _identifier,
    "base64Binary": _base64,
    "code": _code,
}
