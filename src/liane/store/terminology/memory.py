"""How does a code system that is held in memory answer?

The system is one of R4's own, or the concepts of an inline resource. Regular expressions are left
to the database, which answers any of them in bounded time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from liane.store.database import Tx
from liane.store.terminology import selections
from liane.store.terminology.asking import Absent, Ask, Page, Relation, regex_matches, unsupported
from liane.store.terminology.builtin import Known
from liane.store.terminology.concepts import Concept, Header, begins
from liane.store.terminology.selections import Filter, Selection

_TRUTH = {"inactive": "inactive", "abstract": "abstract", "notSelectable": "abstract"}


class MemorySystem:
    """A code system with all its concepts in memory."""

    def __init__(self, known: Known) -> None:
        self._known = known

    @property
    def header(self) -> Header:
        """Its name, version and nature."""
        return self._known.content.header

    async def find(
        self, _tx: Tx, codes: Sequence[str], *, details: bool = False
    ) -> dict[str, Concept]:
        """The concepts of those codes, by the code asked; details are always there."""
        del details
        found = {code: self._known.find(code) for code in codes}
        return {code: concept for code, concept in found.items() if concept is not None}

    async def page(self, tx: Tx, selection: Selection, ask: Ask) -> Page:
        """A page of the selected concepts and how many there are."""
        ids = await self._ids(tx, selection)
        concepts = self._known.content.concepts
        chosen = [
            concepts[id_]
            for id_ in sorted(ids)
            if not (ask.active_only and concepts[id_].inactive)
            and not (ask.selectable_only and concepts[id_].abstract)
            and begins(self._known.words[id_], ask.asked)
        ]
        if ask.asked:
            chosen.sort(key=lambda one: (one.code.lower() != ask.exact, len(one.display), one.id))
        return Page(chosen[ask.offset : ask.offset + ask.limit], len(chosen))

    async def holds(self, tx: Tx, selection: Selection, code: str) -> Concept | None:
        """The concept, when it is selected."""
        concept = self._known.find(code)
        if concept is None:
            return None
        if isinstance(selection, selections.Everything):
            return concept
        return concept if concept.id in await self._ids(tx, selection) else None

    async def relation(self, _tx: Tx, first: Concept, second: Concept) -> Relation:
        """How the first stands to the second."""
        if first.id == second.id:
            return "equivalent"
        if first.id in self._known.above.get(second.id, ()):
            return "subsumes"
        return "subsumed-by" if second.id in self._known.above.get(first.id, ()) else "not-subsumed"

    async def near(self, _tx: Tx, concept: Concept) -> tuple[list[Concept], list[Concept]]:
        """The concepts directly above and below."""
        concepts = self._known.content.concepts
        above = [concepts[id_] for id_ in self._known.parents.get(concept.id, ())]
        return above, [concepts[id_] for id_ in self._known.children.get(concept.id, ())]

    async def line(
        self, _tx: Tx, code: str, way: Literal["below", "above"], limit: int
    ) -> list[str]:
        """The code and those below or above it."""
        concept = self._known.find(code)
        if concept is None:
            return []
        ids = (self._known.below if way == "below" else self._known.above).get(concept.id, set())
        concepts = self._known.content.concepts
        return [concept.code, *(concepts[id_].code for id_ in sorted(ids)[:limit])]

    async def _ids(self, tx: Tx, selection: Selection) -> set[int]:
        every = range(len(self._known.content.concepts))
        match selection:
            case selections.Everything():
                return set(every)
            case selections.Codes(codes):
                found = (self._known.find(code) for code in codes)
                return {concept.id for concept in found if concept is not None}
            case selections.All(parts):
                chosen = set(every)
                for part in parts:
                    chosen &= await self._ids(tx, part)
                return chosen
            case selections.Any(parts):
                return {id_ for part in parts for id_ in await self._ids(tx, part)}
            case selections.Without(kept, removed):
                return await self._ids(tx, kept) - await self._ids(tx, removed)
            case Filter():
                return await self._filtered(tx, selection)

    async def _filtered(self, tx: Tx, asked: Filter) -> set[int]:
        if asked.op in ("is-a", "descendent-of", "is-not-a", "generalizes"):
            return self._hierarchical(asked)
        values = self._values(asked.property)
        if asked.op == "=":
            return {id_ for id_, found in values.items() if asked.value in found}
        if asked.op in ("in", "not-in"):
            wanted = {value.strip() for value in asked.value.split(",")}
            inside = {id_ for id_, found in values.items() if wanted & found}
            every = set(range(len(self._known.content.concepts)))
            return inside if asked.op == "in" else every - inside
        if asked.op == "exists":
            there = {id_ for id_, found in values.items() if found}
            every = set(range(len(self._known.content.concepts)))
            return there if asked.value == "true" else every - there
        if asked.op == "regex":
            texts = {value for found in values.values() for value in found}
            fitting = await regex_matches(tx, sorted(texts), asked.value)
            return {id_ for id_, found in values.items() if found & fitting}
        raise unsupported(asked)

    def _hierarchical(self, asked: Filter) -> set[int]:
        if asked.property not in ("concept", "code"):
            raise unsupported(asked)
        concept = self._known.find(asked.value)
        every = set(range(len(self._known.content.concepts)))
        if concept is None:
            return every if asked.op == "is-not-a" else set()
        if asked.op == "generalizes":
            return {concept.id} | self._known.above.get(concept.id, set())
        below = self._known.below.get(concept.id, set())
        if asked.op == "descendent-of":
            return set(below)
        return every - below - {concept.id} if asked.op == "is-not-a" else below | {concept.id}

    def _values(self, name: str) -> dict[int, set[str]]:
        """What each concept says under a name: of itself, of its place, of its properties."""
        concepts = self._known.content.concepts
        if name in ("concept", "code"):
            return {one.id: {one.code} for one in concepts}
        if name in ("display", "definition"):
            return {one.id: {getattr(one, name)} - {""} for one in concepts}
        if name in _TRUTH:
            return {one.id: {"true" if getattr(one, _TRUTH[name]) else "false"} for one in concepts}
        if name in ("parent", "child"):
            ways = self._known.parents if name == "parent" else self._known.children
            return {
                one.id: {concepts[id_].code for id_ in ways.get(one.id, ())} for one in concepts
            }
        return {one.id: {p.value for p in one.properties if p.name == name} for one in concepts}


class UnknownSystem:
    """A code system that is not here: only what a value set lists one by one is known of it."""

    def __init__(self, url: str, version: str = "") -> None:
        self.header = Header(url=url, version=version, content="not-present")

    async def find(
        self, _tx: Tx, _codes: Sequence[str], *, details: bool = False
    ) -> dict[str, Concept]:
        """Nothing is known."""
        del details
        return {}

    async def page(self, _tx: Tx, selection: Selection, ask: Ask) -> Page:
        """The codes listed. Raises `Invalid` when the list needs the system to be known."""
        if not selections.lists_only(selection):
            raise absent(self.header.url, self.header.version)
        return listed_page(selection, selections.listed(selection), ask)

    async def holds(self, _tx: Tx, selection: Selection, code: str) -> Concept | None:
        """The code, when it is listed."""
        if not selections.lists_only(selection):
            raise absent(self.header.url, self.header.version)
        return Concept(code) if selections.holds(selection, code) else None

    async def relation(self, _tx: Tx, first: Concept, second: Concept) -> Relation:
        """Nothing is known but equality."""
        return "equivalent" if first.code == second.code else "not-subsumed"

    async def near(self, _tx: Tx, _concept: Concept) -> tuple[list[Concept], list[Concept]]:
        """Nothing is known."""
        return [], []

    async def line(
        self, _tx: Tx, code: str, _way: Literal["below", "above"], _limit: int
    ) -> list[str]:
        """Nothing but the code itself."""
        return [code]


def listed_page(selection: Selection, codes: Sequence[str], ask: Ask) -> Page:
    """The selected ones of these codes, which no system describes."""
    chosen = [Concept(code) for code in codes if selections.holds(selection, code)]
    chosen = [
        replace(one, display=ask.words.get(one.code, "")) for one in chosen if ask.finds(one.code)
    ]
    return Page(chosen[ask.offset : ask.offset + ask.limit], len(chosen))


def absent(url: str, version: str = "") -> Absent:
    """A code system that the answer needs and that is not here."""
    name = f"{url}|{version}" if version else url
    return Absent(
        "terminology.unknown-system",
        f"Le système de codes « {name[:200]} » n’est pas connu ici.",
        f"The code system '{name[:200]}' is not known here.",
        "Le charger : liane terminology load, ou écrire sa ressource CodeSystem.",
        "Load it: liane terminology load, or write its CodeSystem resource.",
    )
