"""What is known of one code, and how do two codes stand to each other?

(R4 codesystem-operation-lookup, codesystem-operation-subsumes)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from liane.base.errors import NotFound
from liane.store.database import Tx
from liane.store.terminology import expanding, resolving
from liane.store.terminology.asking import Relation, System
from liane.store.terminology.builtin import Known
from liane.store.terminology.code_systems import content_of
from liane.store.terminology.concepts import Concept, Header
from liane.store.terminology.memory import MemorySystem, UnknownSystem, absent

MOST_CODES = 10_000


@dataclass(frozen=True, slots=True)
class LookUp:
    """One concept with its neighbours."""

    header: Header
    concept: Concept
    parents: list[Concept]
    children: list[Concept]


async def look_up(tx: Tx, system: System, code: str, *, language: str = "") -> LookUp:
    """Everything known of a code. Raises `NotFound` for a system or code that is not here."""
    _known(system)
    found = (await system.find(tx, [code], details=True)).get(code)
    if found is None:
        raise unknown_code(system, code)
    more = await expanding.supplements(tx, system, [found.code])
    words = (*found.designations, *more.get(found.code, ()))
    found = replace(found, designations=words)
    parents, children = await system.near(tx, found)
    shown = found.called(language) if language else found
    return LookUp(system.header, shown, parents, children)


async def relation(tx: Tx, system: System, first: str, second: str) -> Relation:
    """How the first code stands to the second. Raises `NotFound` as `look_up`."""
    _known(system)
    found = await system.find(tx, [first, second])
    for code in (first, second):
        if code not in found:
            raise unknown_code(system, code)
    return await system.relation(tx, found[first], found[second])


async def codes_of(
    tx: Tx, value_set: str, *, limit: int = MOST_CODES
) -> list[tuple[str, str]] | None:
    """Every (system, code) of a value set; None when it is not here.

    Raises `TooCostly` beyond `limit`, `Invalid` when a code system it needs is not here.
    """
    return await expanding.codes(tx, value_set, limit)


async def below(tx: Tx, system: str, code: str, *, limit: int = MOST_CODES) -> list[str]:
    """The code and all that stand below it; empty when the code is not known here."""
    return await (await resolving.system(tx, system)).line(tx, code, "below", limit)


async def above(tx: Tx, system: str, code: str, *, limit: int = MOST_CODES) -> list[str]:
    """The code and all that stand above it; empty when the code is not known here."""
    return await (await resolving.system(tx, system)).line(tx, code, "above", limit)


def inline_system(resource: dict[str, Any]) -> System:
    """The code system that a CodeSystem resource describes, without storing it."""
    return MemorySystem(Known(content_of(resource)))


def unknown_code(system: System, code: str) -> NotFound:
    """A code that its system does not have."""
    name = system.header.url[:200]
    return NotFound(
        "terminology.unknown-code",
        f"Le code « {code[:100]} » n’existe pas dans « {name} ».",
        f"The code '{code[:100]}' does not exist in '{name}'.",
    )


def _known(system: System) -> None:
    if isinstance(system, UnknownSystem):
        problem = absent(system.header.url, system.header.version)
        raise NotFound(problem.code, problem.fr, problem.en, problem.advice_fr, problem.advice_en)
