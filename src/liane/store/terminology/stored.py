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
from liane.store.terminology.conditions import Conditions
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
            content="complete"
            if row["loaded"] and row["content"] == "not-present"
            else row["content"],
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
        """All numbers first, from indexes alone; only the concepts of the page are opened."""
        if isinstance(selection, selections.Everything) and not ask.asked:
            whole = await self._whole(tx, ask)
            if whole is not None:
                return whole
        c = Conditions(tx.tenant, self.id, self.header)
        order, shown = "id", "hit.id"
        first = ""
        if ask.asked:
            same = f"{c.here} and key = any({c.keys([ask.exact])})"
            first = f"exact as (select id from terminology.concept where {same}), "  # noqa: S608
            # The shortest first, and no number of a row: so the best twenty need no full sort.
            order = "other, size, id"
            shown = "hit.id, hit.size, hit.id not in (select id from exact) as other"
            hits = _worded(c, selection, ask)
        else:
            hits = _numbered(c, selection, ask)
        rows = await self._fetch(
            tx,
            c,
            f"with {first}hit as materialized ({hits}), page as (select {shown} from hit "  # noqa: S608
            f"order by {order} limit {max(1, ask.limit):d} offset {ask.offset:d}) "
            f"select {_COLUMNS}, (select count(*) from hit) as total from (select 1) one "
            f"left join (page join terminology.concept c on c.id = page.id and c.{c.here}) on true "
            f"order by {', '.join(f'page.{name}' for name in order.split(', '))}",
        )
        total = rows[0]["total"]
        found = [_concept(row) for row in rows if row["code"] is not None]
        return Page(found[: ask.limit], total)

    async def _whole(self, tx: Tx, ask: Ask) -> Page | None:
        """A page of the whole system, which is counted already."""
        if ask.selectable_only:
            return None
        c = Conditions(tx.tenant, self.id, self.header)
        test = " and not c.inactive" if ask.active_only else ""
        rows: list[Any] = []
        if ask.limit:
            rows = await self._fetch(
                tx,
                c,
                f"select {_COLUMNS} from terminology.concept c where {c.here}{test} "  # noqa: S608
                f"order by c.id limit {ask.limit:d} offset {ask.offset:d}",
            )
        total = self._active if ask.active_only else self._concepts
        return Page([_concept(row) for row in rows], total)

    async def _fetch(self, tx: Tx, conditions: Conditions, sql: str) -> list[Any]:
        async with AsyncExitStack() as stack:
            for regex in conditions.regexes:
                await stack.enter_async_context(bounded_regex(tx, regex))
            return await tx.fetch(sql, *conditions.arguments.values)

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
        c = Conditions(tx.tenant, self.id, self.header)
        sql = (
            f"select {_COLUMNS} from terminology.concept c where {c.here} "  # noqa: S608
            f"and c.key = any({c.keys([code])}) and {c.test(selection, 'c.id')}"
        )
        rows = await self._fetch(tx, c, sql)
        if rows:
            return _concept(rows[0])
        if self.header.complete or code not in selections.listed(selection):
            return None
        if await self.find(tx, [code]) or not selections.holds(selection, code):
            return None
        return Concept(code)

    async def relation(self, tx: Tx, first: Concept, second: Concept) -> Relation:
        """How the first stands to the second: a probe of the closure each way."""
        if first.id == second.id:
            return "equivalent"
        row = await tx.fetchrow(Q.relation, tx.tenant, self.id, first.id, second.id)
        if row["subsumes"]:
            return "subsumes"
        return "subsumed-by" if row["subsumed"] else "not-subsumed"

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


def _worded(c: Conditions, selection: Selection, ask: Ask) -> str:
    """The numbers of the selected concepts that have the words asked."""
    tests = [f"w.{c.here}", c.words(ask.asked)]
    if not isinstance(selection, selections.Everything):
        tests.append(c.test(selection, "w.concept"))
    tests += ["not w.inactive"] * ask.active_only + ["not w.abstract"] * ask.selectable_only
    return (
        "select w.concept as id, min(w.size) as size from terminology.word w "  # noqa: S608
        f"where {' and '.join(tests)} group by 1"
    )


def _numbered(c: Conditions, selection: Selection, ask: Ask) -> str:
    """The numbers of the selected concepts."""
    tests = ["true"]
    for column, asked in (("inactive", ask.active_only), ("abstract", ask.selectable_only)):
        if asked:
            gone = f"select id from terminology.concept where {c.here} and {column}"  # noqa: S608
            tests.append(f"d.id not in ({gone})")
    return f"select distinct d.id from ({c.ids(selection)}) d where {' and '.join(tests)}"  # noqa: S608


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
