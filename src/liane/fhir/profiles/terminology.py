"""Which codes belong to a value set, as far as the definitions at hand can tell?

Value sets are expanded when somebody first asks, from the R4 definitions and the loaded packages.
A part that points to a code system whose content is not at hand (SNOMED CT, LOINC) stays open: for
its codes the answer is `None`, and whoever has the system loaded is asked.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from liane.fhir.definitions import DATA
from liane.fhir.profiles.structures import without_version

Json = Mapping[str, Any]

_LIMIT_CODES = 50_000
_LIMIT_DEPTH = 12
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_MIME = re.compile(r"\S+(\s*;.*)?")
_GRAMMARS = {"urn:ietf:bcp:47": _LANGUAGE, "urn:ietf:bcp:13": _MIME}
"""Code systems that are a grammar rather than a list."""


class System(msgspec.Struct, frozen=True):
    """The codes of one code system and their hierarchy."""

    complete: bool
    parents: dict[str, str | None]
    """Each code with the one above it."""

    def under(self, top: str, *, itself: bool) -> Iterator[str]:
        """The codes below `top`."""
        for code in self.parents:
            place: str | None = code if itself else self.parents[code]
            for _ in range(64):
                if place is None or place == top:
                    break
                place = self.parents.get(place)
            if place == top:
                yield code


class Codes:
    """An expanded value set: the codes of each system, and the systems that stay open."""

    def __init__(self) -> None:
        self.listed: dict[str, set[str]] = {}
        self.open: set[str] = set()
        self.unknown = False
        """Whether a part could not be read at all, so that no code can be excluded."""

    @property
    def single(self) -> frozenset[str] | None:
        """All codes, when every system is listed: what a `code` element may hold."""
        if self.open or self.unknown:
            return None
        return frozenset().union(*self.listed.values())

    def has(self, system: str | None, code: str) -> bool | None:
        """Whether the code belongs; None when it cannot be told from what is at hand."""
        if system is None:
            if any(code in codes for codes in self.listed.values()):
                return True
            grammars = [_GRAMMARS[one] for one in self.open if one in _GRAMMARS]
            if grammars and len(grammars) == len(self.open) and not self.unknown:
                return any(grammar.fullmatch(code) for grammar in grammars)
            return None if self.open or self.unknown else False
        if code in self.listed.get(system, ()):
            return True
        if system in _GRAMMARS and system in self.open:
            return bool(_GRAMMARS[system].fullmatch(code))
        return None if system in self.open or self.unknown else False


class Terminology:
    """Value sets and code systems by canonical URL, `below` being asked for what is not here."""

    def __init__(
        self,
        value_sets: Mapping[str, Json],
        systems: Mapping[str, System],
        below: Terminology | None = None,
    ) -> None:
        self._value_sets = value_sets
        self._systems = systems
        self._below = below
        self._expanded: dict[str, Codes | None] = {}

    def system(self, url: str) -> System | None:
        """A code system whose codes are at hand."""
        found = self._systems.get(url)
        if found is None and self._below is not None:
            return self._below.system(url)
        return found

    def codes(self, url: str) -> Codes | None:
        """The expansion of a value set; None when the set is not known."""
        if url not in self._expanded:
            self._expanded[url] = self._expand(without_version(url), 0)
        return self._expanded[url]

    def member(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a code belongs to a value set, for `memberOf()` in FHIRPath."""
        codes = self.codes(value_set)
        return None if codes is None else codes.has(system or None, code)

    def _definition(self, url: str) -> Json | None:
        found = self._value_sets.get(url)
        if found is None and self._below is not None:
            return self._below._definition(url)  # noqa: SLF001 - the same class
        return found

    def _expand(self, url: str, depth: int) -> Codes | None:
        definition = self._definition(url)
        if definition is None or depth > _LIMIT_DEPTH:
            return None
        return self.expand(definition, depth)

    def expand(self, definition: Json, depth: int = 0) -> Codes:
        """The codes of a value set given by its definition (`compose` or `expansion`)."""
        codes = Codes()
        compose = definition.get("compose")
        if compose is None:
            for contained in definition.get("expansion", {}).get("contains", []):
                _add(codes, contained.get("system", ""), [contained.get("code", "")])
            codes.unknown = not codes.listed
            return codes
        for include in compose.get("include", []):
            self._include(include, codes, depth)
        for exclude in compose.get("exclude", []):
            taken = Codes()
            self._include(exclude, taken, depth)
            for system, members in taken.listed.items():
                if system in codes.listed:
                    codes.listed[system] -= members
        return codes

    def _include(self, include: Json, codes: Codes, depth: int) -> None:
        nested = [
            self._expand(without_version(url), depth + 1) for url in include.get("valueSet", [])
        ]
        url = include.get("system")
        if url is None:
            _meet(nested, codes)
            return
        listed = [concept["code"] for concept in include.get("concept", [])]
        system = self.system(url)
        if listed:
            members: set[str] | None = set(listed)
        elif system is None or not system.complete:
            members = None
        else:
            members = set(system.parents)
            for one in include.get("filter", []):
                members = _filtered(system, members, one)
                if members is None:
                    break
        if members is None:
            codes.open.add(url)
            return
        for other in nested:
            if other is None or other.unknown or url in other.open:
                codes.open.add(url)
                return
            members &= other.listed.get(url, set())
        _add(codes, url, members)


def _meet(nested: list[Codes | None], codes: Codes) -> None:
    """A set made of other sets: a code belongs when it is in all of them."""
    if not nested or any(one is None for one in nested):
        codes.unknown = True
        return
    first, *others = [one for one in nested if one is not None]
    if not others:
        for system, members in first.listed.items():
            _add(codes, system, members)
        codes.open |= first.open
        codes.unknown |= first.unknown
        return
    for system, members in first.listed.items():
        kept = {code for code in members if all(one.has(system, code) for one in others)}
        _add(codes, system, kept)
    codes.unknown |= bool(first.open)


def _add(codes: Codes, system: str, members: Any) -> None:
    held = codes.listed.setdefault(system, set())
    held.update(members)
    if len(held) > _LIMIT_CODES:
        del codes.listed[system]
        codes.open.add(system)


def _filtered(system: System, members: set[str], one: Json) -> set[str] | None:
    operator, value = one.get("op"), str(one.get("value", ""))
    if one.get("property") not in ("concept", "code"):
        return None
    if operator == "is-a":
        return members & set(system.under(value, itself=True))
    if operator == "descendent-of":
        return members & set(system.under(value, itself=False))
    if operator == "is-not-a":
        return members - set(system.under(value, itself=True))
    if operator == "=":
        return members & {value}
    if operator == "in":
        return members & {code.strip() for code in value.split(",")}
    return None


def system_of(definition: Json) -> System:
    """A CodeSystem resource as its codes."""
    parents: dict[str, str | None] = {}

    def gather(concepts: list[Json], parent: str | None) -> None:
        for concept in concepts:
            parents[concept["code"]] = parent
            gather(concept.get("concept", []), concept["code"])

    gather(definition.get("concept", []), None)
    return System(definition.get("content") == "complete", parents)


class _BuiltInSystems(dict[str, System]):
    """The code systems of R4, each unpacked when first asked for."""

    def __init__(self, table: Mapping[str, list[Any]]) -> None:
        super().__init__()
        self._table = table

    def get(self, url: str, default: Any = None) -> Any:
        if url not in self and url in self._table:
            complete, codes, places = self._table[url]
            self[url] = System(
                complete,
                {
                    code: codes[place] if place >= 0 else None
                    for code, place in zip(codes, places, strict=True)
                },
            )
        return super().get(url, default)


@cache
def built_in() -> Terminology:
    """The value sets and code systems of R4."""
    return Terminology(
        _read("value_set_definitions.msgpack.xz"),
        _BuiltInSystems(_read("code_systems.msgpack.xz")),
    )


def _read(name: str) -> Any:
    return msgspec.msgpack.decode(lzma.decompress((DATA / name).read_bytes()))
