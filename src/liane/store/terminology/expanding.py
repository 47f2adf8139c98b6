"""Which codes does a value set hold, written out? (R4 valueset-operation-expand)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from liane.base.ids import new_id
from liane.store.database import Tx
from liane.store.terminology import resolving
from liane.store.terminology.asking import Ask, Q, System, too_costly
from liane.store.terminology.composing import Part, parts_of
from liane.store.terminology.concepts import Concept, Designation, asked_words, matches
from liane.store.terminology.stored import StoredSystem
from liane.store.versions import instant

MOST = 10_000
"""Codes in one answer."""
_LABELS = ("url", "identifier", "version", "name", "title", "status", "experimental", "date")


@dataclass(frozen=True, slots=True)
class Wish:
    """How an expansion is wanted."""

    filter: str = ""
    offset: int = 0
    count: int | None = None
    active_only: bool = False
    include_designations: bool = False
    include_definition: bool = False
    exclude_not_for_ui: bool = False
    language: str = ""
    """In which the displays are wanted (`fr`)."""
    versions: dict[str, str] = field(default_factory=dict)
    """The version to use of a system, where the value set does not say."""


async def expand(tx: Tx, value_set: dict[str, Any] | str, wish: Wish) -> dict[str, Any]:
    """The value set with its expansion.

    Raises `TooCostly` when it is larger than `MOST` and no page was asked, `NotFound` or `Invalid`
    for a value set or code system that is not here.
    """
    resource = value_set
    if isinstance(resource, str):
        resource = await resolving.required_value_set(tx, resource)
    parts = await parts_of(tx, resource)
    ask = _ask(resource, wish)
    entries: list[dict[str, Any]] = []
    used: list[str] = []
    total = 0
    for part in parts:
        wanted = wish.versions.get(part.system, "")
        system = await resolving.system(tx, part.system, part.version or wanted)
        here = replace(
            ask,
            words=part.words,
            offset=max(0, ask.offset - total),
            limit=max(0, ask.limit - len(entries)),
        )
        page = await system.page(tx, part.selection, here)
        total += page.total
        if wish.count is None and total > MOST:
            raise too_costly(total, MOST)
        entries += await _entries(tx, system, part, page.concepts, wish)
        version = system.header.version
        used.append(f"{part.system}|{version}" if version else part.system)
    return _answer(tx, resource, wish, entries, (total, used))


async def codes(tx: Tx, address: str, limit: int) -> list[tuple[str, str]] | None:
    """All (system, code) pairs of a value set; None when it is not here.

    Raises `TooCostly` when there are more than `limit`.
    """
    resource = await resolving.value_set(tx, address)
    if resource is None:
        return None
    found: list[tuple[str, str]] = []
    for part in await parts_of(tx, resource):
        system = await resolving.system(tx, part.system, part.version)
        page = await system.page(tx, part.selection, Ask(limit=limit))
        if len(found) + page.total > limit:
            raise too_costly(len(found) + page.total, limit)
        found += [(part.system, concept.code) for concept in page.concepts]
    return found


def _ask(resource: dict[str, Any], wish: Wish) -> Ask:
    compose = resource.get("compose")
    inactive = compose.get("inactive", True) if isinstance(compose, dict) else True
    return Ask(
        asked=asked_words(wish.filter),
        exact=wish.filter.strip().lower(),
        active_only=wish.active_only or inactive is False,
        selectable_only=wish.exclude_not_for_ui,
        offset=wish.offset,
        limit=MOST if wish.count is None else min(wish.count, MOST),
    )


async def _entries(
    tx: Tx, system: System, part: Part, concepts: Sequence[Concept], wish: Wish
) -> list[dict[str, Any]]:
    """The concepts as `expansion.contains`."""
    if concepts and (wish.include_designations or wish.language):
        concepts = await with_words(tx, system, concepts)
    return [_entry(part, concept, wish) for concept in concepts]


def _entry(part: Part, concept: Concept, wish: Wish) -> dict[str, Any]:
    own = part.designations.get(concept.code, ())
    display = part.words.get(concept.code) or concept.display
    if wish.language:
        choices = (*own, *concept.designations)
        fitting = [one.value for one in choices if matches(one.language, wish.language)]
        display = fitting[0] if fitting else display
    entry: dict[str, Any] = {"system": part.system}
    if concept.abstract:
        entry["abstract"] = True
    if concept.inactive:
        entry["inactive"] = True
    if part.version:
        entry["version"] = part.version
    entry["code"] = concept.code
    if display:
        entry["display"] = display
    if wish.include_designations and (own or concept.designations):
        entry["designation"] = [one.as_fhir() for one in (*own, *concept.designations)]
    return entry


async def with_words(tx: Tx, system: System, concepts: Sequence[Concept]) -> list[Concept]:
    """The same concepts with all their designations, those of supplements included."""
    found = list(concepts)
    if isinstance(system, StoredSystem):
        found = await system.described(tx, found)
    more = await supplements(tx, system, [concept.code for concept in found])
    if not more:
        return found
    return [
        replace(one, designations=(*one.designations, *more.get(one.code, ()))) for one in found
    ]


async def supplements(
    tx: Tx, system: System, asked: Sequence[str]
) -> dict[str, tuple[Designation, ...]]:
    """What stored supplements of a system add to these codes."""
    url = system.header.url
    liked = url.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "|%"
    keys = [system.header.key(code) for code in asked]
    rows = await tx.fetch(Q.supplemented, tx.tenant, url, keys, liked)
    found: dict[str, tuple[Designation, ...]] = {}
    for row in rows:
        one = Designation(row["value"], row["language"])
        found[row["code"]] = (*found.get(row["code"], ()), one)
    return found


def _answer(
    tx: Tx,
    resource: dict[str, Any],
    wish: Wish,
    entries: list[dict[str, Any]],
    seen: tuple[int, list[str]],
) -> dict[str, Any]:
    total, used = seen
    told: list[dict[str, Any]] = [{"name": "version", "valueUri": one} for one in used]
    if wish.filter:
        told.append({"name": "filter", "valueString": wish.filter})
    if wish.active_only:
        told.append({"name": "activeOnly", "valueBoolean": True})
    if wish.include_designations:
        told.append({"name": "includeDesignations", "valueBoolean": True})
    if wish.language:
        told.append({"name": "displayLanguage", "valueCode": wish.language})
    if wish.count is not None:
        told.append({"name": "count", "valueInteger": wish.count})
    expansion: dict[str, Any] = {
        "identifier": f"urn:uuid:{new_id()}",
        "timestamp": instant(tx.now),
        "total": total,
    }
    if wish.offset or wish.count is not None:
        expansion["offset"] = wish.offset
    if told:
        expansion["parameter"] = told
    if entries:
        expansion["contains"] = entries
    answer: dict[str, Any] = {"resourceType": "ValueSet"}
    answer.update({name: resource[name] for name in _LABELS if name in resource})
    answer.setdefault("status", "active")
    if wish.include_definition and "compose" in resource:
        answer["compose"] = resource["compose"]
    answer["expansion"] = expansion
    return answer
