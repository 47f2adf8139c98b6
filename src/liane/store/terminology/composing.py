"""Which codes does a value set name, taken apart system by system? (R4 valueset, compose)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from liane.base.errors import Invalid
from liane.store.database import Tx
from liane.store.terminology import resolving
from liane.store.terminology.code_systems import designations_of
from liane.store.terminology.concepts import Designation
from liane.store.terminology.selections import (
    All,
    Codes,
    Everything,
    Filter,
    Selection,
    Without,
    every,
    union,
)
from liane.store.terminology.selections import Any as AnyOf

LIMIT_DEPTH = 12
_NONE = AnyOf(())


@dataclass(frozen=True, slots=True)
class Part:
    """What a value set takes from one system, in one version."""

    system: str
    version: str
    selection: Selection
    words: dict[str, str] = field(default_factory=dict)
    """Displays that the value set gives itself."""
    designations: dict[str, tuple[Designation, ...]] = field(default_factory=dict)

    def of(self, other: Part) -> bool:
        """Whether both speak of the same codes: a version that is not told means any."""
        same = self.version == other.version or not self.version or not other.version
        return self.system == other.system and same


async def parts_of(tx: Tx, value_set: dict[str, Any], trail: tuple[str, ...] = ()) -> list[Part]:
    """The parts of a value set, in the order it names them.

    Raises `NotFound` for a value set it imports that is not here, `Invalid` for one that imports
    itself.
    """
    compose = value_set.get("compose")
    if not compose:
        return _expanded(value_set)
    trail = _followed(trail, str(value_set.get("url", "")))
    kept: list[Part] = []
    for include in compose.get("include", []):
        kept += await _include(tx, include, trail)
    removed: list[Part] = []
    for exclude in compose.get("exclude", []):
        removed += await _include(tx, exclude, trail)
    return [_without(part, removed) for part in _merged(kept)]


def _followed(trail: tuple[str, ...], url: str) -> tuple[str, ...]:
    if (url and url in trail) or len(trail) > LIMIT_DEPTH:
        chain = " > ".join((*trail, url))[:400]
        raise Invalid(
            "terminology.circular",
            f"Ces jeux de valeurs s’importent en rond ou trop profondément : {chain}.",
            f"These value sets import one another in a circle, or too deeply: {chain}.",
        )
    return (*trail, url)


async def _include(tx: Tx, include: dict[str, Any], trail: tuple[str, ...]) -> list[Part]:
    imports = [
        await parts_of(tx, await resolving.required_value_set(tx, address), trail)
        for address in include.get("valueSet", [])
    ]
    if "system" in include:
        part = _own(include)
        for imported in imports:
            part = _narrowed(part, imported)
        return [part]
    if not imports:
        return []
    first, *others = imports
    for other in others:
        first = [_narrowed(part, other) for part in first]
    return first


def _own(include: dict[str, Any]) -> Part:
    listed = [one for one in include.get("concept", []) if one.get("code")]
    filters = tuple(
        Filter(str(one.get("property", "")), str(one.get("op", "")), str(one.get("value", "")))
        for one in include.get("filter", [])
    )
    selection: Selection = every(filters)
    if listed:
        selection = every((Codes(tuple(str(one["code"]) for one in listed)), selection))
    return Part(
        system=str(include["system"]),
        version=str(include.get("version", "")),
        selection=selection,
        words={str(one["code"]): str(one["display"]) for one in listed if one.get("display")},
        designations={
            str(one["code"]): tuple(designations_of(one)) for one in listed if "designation" in one
        },
    )


def _narrowed(part: Part, others: Sequence[Part]) -> Part:
    """The codes of `part` that some of the others has as well."""
    found = union([other.selection for other in others if part.of(other)])
    if isinstance(found, Everything):
        return part
    if isinstance(part.selection, Everything):
        return replace(part, selection=found)
    return replace(part, selection=All((part.selection, found)))


def _without(part: Part, removed: Sequence[Part]) -> Part:
    concerned = [other.selection for other in removed if part.of(other)]
    if not concerned:
        return part
    return replace(part, selection=Without(part.selection, union(concerned)))


def _merged(parts: Iterable[Part]) -> list[Part]:
    """One part for each system and version, where it was first named."""
    found: dict[tuple[str, str], Part] = {}
    for part in parts:
        key = (part.system, part.version)
        known = found.get(key)
        found[key] = part if known is None else Part(
            part.system,
            part.version,
            union((known.selection, part.selection)),
            {**part.words, **known.words},
            {**part.designations, **known.designations},
        )  # fmt: skip
    return [part for part in found.values() if part.selection != _NONE]


def _expanded(value_set: dict[str, Any]) -> list[Part]:
    """A value set without definition is what its stored expansion lists."""
    listed = _contains(value_set.get("expansion", {}).get("contains", []))
    return _merged(
        _own({"system": one["system"], "version": one.get("version", ""), "concept": [one]})
        for one in listed
        if one.get("code") and one.get("system") and one.get("abstract") is not True
    )


def _contains(entries: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for entry in entries:
        yield entry
        yield from _contains(entry.get("contains", []))
