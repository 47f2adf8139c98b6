"""What does the text after the question mark ask for? (R4 section 3.1.1)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from liane.fhir import definitions
from liane.store.search import known
from liane.store.search.criteria import criterion
from liane.store.search.filtering import parse_filter
from liane.store.search.model import Include, Node, Query, Sort
from liane.store.search.refusals import Unknown, refused, unknown, wrong_value
from liane.store.search.separators import escape, split, unescape

__all__ = ["escape", "parse_query", "parse_system_query", "refused", "split", "unescape"]

MOST_ROWS = 1000
MOST_SORTS = 6
MOST_CRITERIA = 50
"""More conditions at once would keep the database planning for minutes."""
_SUMMARIES = frozenset({"true", "text", "data", "count", "false"})
_TOTALS = frozenset({"none", "estimate", "accurate"})
_ELSEWHERE = frozenset({"_format", "_pretty", "_elements", "_contained", "_containedType"})
"""Understood by those who write the answer."""


def parse_query(
    type_: str,
    items: Iterable[tuple[str, str]],
    *,
    lenient: bool = False,
    tenant: int | None = None,
) -> Query:
    """The question that `items` ask of resources of `type_`.

    Raises `Invalid` naming what is not understood and what would be; with `lenient`, unknown
    parameters are left out and listed in `ignored`. With `tenant`, the parameters that this
    establishment made itself are understood too.
    """
    if type_ not in definitions.resources():
        raise refused(f"« {type_} » n'est pas un type R4.", f"'{type_}' is not an R4 type.")
    return _parsed((type_,), items, lenient=lenient, tenant=tenant)


def parse_system_query(
    items: Iterable[tuple[str, str]],
    *,
    types: Sequence[str] = (),
    lenient: bool = False,
    tenant: int | None = None,
) -> Query:
    """The question that `items` ask of several types: those of `_type`, else `types`, else all.

    Only parameters that every one of them has can be asked.
    """
    rest, asked = [], list[str]()
    for name, value in items:
        if name == "_type":
            asked += [one for one in value.split(",") if one]
        else:
            rest.append((name, value))
    for one in asked:
        if one not in definitions.resources():
            raise wrong_value("_type", one, "types de ressource R4", "R4 resource types")
        if types and one not in types:
            raise wrong_value("_type", one, ", ".join(types), ", ".join(types))
    wanted = tuple(dict.fromkeys(asked)) or tuple(types) or definitions.types()
    query = _parsed(wanted, rest, lenient=lenient, tenant=tenant)
    return replace(query, type="", types=wanted)


def _parsed(
    types: tuple[str, ...], items: Iterable[tuple[str, str]], *, lenient: bool, tenant: int | None
) -> Query:
    building = _Building(types, tenant)
    for name, value in items:
        try:
            if value == "" and name not in known.RESULT_PARAMETERS:
                continue
            building.take(name, value)
        except Unknown as problem:
            if not lenient:
                raise problem.refusal from None
            building.ignored.append(name)
            continue
        building.used.append((name, value))
    return building.query()


class _Building:
    def __init__(self, types: tuple[str, ...], tenant: int | None) -> None:
        self.types = types
        self.type = types[0]
        self.tenant = tenant
        self.criteria: dict[str, list[Node]] = {type_: [] for type_ in types}
        self.sorts: list[Sort] = []
        self.count = 50
        self.total: str | None = None
        self.only_total = False
        self.includes: list[Include] = []
        self.revincludes: list[Include] = []
        self.cursor: str | None = None
        self.used: list[tuple[str, str]] = []
        self.ignored: list[str] = []

    def query(self) -> Query:
        several = len(self.types) > 1
        usual = Sort("updated", descending=True) if several else Sort("at", descending=True)
        first, *more = self.sorts or [usual]
        return Query(
            self.type,
            tuple(self.criteria[self.type]),
            first,
            self.count,
            self.total in ("accurate", "estimate"),
            self.only_total,
            tuple(self.includes),
            tuple(self.revincludes),
            self.cursor,
            tuple(self.used),
            tuple(self.ignored),
            tuple(more),
            self.total == "estimate",
            by_type={type_: tuple(nodes) for type_, nodes in self.criteria.items()},
        )

    def take(self, name: str, value: str) -> None:
        base, _, modifier = name.partition(":")
        if base in ("_include", "_revinclude"):
            self._include(base, modifier, value)
        elif base in known.RESULT_PARAMETERS:
            if modifier:
                raise unknown(self.type, name, known.RESULT_PARAMETERS)
            self._result(base, value)
        else:
            self._criterion(name, value)

    def _criterion(self, name: str, value: str) -> None:
        """In a search over several types each of them must understand it."""
        if len(self.criteria[self.type]) == MOST_CRITERIA:
            raise refused(
                f"Pas plus de {MOST_CRITERIA} critères dans une recherche.",
                f"No more than {MOST_CRITERIA} criteria in one search.",
                [name[:80]],
            )
        found = [
            parse_filter(type_, value, self.tenant)
            if name == "_filter"
            else criterion(type_, name, value, self.tenant)
            for type_ in self.types
        ]
        for type_, node in zip(self.types, found, strict=True):
            self.criteria[type_].append(node)

    def _result(self, name: str, value: str) -> None:
        if name == "_count":
            if not (value.isascii() and value.isdigit() and len(value) < 10):
                raise wrong_value("_count", value, "un nombre entier", "a whole number")
            self.count = min(int(value), MOST_ROWS)
            self.only_total = self.only_total or self.count == 0
        elif name == "_total":
            if value not in _TOTALS:
                raise wrong_value("_total", value, *_both(_TOTALS))
            self.total = value
        elif name == "_summary":
            if value not in _SUMMARIES:
                raise wrong_value("_summary", value, *_both(_SUMMARIES))
            self.only_total = self.only_total or value == "count"
        elif name == "_sort":
            self.sorts = _sorts(self.types, value, self.tenant)
        elif name == "_cursor":
            self.cursor = value
        elif name in ("_contained", "_containedType") and value not in ("false", "container"):
            raise unknown(self.type, f"{name}={value}", ["_contained=false"])

    def _include(self, base: str, modifier: str, value: str) -> None:
        parts = value.split(":")
        if value == "*":
            parts = [self.type if base == "_include" else "*", "*"]
        if modifier not in ("", "iterate", "recurse") or not 2 <= len(parts) <= 3:
            raise unknown(self.type, f"{base}:{modifier}={value}", ["_include:iterate=Type:param"])
        source, param = parts[0], parts[1]
        if source != "*" and source not in definitions.resources():
            raise unknown(base, value, definitions.types())
        pointers = known.parameters(source, self.tenant)
        references = [one.name for one in pointers.values() if one.kind == "reference"]
        if param != "*" and param not in references:
            raise unknown(f"{base} {source}", param, references)
        target = parts[2] if len(parts) == 3 and parts[2] else None
        if target is not None and target not in definitions.resources():
            raise unknown(base, target, definitions.types())
        include = Include(source, param, target, bool(modifier))
        (self.includes if base == "_include" else self.revincludes).append(include)


def _both(words: Iterable[str]) -> tuple[str, str]:
    listed = ", ".join(sorted(words))
    return listed, listed


def _sorts(types: tuple[str, ...], value: str, tenant: int | None) -> list[Sort]:
    parts = [part for part in value.split(",") if part]
    if len(parts) > MOST_SORTS:
        raise wrong_value("_sort", value, f"au plus {MOST_SORTS} noms", f"{MOST_SORTS} at most")
    return [_sort(types, part, tenant) for part in parts]


def _sort(types: tuple[str, ...], part: str, tenant: int | None) -> Sort:
    name, descending = part.removeprefix("-"), part.startswith("-")
    if name == "_lastUpdated":
        return Sort("updated", descending, asked=True)
    if name == "_id":
        return Sort("id", descending, asked=True)
    if len(types) == 1 and definitions.resources()[types[0]]["at"][:1] == [name]:
        return Sort("at", descending, asked=True)
    for type_ in types:
        found = known.parameter(type_, name, tenant)
        if found is None or found.kind in ("composite", "special") or not found.places:
            able = [
                one.name
                for one in known.parameters(type_, tenant).values()
                if one.kind not in ("composite", "special") and one.places
            ]
            raise unknown(f"_sort {type_}", name, [*able, "_lastUpdated", "_id"])
    return Sort("param", descending, name, asked=True)
