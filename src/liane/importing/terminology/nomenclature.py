"""What does a loader make of a published file: code systems, value sets, and what it refused?"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liane.base.errors import Invalid
from liane.importing.recognising import content_of
from liane.store.terminology.code_systems import Content, plain
from liane.store.terminology.concepts import Concept, Designation, Header, Property

MOST_REFUSALS = 200
csv.field_size_limit(1_000_000)


@dataclass(slots=True)
class Edition:
    """Which edition of a nomenclature is being loaded, and under which address."""

    version: str = ""
    url: str = ""


@dataclass(slots=True)
class Found:
    """Everything read from the files."""

    systems: list[Content] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    """Value sets and other resources to be written as they are."""
    refused: list[str] = field(default_factory=list)
    """Lines that could not be read: place and reason."""

    def refuse(self, place: str, reason: str) -> None:
        """Remember a line that is left out."""
        if len(self.refused) < MOST_REFUSALS:
            self.refused.append(f"{place} : {reason}")


class Builder:
    """Puts a code system together, code by code."""

    def __init__(self, header: Header) -> None:
        self.content = Content(header)
        self._numbers: dict[str, int] = {}

    def add(
        self,
        code: str,
        display: str,
        *,
        definition: str = "",
        designations: Sequence[Designation] = (),
        said: Iterable[tuple[str, str, Any]] = (),
        abstract: bool = False,
        inactive: bool = False,
    ) -> bool:
        """One concept; `said` are its properties as (name, kind of FHIR value, value).

        False when the code is there already.
        """
        key = self.content.header.key(code)
        if key in self._numbers:
            return False
        self._numbers[key] = len(self.content.concepts)
        properties = [
            Property(name, plain(value), {f"value{kind}": value})
            for name, kind, value in said
            if value not in ("", None)
        ]
        self.content.concepts.append(
            Concept(
                code, display, definition, abstract, inactive, self._numbers[key],
                tuple(designations), tuple(properties),
            )
        )  # fmt: skip
        return True

    def has(self, code: str) -> bool:
        """Whether the code was added."""
        return self.content.header.key(code) in self._numbers

    def below(self, code: str, parent: str) -> None:
        """Place a concept under another; what is not there is passed over."""
        child = self._numbers.get(self.content.header.key(code))
        above = self._numbers.get(self.content.header.key(parent))
        if child is None or above is None or child == above:
            return
        known = self.content.parents.setdefault(child, [])
        if above not in known:
            known.append(above)


def text_of(path: Path) -> str:
    """The text of a file: UTF-8, or Windows-1252 when it is not. Line ends of any kind."""
    data = content_of(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def rows_of(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of a delimited file with their numbers; empty ones left out."""
    lines = io.StringIO(text_of(path), newline="")
    if delimiter in ("\t", "|"):
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, delimiter=delimiter)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def digest_of(paths: Iterable[Path]) -> str:
    """What tells the same files apart from others."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(content_of(path))
        digest.update(b"\0")
    return digest.hexdigest()


def unreadable(path: Path, expected_fr: str, expected_en: str) -> Invalid:
    """A file that is not of the kind announced."""
    return Invalid(
        "terminology.file",
        f"{path.name} : ce n’est pas {expected_fr}.",
        f"{path.name}: this is not {expected_en}.",
    )
