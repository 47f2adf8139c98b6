"""Which code systems are a rule rather than a list, so that a code is right by its shape?

Languages (BCP 47), kinds of content (BCP 13) and units (UCUM) cannot be listed; a code is taken
when it is well formed. Countries and currencies are lists, kept by the Unicode project (CLDR).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal

from babel import Locale

from liane.fhir import ucum
from liane.store.database import Tx
from liane.store.terminology import builtin, selections
from liane.store.terminology.asking import Ask, Page, Relation
from liane.store.terminology.builtin import Known
from liane.store.terminology.code_systems import Content
from liane.store.terminology.concepts import Concept, Designation, Header
from liane.store.terminology.memory import MemorySystem, absent, listed_page
from liane.store.terminology.selections import Selection

_NAME = "[A-Za-z0-9!#$&^_.+-]{0,126}"
_SHAPES = {
    "urn:ietf:bcp:47": (
        "Tags for Identifying Languages",
        r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,8}",
    ),
    "urn:ietf:bcp:13": (
        "Media Types",
        rf"[A-Za-z0-9]{_NAME}/[A-Za-z0-9*]{_NAME}(\s?;\s?[A-Za-z0-9.+-]{{1,60}}=[^;]{{1,120}}){{0,8}}",
    ),
}
_LISTS = {
    "urn:iso:std:iso:3166": ("Country codes (ISO 3166-1 alpha-2)", "territories", r"[A-Z]{2}"),
    "urn:iso:std:iso:4217": ("Currency codes (ISO 4217)", "currencies", r"[A-Z]{3}"),
}


class ShapedSystem:
    """A code system whose codes are known by their shape."""

    def __init__(self, header: Header, right: Callable[[str], object]) -> None:
        self.header = header
        self._right = right

    async def find(
        self, _tx: Tx, codes: Sequence[str], *, details: bool = False
    ) -> dict[str, Concept]:
        """The codes that are well formed."""
        del details
        return {code: Concept(code) for code in codes if self._right(code)}

    async def page(self, _tx: Tx, selection: Selection, ask: Ask) -> Page:
        """The codes listed; the whole system has no end. Raises `Invalid` when it is asked."""
        if not selections.lists_only(selection):
            raise absent(self.header.url)
        return listed_page(selection, selections.listed(selection), ask)

    async def holds(self, _tx: Tx, selection: Selection, code: str) -> Concept | None:
        """The code, when it is well formed and selected."""
        if not self._right(code) or not selections.holds(selection, code):
            return None
        return Concept(code)

    async def relation(self, _tx: Tx, first: Concept, second: Concept) -> Relation:
        """Codes without hierarchy."""
        return "equivalent" if first.code == second.code else "not-subsumed"

    async def near(self, _tx: Tx, _concept: Concept) -> tuple[list[Concept], list[Concept]]:
        """Codes without hierarchy."""
        return [], []

    async def line(
        self, _tx: Tx, code: str, _way: Literal["below", "above"], _limit: int
    ) -> list[str]:
        """Nothing but the code itself."""
        return [code] if self._right(code) else []


@cache
def system(url: str) -> ShapedSystem | MemorySystem | None:
    """The code system of that address, when it is one of these."""
    if url in _SHAPES:
        title, shape = _SHAPES[url]
        header = Header(url, title=title, content="not-present")
        return ShapedSystem(header, re.compile(shape).fullmatch)
    if url == ucum.SYSTEM:
        return ShapedSystem(Header(url, title="UCUM", content="not-present"), _is_unit)
    if url in _LISTS:
        return MemorySystem(Known(_list(url)))
    return None


def _is_unit(code: str) -> bool:
    """Whether UCUM has this unit: its grammar, or the list of common units that R4 brings."""
    return ucum.unit(code) is not None or code in _common_units()


@cache
def _common_units() -> frozenset[str]:
    found = builtin.resource("ValueSet", "http://hl7.org/fhir/ValueSet/ucum-common") or {}
    includes = found.get("compose", {}).get("include", [])
    return frozenset(one["code"] for part in includes for one in part.get("concept", []))


def _list(url: str) -> Content:
    title, table, shape = _LISTS[url]
    english, french = Locale("en"), Locale("fr")
    names: dict[str, str] = getattr(english, table)
    others = dict(getattr(french, table).items())
    codes = sorted(code for code in names if re.fullmatch(shape, code) and code != "ZZ")
    concepts = []
    for n, code in enumerate(codes):
        french_name = others.get(code)
        words = (Designation(french_name, "fr"),) if french_name else ()
        concepts.append(Concept(code, names[code], id=n, designations=words))
    return Content(Header(url, title=title), concepts)
