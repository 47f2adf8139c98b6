"""How does a code system in the tables answer?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Literal

from liane.store.database import Tx
from liane.store.terminology import selections
from liane.store.terminology.asking import Ask, Page, Q, Relation, bounded_regex
from liane.store.terminology.concepts import Concept, Designation, Header, Property
from liane.store.terminology.conditions import Arguments, Conditions
from liane.store.terminology.memory import listed_page
from liane.store.terminology.selections import Selection

_COLUMNS = "c.id, c.key, c.code, c.display, c.definition, c.abstract, c.inactive"
CHILDREN = 500
"""Children shown by a look-up."""


class StoredSystem:
    """A code system whose concepts stand in `terminology.concept`."""

    def __init__(self, id_: int, header: Header, counts: tuple[int, int]) -> None:
        self.id = id_
        self.header = header
        self._concepts, self._active = counts

    @classmethod
    def of_row(cls, row: Any) -> StoredSystem:
        """A row of `systems_of_url`."""
        header = Header(
            url=row["url"],
            version=row["version"],
            title=row["title"],
            content="complete" if row["loaded"] else row["content"],
            case_sensitive=row["case_sensitive"],
            hierarchy=row["hierarchy"],
            value_set=row["value_set"],
            status=row["status"],
            supplements=row["supplements"],
            source=row["source"],
            properties=tuple(json.loads(row["properties"])),
        )
        return cls(row["id"], header, (row["concepts"], row["active"]))

    async def find(
        self, tx: Tx, codes: Sequence[str], *, details: bool = False
    ) -> dict[str, Concept]:
        """The concepts of those codes, by the code asked; with `details` all that is said."""
        keys = {code: self.header.key(code) for code in codes}
        rows = await tx.fetch(Q.concepts_of_keys, tx.tenant, self.id, list(keys.values()))
        found = {row["key"]: _concept(row) for row in rows}
        if details and found:
            wordy = await self.described(tx, list(found.values()))
            found = dict(zip(found, wordy, strict=True))
        return {code: found[key] for code, key in keys.items() if key in found}

    async def described(self, tx: Tx, concepts: list[Concept]) -> list[Concept]:
        """The same concepts with their designations and properties."""
        ids = [concept.id for concept in concepts]
        words: dict[int, list[Designation]] = {}
        for row in await tx.fetch(Q.designations, tx.tenant, self.id, ids):
            words.setdefault(row["concept"], []).append(_designation(row))
        said: dict[int, list[Property]] = {}
        for row in await tx.fetch(Q.properties, tx.tenant, self.id, ids):
            one = Property(row["name"], row["value"], json.loads(row["shown"]))
            said.setdefault(row["concept"], []).append(one)
        return [
            replace(
                concept,
                designations=tuple(words.get(concept.id, ())),
                properties=tuple(said.get(concept.id, ())),
            )
            for concept in concepts
        ]

    async def page(self, tx: Tx, selection: Selection, ask: Ask) -> Page:
        """A page of the selected concepts and how many there are."""
        found = await self._page(tx, selection, ask)
        if self.header.complete:
            return found
        return await self._with_listed(tx, selection, ask, found)

    async def _page(self, tx: Tx, selection: Selection, ask: Ask) -> Page:
        a = Arguments()
        conditions = Conditions(a, tx.tenant, self.id, self.header)
        test = conditions.test(selection)
        where = f"c.tenant = {conditions.tenant} and c.system = {conditions.system} and {test}"
        if ask.patterns:
            patterns = a.add(ask.patterns, "text[]")
            where += f" and c.id in (select terminology.matching({conditions.system}, {patterns}))"
        if ask.active_only:
            where += " and not c.inactive"
        if ask.selectable_only:
            where += " and not c.abstract"
        every = test == "true" and not ask.patterns and not ask.selectable_only
        order = "c.id"
        if ask.patterns:
            exact = a.add(self.header.key(ask.exact), "text")
            order = f"c.key <> {exact}, length(c.display), c.id"
        rows: list[Any] = []
        if ask.limit:
            total = "0" if every else "count(*) over ()"
            sql = (
                f"select {_COLUMNS}, {total} as total from terminology.concept c where {where} "  # noqa: S608
                f"order by {order} limit {ask.limit:d} offset {ask.offset:d}"
            )
            rows = await self._fetch(tx, a, sql, conditions.regexes)
        concepts = [_concept(row) for row in rows]
        if every:
            return Page(concepts, self._active if ask.active_only else self._concepts)
        if rows or (ask.limit and not ask.offset):
            return Page(concepts, rows[0]["total"] if rows else 0)
        return Page([], await self._count(tx, selection, ask))

    async def _count(self, tx: Tx, selection: Selection, ask: Ask) -> int:
        """How many are selected, when no row of the page could say it."""
        one = await self._page(tx, selection, replace(ask, offset=0, limit=1))
        return one.total

    async def _fetch(self, tx: Tx, a: Arguments, sql: str, regexes: list[str]) -> list[Any]:
        async with AsyncExitStack() as stack:
            for regex in regexes:
                await stack.enter_async_context(bounded_regex(tx, regex))
            return await tx.fetch(sql, *a.values)

    async def _with_listed(self, tx: Tx, selection: Selection, ask: Ask, found: Page) -> Page:
        """A fragment does not know every code: those that are listed count as well."""
        listed = selections.listed(selection)
        known = await self.find(tx, listed)
        missing = [code for code in listed if code not in known]
        rest = replace(
            ask,
            offset=max(0, ask.offset - found.total),
            limit=max(0, ask.limit - len(found.concepts)),
        )
        more = listed_page(selection, missing, rest)
        return Page([*found.concepts, *more.concepts], found.total + more.total)

    async def holds(self, tx: Tx, selection: Selection, code: str) -> Concept | None:
        """The concept, when it is selected."""
        a = Arguments()
        conditions = Conditions(a, tx.tenant, self.id, self.header)
        key = a.add(self.header.key(code), "text")
        sql = (
            f"select {_COLUMNS} from terminology.concept c where c.tenant = {conditions.tenant} "  # noqa: S608
            f"and c.system = {conditions.system} and c.key = {key} "
            f"and {conditions.test(selection)}"
        )
        rows = await self._fetch(tx, a, sql, conditions.regexes)
        if rows:
            return _concept(rows[0])
        if self.header.complete or code not in selections.listed(selection):
            return None
        if await self.find(tx, [code]) or not selections.holds(selection, code):
            return None
        return Concept(code)

    async def relation(self, tx: Tx, first: Concept, second: Concept) -> Relation:
        """How the first stands to the second: one or two probes of the closure."""
        if first.id == second.id:
            return "equivalent"
        if await tx.fetchval(Q.is_below, tx.tenant, self.id, first.id, second.id):
            return "subsumes"
        if await tx.fetchval(Q.is_below, tx.tenant, self.id, second.id, first.id):
            return "subsumed-by"
        return "not-subsumed"

    async def near(self, tx: Tx, concept: Concept) -> tuple[list[Concept], list[Concept]]:
        """The concepts directly above and below."""
        above = await tx.fetch(Q.parents, tx.tenant, self.id, concept.id)
        below = await tx.fetch(Q.children, tx.tenant, self.id, concept.id, CHILDREN)
        return [_concept(row) for row in above], [_concept(row) for row in below]

    async def line(
        self, tx: Tx, code: str, way: Literal["below", "above"], limit: int
    ) -> list[str]:
        """The code and those below or above it; empty when it is not known."""
        rows = await tx.fetch(Q[way], tx.tenant, self.id, self.header.key(code), limit)
        return [row["code"] for row in rows]


def _concept(row: Any) -> Concept:
    return Concept(
        code=row["code"],
        display=row["display"],
        definition=row["definition"],
        abstract=row["abstract"],
        inactive=row["inactive"],
        id=row["id"],
    )


def _designation(row: Any) -> Designation:
    usage = row["usage"]
    return Designation(row["value"], row["language"], json.loads(usage) if usage else None)
