"""What is known of one concept, and of the code system it belongs to?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from liane.base.text import fold

_NOT_WORD = re.compile(r"[\W_]+")
_SURROGATES = range(0xD800, 0xE000)
"""Code points that no text in UTF-8 holds."""
MOST_SIGNS = 4_000
MOST_WORDS = 80
LONGEST_WORD = 60
MOST_ASKED = 12


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


def words_of(*texts: str) -> list[str]:
    """The folded words of a concept or of what somebody types, each once."""
    joined = " ".join(texts)[:MOST_SIGNS]
    found = dict.fromkeys(_NOT_WORD.sub(" ", fold(joined)).split())
    return [word[:LONGEST_WORD] for word in found][:MOST_WORDS]


def asked_words(text: str) -> list[str]:
    """The words that must each begin a word of the concept; a text of signs alone finds nothing."""
    if not text.strip():
        return []
    return words_of(text)[:MOST_ASKED] or [text.strip()[:LONGEST_WORD]]


def begins(words: Iterable[str], asked: Iterable[str]) -> bool:
    """Whether each word asked begins one of the words."""
    known = list(words)
    return all(any(word.startswith(one) for word in known) for one in asked)


def after(prefix: str) -> str:
    """The first text that no longer begins with `prefix`, as the database sorts (by code point)."""
    following = ord(prefix[-1]) + 1
    if following == _SURROGATES.start:
        following = _SURROGATES.stop
    return prefix[:-1] + chr(min(following, 0x10FFFF))


def version_order(version: str) -> str:
    """A text that sorts versions as people count them: 2.9 before 2.10."""
    return re.sub(r"\d+", lambda digits: digits.group().zfill(12), version)[:400]
