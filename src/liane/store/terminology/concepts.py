"""What is known of one concept, and of the code system it belongs to?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from liane.base.text import fold

_NOT_WORD = re.compile(r"[\W_]+")
LONGEST_SEARCHED = 1_000


@dataclass(frozen=True, slots=True)
class Designation:
    """Other words for a concept."""

    value: str
    language: str = ""
    usage: Mapping[str, Any] | None = None
    """Coding of what the words are for (CodeSystem.concept.designation.use)."""

    def as_fhir(self) -> dict[str, Any]:
        """As in CodeSystem and ValueSet."""
        found: dict[str, Any] = {}
        if self.language:
            found["language"] = self.language
        if self.usage:
            found["use"] = dict(self.usage)
        return {**found, "value": self.value}


@dataclass(frozen=True, slots=True)
class Property:
    """One statement about a concept; `shown` is the FHIR `value[x]`."""

    name: str
    value: str
    shown: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept; designations and properties are only there when they were asked for."""

    code: str
    display: str = ""
    definition: str = ""
    abstract: bool = False
    inactive: bool = False
    id: int = -1
    """Its place in the order of the system."""
    designations: tuple[Designation, ...] = ()
    properties: tuple[Property, ...] = ()

    def called(self, language: str) -> Concept:
        """The same concept, its display in that language when it has one."""
        chosen = next((d for d in self.designations if matches(d.language, language)), None)
        return self if chosen is None else replace(self, display=chosen.value)


@dataclass(frozen=True, slots=True)
class Header:
    """A code system, its concepts left out."""

    url: str
    version: str = ""
    title: str = ""
    content: str = "complete"
    case_sensitive: bool = True
    hierarchy: str = ""
    value_set: str = ""
    status: str = "active"
    supplements: str = ""
    source: str = ""
    properties: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def complete(self) -> bool:
        """Whether a code that is not known does not exist."""
        return self.content == "complete"

    def key(self, code: str) -> str:
        """The code as it is compared."""
        return code if self.case_sensitive else code.lower()


def matches(language: str, wanted: str) -> bool:
    """Whether words in `language` (`fr-CA`) serve somebody who asks for `wanted` (`fr`)."""
    one, other = language.lower(), wanted.lower()
    return bool(one) and (one == other or one.partition("-")[0] == other)


def searched(code: str, *texts: str) -> str:
    """What the words of a filter are looked for in: folded words, each after a blank."""
    words = dict.fromkeys(_words(" ".join((code, *texts))[: LONGEST_SEARCHED * 2]))
    return f" {code.lower()} {' '.join(words)}"[:LONGEST_SEARCHED]


def patterns(text: str) -> list[str]:
    """LIKE patterns that all hold when every word of `text` begins a word of the concept."""
    plain = text.strip().lower()
    if not plain:
        return []
    words = list(dict.fromkeys(_words(plain)))[:12]
    if not words:
        return [f"% {_liked(plain)}%"]
    return [f"% {_liked(word)}%" for word in words]


def found_in(text: str, wanted: list[str]) -> bool:
    """The same test for a concept that is not in the database."""
    return all(pattern[1:-1].replace("\\", "") in text for pattern in wanted)


def version_order(version: str) -> str:
    """A text that sorts versions as people count them: 2.9 before 2.10."""
    return re.sub(r"\d+", lambda digits: digits.group().zfill(12), version)[:400]


def _words(text: str) -> list[str]:
    return [word for word in _NOT_WORD.sub(" ", fold(text)).split() if word]


def _liked(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
