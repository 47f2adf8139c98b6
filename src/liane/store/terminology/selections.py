"""Which codes of one system does a value set name, as an expression?

A value set is a set of (system, code) pairs made by union, intersection and difference, so it can
be taken apart system by system; these are the expressions that remain for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Everything:
    """Every code of the system."""


@dataclass(frozen=True)
class Codes:
    """The codes listed."""

    codes: tuple[str, ...]

    @cached_property
    def known(self) -> frozenset[str]:
        """The same, to look one up in."""
        return frozenset(self.codes)


@dataclass(frozen=True, slots=True)
class Filter:
    """The codes that a statement holds for (ValueSet.compose.include.filter)."""

    property: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class All:
    """The codes in all parts."""

    parts: tuple[Selection, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """The codes in at least one part; none when there is no part."""

    parts: tuple[Selection, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """The codes in the first that are not in the second."""

    kept: Selection
    removed: Selection


Selection = Everything | Codes | Filter | All | Any | Without


def every(parts: Iterable[Selection]) -> Selection:
    """The intersection, as simple as possible."""
    rest = tuple(part for part in parts if not isinstance(part, Everything))
    return Everything() if not rest else rest[0] if len(rest) == 1 else All(rest)


def union(parts: Iterable[Selection]) -> Selection:
    """The union, as simple as possible; lists of codes become one list."""
    found = list(parts)
    if any(isinstance(part, Everything) for part in found):
        return Everything()
    listed = [code for part in found if isinstance(part, Codes) for code in part.codes]
    rest: list[Selection] = [part for part in found if not isinstance(part, Codes)]
    if listed:
        rest.insert(0, Codes(tuple(dict.fromkeys(listed))))
    return rest[0] if len(rest) == 1 else Any(tuple(rest))


def lists_only(selection: Selection) -> bool:
    """Whether it can be decided without knowing the code system."""
    match selection:
        case Codes():
            return True
        case Everything() | Filter():
            return False
        case All(parts):
            return any(lists_only(part) for part in parts) and all(map(_decidable, parts))
        case Any(parts):
            return all(lists_only(part) for part in parts)
        case Without(kept, removed):
            return lists_only(kept) and _decidable(removed)


def _decidable(selection: Selection) -> bool:
    return isinstance(selection, Everything) or lists_only(selection)


def holds(selection: Selection, code: str) -> bool:
    """Whether `code` is selected, for a system that is not known: no filter holds."""
    match selection:
        case Everything():
            return True
        case Codes():
            return code in selection.known
        case Filter():
            return False
        case All(parts):
            return all(holds(part, code) for part in parts)
        case Any(parts):
            return any(holds(part, code) for part in parts)
        case Without(kept, removed):
            return holds(kept, code) and not holds(removed, code)


def listed(selection: Selection) -> list[str]:
    """The codes named one by one anywhere in what is kept, in their order."""
    match selection:
        case Codes(codes):
            return list(codes)
        case All(parts) | Any(parts):
            return list(dict.fromkeys(code for part in parts for code in listed(part)))
        case Without(kept, _):
            return listed(kept)
        case _:
            return []
