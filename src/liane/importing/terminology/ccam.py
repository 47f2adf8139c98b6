"""How is the French catalogue of procedures (CCAM) read from the table that CNAM publishes?

The table mixes headings, procedures, the notes under them and the prices of each activity.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from liane.importing.terminology.nomenclature import (
    Builder,
    Edition,
    Found,
    rows_of,
    text_of,
    unreadable,
)
from liane.store.terminology.concepts import Header

URL = "urn:oid:1.2.250.1.215.300.1"
_PROCEDURE = re.compile(r"[A-Z]{4}\d{3}")
_HEADING = re.compile(r"\d{1,2}(\.\d{2}){0,3}")
_VERSION = re.compile(r"version\s+(\d+)", re.IGNORECASE)


def read(paths: list[Path], edition: Edition) -> Found:
    """The catalogue, headings above procedures."""
    found = Found()
    for path in paths:
        version = edition.version or _version_of(path)
        header = Header(
            edition.url or URL, version, title="CCAM", hierarchy="grouped-by", source="CNAM"
        )
        reading = _Reading(Builder(header))
        for _, row in rows_of(path, _delimiter(path)):
            reading.line([" ".join(cell.split()) for cell in row])
        reading.close()
        if not reading.procedures:
            raise unreadable(path, "la table CCAM de la CNAM", "the CCAM table of CNAM")
        found.systems.append(reading.builder.content)
    return found


def _version_of(path: Path) -> str:
    match = _VERSION.search(text_of(path)[:300])
    return match.group(1) if match else ""


def _delimiter(path: Path) -> str:
    start = text_of(path)[:4000]
    return max(";,\t", key=start.count)


class _Reading:
    """Goes down the table, remembering under which heading it is."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.procedures = 0
        self._chapter = 0
        self._heading = ""
        self._code = ""
        self._label = ""
        self._notes: list[str] = []
        self._said: list[tuple[str, str, Any]] = []

    def line(self, row: list[str]) -> None:
        """One line of the table: code, (empty), text, activity, phase, prices, ..."""
        cells = [*row, *[""] * 11]
        code, text = cells[0], cells[2]
        if _PROCEDURE.fullmatch(code):
            self.close()
            self.procedures += 1
            self._code, self._label = code, text
            self._price(cells)
        elif _HEADING.fullmatch(code) and text and not cells[3] and self._is_next(code):
            self.close()
            self._open(code, text)
        elif self._code and text and not cells[3]:
            self._notes.append(text)
        elif self._code and cells[3]:
            self._price(cells)

    def _is_next(self, code: str) -> bool:
        """Chapters are counted; the short tables of modifiers at the end are not chapters."""
        return "." in code or int(code) == self._chapter + 1

    def _open(self, code: str, text: str) -> None:
        if "." not in code:
            self._chapter = int(code)
            code = f"{self._chapter:02d}"
        if self.builder.add(code, text, abstract=True, said=[("notSelectable", "Boolean", True)]):
            self.builder.below(code, code.rpartition(".")[0])
        self._heading = code

    def _price(self, cells: list[str]) -> None:
        activity = f"{cells[3]}/{cells[4]}" if cells[4] else cells[3]
        if activity:
            self._said.append(("activite", "String", activity))
        for name, cell in (("tarif-1", cells[5]), ("tarif-2", cells[6])):
            if re.fullmatch(r"\d+([.,]\d+)?", cell):
                self._said.append((name, "String", f"{activity} : {cell.replace(',', '.')}"))
        if cells[10]:
            self._said.append(("regroupement", "Code", cells[10]))

    def close(self) -> None:
        """Keep the procedure that was being read."""
        if not self._code:
            return
        if self.builder.add(
            self._code, self._label, definition="\n".join(self._notes)[:4000], said=self._said
        ):
            self.builder.below(self._code, self._heading)
        self._code, self._label, self._notes, self._said = "", "", [], []
