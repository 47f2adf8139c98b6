"""What is a code called in another system? (R4 conceptmap-operation-translate)"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liane.store.database import Tx
from liane.store.sql import queries
from liane.store.terminology import builtin
from liane.store.terminology.mapping import Line, Unmapped, lines_of, scope_of, unmapped_of

Q = queries("liane.store.terminology", "translating.sql")
NOT_MATCHING = frozenset({"unmatched", "disjoint"})
_REVERSED = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}  # fmt: skip  # noqa: E501


@dataclass(frozen=True, slots=True)
class Match:
    """One line of a map that answers."""

    equivalence: str
    system: str
    code: str
    display: str
    comment: str
    map: str
    """Canonical address of the map."""
    products: tuple[dict[str, Any], ...] = ()
    depends: tuple[dict[str, Any], ...] = ()

    @property
    def matching(self) -> bool:
        """Whether the target means something of the source."""
        return self.equivalence not in NOT_MATCHING and bool(self.code)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a translation is asked."""

    code: str
    system: str = ""
    source: str = ""
    """Value set the code comes from."""
    target: str = ""
    """Value set the answer should come from."""
    target_system: str = ""
    reverse: bool = False


async def translate(
    tx: Tx, wanted: Wanted, *, map_url: str = "", map_version: str = "", inline: Any = None
) -> list[Match] | None:
    """The matches of a code, by one map or by all that fit; None when there is no such map."""
    if inline is not None:
        return _by_resource(inline, wanted)
    maps = await tx.fetch(Q.maps, tx.tenant, map_url, map_version)
    chosen = [row for row in maps if map_url or _fits(row["source"], row["target"], wanted)]
    if map_url:
        chosen = chosen[:1]
    found = await _by_tables(tx, chosen, wanted) if chosen else []
    known = _builtin_maps(map_url, wanted) if not (map_url and chosen) else []
    for resource in known:
        found += _by_resource(resource, wanted)
    return found if chosen or known else None


async def _by_tables(tx: Tx, maps: Sequence[Any], wanted: Wanted) -> list[Match]:
    ids = [row["id"] for row in maps]
    urls = {row["id"]: row["url"] for row in maps}
    query = Q.lines_to if wanted.reverse else Q.lines_from
    rows = await tx.fetch(query, tx.tenant, ids, wanted.code, wanted.system)
    found: list[Match] = []
    for row in rows:
        line = Line(
            row["source_system"], row["source_code"], row["target_system"], row["target_code"],
            row["target_display"], row["equivalence"], row["comment"],
            tuple(json.loads(row["depends"])), tuple(json.loads(row["products"])),
        )  # fmt: skip
        found += _matched(line, wanted, urls[row["map"]])
    if wanted.reverse:
        return found
    for row in maps:
        rest = [Unmapped(*one) for one in json.loads(row["unmapped"])]
        named = {one["source_system"] for one in rows if one["map"] == row["id"]}
        found += _rest(rest, wanted, named, row["url"])
    return found


def _by_resource(resource: dict[str, Any], wanted: Wanted) -> list[Match]:
    url = str(resource.get("url", ""))
    found: list[Match] = []
    named: set[str] = set()
    for line in lines_of(resource):
        system, code = line.source_system, line.source_code
        if wanted.reverse:
            system, code = line.target_system, line.target_code
        if code == wanted.code and (not wanted.system or not system or system == wanted.system):
            named.add(line.source_system)
            found += _matched(line, wanted, url)
    if not wanted.reverse:
        found += _rest(unmapped_of(resource), wanted, named, url)
    return found


def _matched(line: Line, wanted: Wanted, url: str) -> list[Match]:
    system, code, display = line.target_system, line.target_code, line.target_display
    equivalence = line.equivalence
    if wanted.reverse:
        system, code, display = line.source_system, line.source_code, ""
        equivalence = _REVERSED.get(equivalence, equivalence)
    if wanted.target_system and system != wanted.target_system:
        return []
    return [
        Match(equivalence, system, code, display, line.comment, url, line.products, line.depends)
    ]


def _rest(rest: Sequence[Unmapped], wanted: Wanted, named: set[str], url: str) -> list[Match]:
    """What a group says of a code that none of its lines names."""
    found: list[Match] = []
    for one in rest:
        if one.source_system in named:
            continue
        if wanted.system and one.source_system and one.source_system != wanted.system:
            continue
        if wanted.target_system and one.target_system != wanted.target_system:
            continue
        if one.mode == "provided":
            found.append(Match("equal", one.target_system, wanted.code, "", "", url))
        elif one.mode == "fixed":
            found.append(Match("inexact", one.target_system, one.code, one.display, "", url))
    return found


def _fits(source: str, target: str, wanted: Wanted) -> bool:
    if wanted.reverse:
        source, target = target, source
    return (not wanted.source or source == wanted.source) and (
        not wanted.target or target == wanted.target
    )


def _builtin_maps(url: str, wanted: Wanted) -> list[dict[str, Any]]:
    addresses = [url] if url else list(builtin.urls("ConceptMap"))
    found = [builtin.resource("ConceptMap", address) for address in addresses]
    return [
        resource
        for resource in found
        if resource is not None
        and (url or _fits(scope_of(resource, "source"), scope_of(resource, "target"), wanted))
    ]
