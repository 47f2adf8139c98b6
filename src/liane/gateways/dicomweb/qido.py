"""Which examinations, series or images match a question (PS3.18 section 10.6)?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from liane.access import gate
from liane.base.errors import Invalid
from liane.gateways.dicomweb.authority import Caller
from liane.store import Tx
from liane.store.sql import queries

Q = queries("liane.gateways.dicomweb", "qido.sql")

MOST = 1000
NAMES = {
    "0020000D": "StudyInstanceUID",
    "0020000E": "SeriesInstanceUID",
    "00080018": "SOPInstanceUID",
    "00080016": "SOPClassUID",
    "00100020": "PatientID",
    "00100010": "PatientName",
    "00080050": "AccessionNumber",
    "00080020": "StudyDate",
    "00080061": "ModalitiesInStudy",
    "00080060": "Modality",
    "00081030": "StudyDescription",
    "00200011": "SeriesNumber",
    "00200013": "InstanceNumber",
}
_PASSED_OVER = frozenset(("includefield", "fuzzymatching"))
_PAGING = frozenset(("limit", "offset"))

Row = Mapping[str, Any]
Question = Mapping[str, str]


def question(items: Sequence[tuple[str, str]], fixed: Mapping[str, str]) -> dict[str, str]:
    """The conditions by keyword; those of the address win. Raises `Invalid` for unknown ones."""
    asked: dict[str, str] = {}
    for name, value in items:
        if name in _PASSED_OVER:
            continue
        keyword = NAMES.get(name.upper(), name)
        if keyword not in NAMES.values() and keyword not in _PAGING:
            raise Invalid(
                "dicomweb.parameter",
                f"Critère de recherche inconnu : {name[:64]}.",
                f"Unknown search parameter: {name[:64]}.",
            )
        asked[keyword] = f"{asked[keyword]}\\{value}" if keyword in asked else value
    return {name: value for name, value in {**asked, **fixed}.items() if value}


async def studies(tx: Tx, caller: Caller, asked: Question) -> list[Row]:
    """Examinations, the latest first."""
    since, until = _range(asked.get("StudyDate"))
    args = [
        _uids(asked, "StudyInstanceUID"),
        _like(asked.get("PatientID")),
        _like(asked.get("PatientName")),
        _like(asked.get("AccessionNumber")),
        since,
        until,
        _several(asked, "ModalitiesInStudy"),
        _like(asked.get("StudyDescription")),
    ]
    return await _run(tx, caller, "studies", args, asked)


async def series(tx: Tx, caller: Caller, asked: Question) -> list[Row]:
    """Series, in the order of their examination and number."""
    args = [
        _uids(asked, "StudyInstanceUID"),
        _uids(asked, "SeriesInstanceUID"),
        _several(asked, "Modality"),
        _number(asked.get("SeriesNumber")),
    ]
    return await _run(tx, caller, "series", args, asked)


async def instances(tx: Tx, caller: Caller, asked: Question) -> list[Row]:
    """Images and other objects, in scrolling order."""
    args = [
        _uids(asked, "StudyInstanceUID"),
        _uids(asked, "SeriesInstanceUID"),
        _uids(asked, "SOPInstanceUID"),
        _uids(asked, "SOPClassUID"),
        _number(asked.get("InstanceNumber")),
    ]
    return await _run(tx, caller, "instances", args, asked)


async def _run(
    tx: Tx, caller: Caller, name: str, conditions: list[Any], asked: Question
) -> list[Row]:
    limit = min(_number(asked.get("limit")) or MOST, MOST)
    args = [tx.tenant, *conditions, limit, _number(asked.get("offset")) or 0]
    restriction = caller.restriction()
    visible = "true"
    if restriction is not None:
        visible = gate.place(restriction.sql, "s.patient", len(args) + 1)
        args += restriction.args
    return list(await tx.fetch(Q[name].replace("/*visible*/", visible), *args))


def _uids(asked: Question, name: str) -> list[str] | None:
    value = asked.get(name)
    return value.replace(",", "\\").split("\\") if value else None


def _several(asked: Question, name: str) -> list[str] | None:
    value = asked.get(name)
    return value.upper().replace(",", "\\").split("\\") if value else None


def _like(value: str | None) -> str | None:
    """A DICOM wildcard as a LIKE pattern; LIKE's own signs are plain signs."""
    if value is None:
        return None
    plain = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return plain.replace("*", "%").replace("?", "_")


def _number(value: str | None) -> int | None:
    if value is None:
        return None
    if not value.isascii() or not value.isdecimal() or len(value) > 9:
        raise Invalid("dicomweb.number", "Un nombre est attendu.", "A number is expected.")
    return int(value)


def _range(value: str | None) -> tuple[str | None, str | None]:
    """`20260101-20260131`, `20260101-`, `-20260131` or one day."""
    if value is None:
        return None, None
    first, dash, last = value.partition("-")
    if not all(part == "" or (part.isdecimal() and len(part) == 8) for part in (first, last)):
        raise Invalid("dicomweb.date", "Une date est attendue.", "A date is expected.")
    return first or None, (last or None) if dash else (first or None)
