"""Which codes does a value set name, taken apart system by system? (R4 valueset, compose)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from liane.base.errors import Invalid
from liane.store.database import Tx
from liane.store.terminology import resolving
from liane.store.terminology.code_systems import designations_of, objects
from liane.store.terminology.concepts import Designation
from liane.store.terminology.selections import Any as AnyOf
from liane.store.terminology.selections import (
    Codes,
    Everything,
    Filter,
    Selection,
    Without,
    every,
    union,
)

LIMIT_DEPTH = 12
LIMIT_WEIGHT = 2_000
"""Lists and filters in one part, those of imported value sets counted: beyond, no answer would
come in a bounded time."""
LIMIT_PARTS = 300
"""Code systems in one value set."""
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
    weight: int = 1
    """Lists and filters in the selection."""

    def of(self, other: Part) -> bool:
        """Whether both speak of the same codes: a version that is not told means any."""
        same = self.version == other.version or not self.version or not other.version
        return self.system == other.system and same


@dataclass(slots=True)
class _Imports:
    """The value sets that are being followed, and those that have been taken apart."""

    trail: tuple[str, ...] = ()
    known: dict[str, list[Part]] = field(default_factory=dict)

    def followed(self, url: str) -> _Imports:
        """One step deeper. Raises `Invalid` for a circle."""
        if (url and url in self.trail) or len(self.trail) > LIMIT_DEPTH:
            chain = " > ".join((*self.trail, url))[:400]
            raise Invalid(
                "terminology.circular",
                f"Ces jeux de valeurs s’importent en rond ou trop profondément : {chain}.",
                f"These value sets import one another in a circle, or too deeply: {chain}.",
            )
        return _Imports((*self.trail, url), self.known)


async def parts_of(
    tx: Tx, value_set: dict[str, Any], imports: _Imports | None = None
) -> list[Part]:
    """The parts of a value set, in the order it names them.

    Raises `NotFound` for a value set it imports that is not here, `Invalid` for one that imports
    itself or is too intricate.
    """
    compose = value_set.get("compose")
    if not isinstance(compose, dict):
        return _expanded(value_set)
    deeper = (imports or _Imports()).followed(str(value_set.get("url", "")))
    kept = [
        part for one in objects(compose.get("include")) for part in await _include(tx, one, deeper)
    ]
    gone = [
        part for one in objects(compose.get("exclude")) for part in await _include(tx, one, deeper)
    ]
    removed = _merged(gone)
    return [_without(part, removed) for part in _merged(kept)]


async def _include(tx: Tx, include: dict[str, Any], imports: _Imports) -> list[Part]:
    sources = [await _imported(tx, address, imports) for address in include.get("valueSet", [])]
    if "system" in include:
        part = _own(include)
        for source in sources:
            part = _narrowed(part, source)
        return [part]
    if not sources:
        return []
    first, *others = sources
    for other in others:
        first = [_narrowed(part, other) for part in first]
    return first


async def _imported(tx: Tx, address: str, imports: _Imports) -> list[Part]:
    """The parts of another value set, taken apart once however often it is named."""
    known = imports.known.get(address)
    if known is None:
        value_set = await resolving.required_value_set(tx, address)
        known = imports.known[address] = await parts_of(tx, value_set, imports)
    return known


def _own(include: dict[str, Any]) -> Part:
    listed = [one for one in objects(include.get("concept")) if one.get("code")]
    filters = tuple(
        Filter(str(one.get("property", "")), str(one.get("op", "")), str(one.get("value", "")))
        for one in objects(include.get("filter"))
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
        weight=_bounded(max(1, len(filters))),
    )


def _narrowed(part: Part, others: Sequence[Part]) -> Part:
    """The codes of `part` that some of the others has as well."""
    same = [other for other in others if part.of(other)]
    found = union([other.selection for other in same])
    if isinstance(found, Everything):
        return part
    weight = _bounded(part.weight + sum(other.weight for other in same))
    return replace(part, selection=every((part.selection, found)), weight=weight)


def _without(part: Part, removed: Sequence[Part]) -> Part:
    same = [other for other in removed if part.of(other)]
    if not same:
        return part
    weight = _bounded(part.weight + sum(other.weight for other in same))
    gone = union([other.selection for other in same])
    return replace(part, selection=Without(part.selection, gone), weight=weight)


def _merged(parts: Iterable[Part]) -> list[Part]:
    """One part for each system and version, where it was first named."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.system, part.version), []).append(part)
    if len(groups) > LIMIT_PARTS:
        raise _too_intricate()
    merged = [_together(group) for group in groups.values()]
    return [part for part in merged if part.selection != _NONE]


def _together(parts: list[Part]) -> Part:
    """The union of parts of one system."""
    if len(parts) == 1:
        return parts[0]
    words: dict[str, str] = {}
    designations: dict[str, tuple[Designation, ...]] = {}
    for part in reversed(parts):
        words.update(part.words)
        designations.update(part.designations)
    selection = union([part.selection for part in parts])
    weight = sum(part.weight for part in parts if not isinstance(part.selection, Codes))
    return Part(
        parts[0].system, parts[0].version, selection, words, designations, _bounded(weight + 1)
    )


def _bounded(weight: int) -> int:
    if weight > LIMIT_WEIGHT:
        raise _too_intricate()
    return weight


def _too_intricate() -> Invalid:
    return Invalid(
        "terminology.too-intricate",
        f"Ce jeu de valeurs est trop compliqué (au plus {LIMIT_WEIGHT} filtres, {LIMIT_PARTS} "
        "systèmes).",
        f"This value set is too intricate (at most {LIMIT_WEIGHT} filters, {LIMIT_PARTS} systems).",
    )


def _expanded(value_set: dict[str, Any]) -> list[Part]:
    """A value set without definition is what its stored expansion lists."""
    listed = _contains(_expansion(value_set))
    return _merged(
        _own({"system": one["system"], "version": one.get("version", ""), "concept": [one]})
        for one in listed
        if one.get("code") and one.get("system") and one.get("abstract") is not True
    )


def _expansion(value_set: dict[str, Any]) -> list[dict[str, Any]]:
    stored = value_set.get("expansion")
    return objects(stored.get("contains")) if isinstance(stored, dict) else []


def _contains(entries: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for entry in entries:
        yield entry
        yield from _contains(objects(entry.get("contains")))
