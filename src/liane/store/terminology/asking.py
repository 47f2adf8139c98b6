"""What can be asked of a code system, whatever holds it, and how are refusals worded?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import asyncpg

from liane.base.errors import Invalid
from liane.store.database import Tx
from liane.store.sql import queries
from liane.store.terminology.concepts import Concept, Header, begins, words_of
from liane.store.terminology.selections import Filter, Selection

Q = queries("liane.store.terminology", "terminology.sql")
Relation = Literal["equivalent", "subsumes", "subsumed-by", "not-subsumed"]
LONGEST_REGEX = 200
REGEX_MS = 2_000


@dataclass(frozen=True, slots=True)
class Ask:
    """Which part of a selection is wanted."""

    asked: list[str] = field(default_factory=list)
    """Words that must each begin a word of the concept (`concepts.asked_words`)."""
    exact: str = ""
    """The text asked, in lower case: a code equal to it comes first."""
    active_only: bool = False
    selectable_only: bool = False
    offset: int = 0
    limit: int = 1_000
    words: Mapping[str, str] = field(default_factory=dict)
    """Displays that the value set itself gives to its codes."""

    def finds(self, code: str) -> bool:
        """Whether a code that only the value set describes has the words asked."""
        return begins(words_of(code, self.words.get(code, "")), self.asked)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the selected concepts, and how many there are in all."""

    concepts: list[Concept]
    total: int


class System(Protocol):
    """A code system that answers."""

    @property
    def header(self) -> Header:
        """Its name, version and nature."""
        ...

    async def find(
        self, tx: Tx, codes: Sequence[str], *, details: bool = False
    ) -> dict[str, Concept]:
        """The concepts of those codes, by the code asked; with `details` all that is said."""
        ...

    async def page(self, tx: Tx, selection: Selection, ask: Ask) -> Page:
        """A page of the selected concepts and how many there are."""
        ...

    async def holds(self, tx: Tx, selection: Selection, code: str) -> Concept | None:
        """The concept, when it is selected."""
        ...

    async def relation(self, tx: Tx, first: Concept, second: Concept) -> Relation:
        """How the first stands to the second."""
        ...

    async def near(self, tx: Tx, concept: Concept) -> tuple[list[Concept], list[Concept]]:
        """The concepts directly above and below."""
        ...

    async def line(
        self, tx: Tx, code: str, way: Literal["below", "above"], limit: int
    ) -> list[str]:
        """The code and those below or above it; empty when it is not known."""
        ...


def pattern_of(text: str) -> str:
    """The expression a whole value must fit, for PostgreSQL. Raises `Invalid`."""
    if len(text) > LONGEST_REGEX or "\\1" in text or "(?=" in text or "(?!" in text:
        raise _bad_regex(text)
    return f"^(?:{text})$"


async def regex_matches(tx: Tx, texts: Sequence[str], pattern: str) -> set[str]:
    """Those of the texts that fit the pattern whole; the database bounds the time."""
    async with bounded_regex(tx, pattern) as whole:
        rows = await tx.fetch(Q.matching_regex, list(texts), whole)
    return {row["code"] for row in rows}


class bounded_regex:  # noqa: N801 - reads as a verb where it is used
    """`async with bounded_regex(tx, text) as pattern`: no pattern may hold the database up."""

    def __init__(self, tx: Tx, text: str) -> None:
        self._tx = tx
        self._text = text

    async def __aenter__(self) -> str:
        pattern = pattern_of(self._text)
        await self._tx.execute(f"set local statement_timeout = {REGEX_MS}")
        return pattern

    async def __aexit__(self, _kind: object, failure: BaseException | None, _: object) -> None:
        if isinstance(failure, asyncpg.QueryCanceledError | asyncpg.InvalidRegularExpressionError):
            raise _bad_regex(self._text) from failure
        if failure is None:
            await self._tx.execute("set local statement_timeout to default")


def _bad_regex(text: str) -> Invalid:
    return Invalid(
        "terminology.regex",
        f"L’expression régulière « {text[:80]} » n’est pas acceptée (200 signes au plus, sans "
        "référence arrière ni regard en avant).",
        f"The regular expression '{text[:80]}' is not accepted (at most 200 signs, no back "
        "reference, no look-ahead).",
    )


def unsupported(asked: Filter) -> Invalid:
    """A filter that nobody can answer."""
    return Invalid(
        "terminology.filter",
        f"Le filtre « {asked.property[:60]} {asked.op[:20]} » n’est pas offert.",
        f"The filter '{asked.property[:60]} {asked.op[:20]}' is not offered.",
        "Opérateurs : =, in, not-in, exists, regex ; sur concept aussi is-a, descendent-of, "
        "is-not-a, generalizes.",
        "Operators: =, in, not-in, exists, regex; on concept also is-a, descendent-of, is-not-a, "
        "generalizes.",
    )


def too_costly(total: int, limit: int) -> Invalid:
    """An expansion too large to be given whole."""
    return TooCostly(
        "terminology.too-costly",
        f"Ce jeu de valeurs compte {total} codes ; au plus {limit} sont donnés d’un coup.",
        f"This value set holds {total} codes; at most {limit} are given at once.",
        "Demander une page (count, offset) ou restreindre (filter).",
        "Ask for a page (count, offset), or restrict it (filter).",
    )


class Absent(Invalid):
    """A code system that the answer needs is not here."""

    http_status = 422
    fhir_code = "not-found"


class TooCostly(Invalid):
    """The answer would be too large."""

    http_status = 422
    fhir_code = "too-costly"
