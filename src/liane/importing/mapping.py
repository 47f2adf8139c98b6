"""How does an old system name its files and columns? The mapping file (TOML) tells.

See `docs/how-to/import.md` for the words it may hold. An unknown word refuses the whole file: a
misspelt column must never be passed over in silence.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liane.base.errors import Invalid

HOLDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "patients": (
        frozenset({"patient", "family", "birth_date"}),
        frozenset(
            {"given", "used_family", "gender", "ins", "line", "postal_code", "city", "phone"}
        ),
    ),
    "results": (
        frozenset({"patient", "date", "label", "value"}),
        frozenset({"number", "code", "unit", "low", "high", "abnormal"}),
    ),
    "conditions": (
        frozenset({"patient", "label"}),
        frozenset({"number", "date", "code", "ended"}),
    ),
    "allergies": (
        frozenset({"patient", "label"}),
        frozenset({"number", "date", "criticality"}),
    ),
    "documents": (
        frozenset({"patient", "title", "file"}),
        frozenset({"number", "date", "type"}),
    ),
}
"""What a CSV may hold: the columns it must have, and those it may have."""

_TOP = {"identifier_system", "identifier_type", "time_zone", "ocr", "pdf", "csv"}
_PDF = {"pattern", "title", "type", "date_form"}
_CSV = {"files", "holds", "delimiter", "encoding", "date_form", "code_system", "columns", "values"}


@dataclass(frozen=True, slots=True)
class PdfRule:
    """How the name of a PDF or of a scan tells whose it is."""

    pattern: re.Pattern[str]
    """With the group `patient`, and possibly `date`, `title` and `number`."""
    title: str = "Document importé"
    type: str = ""
    date_form: str = "%Y%m%d"


@dataclass(frozen=True, slots=True)
class CsvRule:
    """How one kind of CSV file is read."""

    files: str
    holds: str
    columns: Table[str, str]
    delimiter: str = ";"
    encoding: str = "utf-8-sig"
    date_form: str = "%d/%m/%Y"
    code_system: str = ""
    values: Table[str, Table[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mapping:
    """The whole mapping file; an empty one when none was given."""

    identifier_system: str = ""
    identifier_type: str = "PI"
    ocr: bool = True
    pdf: PdfRule | None = None
    csv: tuple[CsvRule, ...] = ()
    digest: bytes = b""
    """SHA-256 of the file: another mapping reads the same files anew."""


def read_mapping(path: Path | None) -> Mapping:
    """The mapping of a file; raises `Invalid` with the word that is wrong."""
    if path is None:
        return Mapping()
    try:
        data = path.read_bytes()
        told = tomllib.loads(data.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise _wrong(str(problem)) from None
    _known(told, _TOP, "")
    if not told.get("identifier_system"):
        raise _wrong("identifier_system")
    pdf = told.get("pdf")
    return Mapping(
        identifier_system=str(told["identifier_system"]),
        identifier_type=str(told.get("identifier_type", "PI")),
        ocr=bool(told.get("ocr", True)),
        pdf=None if pdf is None else _pdf(pdf),
        csv=tuple(_csv(rule) for rule in told.get("csv", [])),
        digest=hashlib.sha256(data).digest(),
    )


def _pdf(told: dict[str, Any]) -> PdfRule:
    _known(told, _PDF, "pdf.")
    try:
        pattern = re.compile(str(told["pattern"]))
    except (KeyError, re.error) as problem:
        raise _wrong(f"pdf.pattern ({problem})") from None
    if "patient" not in pattern.groupindex:
        raise _wrong("pdf.pattern : (?P<patient>…)")
    rest = {name: str(value) for name, value in told.items() if name != "pattern"}
    return PdfRule(pattern, **rest)


def _csv(told: dict[str, Any]) -> CsvRule:
    _known(told, _CSV, "csv.")
    holds = told.get("holds")
    if holds not in HOLDS or not told.get("files"):
        raise _wrong(f"csv.holds : {', '.join(HOLDS)} ; csv.files")
    columns = told.get("columns", {})
    must, may = HOLDS[holds]
    _known(columns, must | may, "csv.columns.")
    missing = must - columns.keys()
    if missing:
        raise _wrong(f"csv.columns : {', '.join(sorted(missing))}")
    return CsvRule(**told)


def _known(told: Table[str, object], words: set[str] | frozenset[str], place: str) -> None:
    unknown = sorted(told.keys() - words)
    if unknown:
        raise _wrong(f"{place}{unknown[0]}")


def _wrong(what: str) -> Invalid:
    return Invalid(
        "import.mapping",
        f"Le fichier de correspondance n’est pas utilisable : {what}.",
        f"The mapping file cannot be used: {what}.",
        "Voir docs/how-to/import.md.",
        "See docs/how-to/import.md.",
    )
