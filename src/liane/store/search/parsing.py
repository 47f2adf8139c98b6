"""What does the text after the question mark ask for? (R4 section 3.1.1)"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from liane.base.errors import Invalid, Issue
from liane.fhir import definitions
from liane.store.search.model import Criterion, Include, Query, Sort

MOST_ROWS = 1000
MOST_VALUES = 500

_MODIFIERS = {
    "token": {"not", "missing", "of-type", "text"},
    "string": {"exact", "contains", "missing"},
    "reference": {"missing", "identifier"},
    "date": {"missing"},
    "number": {"missing"},
    "quantity": {"missing"},
    "uri": {"missing"},
    "composite": {"missing"},
}
_FORMATTING = {"_format", "_pretty", "_elements"}
_NOT_ANSWERED = {"_query", "_list", "_filter", "near"}
RESULT_PARAMETERS = (
    "_sort", "_count", "_total", "_summary", "_include", "_revinclude", "_has", "_cursor",
)  # fmt: skip


def split(text: str, separator: str) -> list[str]:
    """Cut at separators that no backslash guards; the guards stay for the next cut."""
    parts, current, guarded = [], "", False
    for character in text:
        if character == separator and not guarded:
            parts.append(current)
            current = ""
        else:
            current += character
        guarded = character == "\\" and not guarded
    return [*parts, current]


def unescape(text: str) -> str:
    """Take away the backslashes that guard a separator or another backslash."""
    return re.sub(r"\\([\\,|$])", r"\1", text)


def parse_query(type_: str, items: Iterable[tuple[str, str]], *, lenient: bool = False) -> Query:
    """The question that `items` ask of resources of `type_`.

    Raises `Invalid` naming what is not understood and what would be; with `lenient`, unknown
    parameters are left out and listed in `ignored`.
    """
    if type_ not in definitions.resources():
        raise _refused(f"« {type_} » n'est pas un type R4.", f"'{type_}' is not an R4 type.")
    building = _Building(type_)
    for name, value in items:
        if value == "" and name not in RESULT_PARAMETERS:
            continue
        try:
            building.take(name, value)
        except _Unknown as unknown:
            if not lenient:
                raise unknown.refusal from None
            building.ignored.append(name)
            continue
        building.used.append((name, value))
    return building.query()


class _Unknown(Exception):
    def __init__(self, refusal: Invalid) -> None:
        super().__init__(refusal.en)
        self.refusal = refusal


class _Building:
    def __init__(self, type_: str) -> None:
        self.type = type_
        self.criteria: list[Criterion] = []
        self.sort: Sort | None = None
        self.count = 50
        self.total = False
        self.only_total = False
        self.includes: list[Include] = []
        self.revincludes: list[Include] = []
        self.cursor: str | None = None
        self.used: list[tuple[str, str]] = []
        self.ignored: list[str] = []

    def query(self) -> Query:
        return Query(
            self.type,
            tuple(self.criteria),
            self.sort or Sort("at", descending=True),
            self.count,
            self.total,
            self.only_total,
            tuple(self.includes),
            tuple(self.revincludes),
            self.cursor,
            tuple(self.used),
            tuple(self.ignored),
        )

    def take(self, name: str, value: str) -> None:
        base, _, modifier = name.partition(":")
        if name in _FORMATTING:
            return
        if base == "_has":
            self.criteria.append(_has(self.type, name, value))
        elif base in ("_include", "_revinclude"):
            self._include(base, modifier, value)
        elif base in RESULT_PARAMETERS:
            self._result(name, value)
        else:
            self.criteria.append(criterion(self.type, name, value))

    def _result(self, name: str, value: str) -> None:
        if name == "_count":
            if not value.isdigit():
                raise _refused("_count doit être un nombre.", "_count must be a number.")
            self.count = min(int(value), MOST_ROWS)
            self.only_total = self.only_total or self.count == 0
        elif name == "_total":
            self.total = value == "accurate"
        elif name == "_summary" and value in ("count", "false"):
            self.only_total = self.only_total or value == "count"
        elif name == "_sort":
            self.sort = _sort(self.type, value)
        elif name == "_cursor":
            self.cursor = value
        else:
            raise _Unknown(_not_known(self.type, f"{name}={value}"))

    def _include(self, base: str, modifier: str, value: str) -> None:
        parts = value.split(":")
        if value == "*":
            parts = [self.type, "*"]
        if modifier not in ("", "iterate") or not 2 <= len(parts) <= 3:
            raise _Unknown(_not_known(self.type, f"{base}={value}"))
        source, param = parts[0], parts[1]
        known = definitions.search_parameters(source)
        if param != "*" and (param not in known or known[param].kind != "reference"):
            raise _Unknown(_not_known(source, f"{base}={value}"))
        include = Include(
            source, param, parts[2] if len(parts) == 3 else None, modifier == "iterate"
        )
        (self.includes if base == "_include" else self.revincludes).append(include)


def criterion(type_: str, name: str, value: str) -> Criterion:
    """`name=value`, its modifier and one hop of chaining understood."""
    if "." in name:
        return _chained(type_, name, value)
    param, _, modifier = name.partition(":")
    known = definitions.search_parameters(type_).get(param)
    if known is None or param in _NOT_ANSWERED or known.kind == "special":
        raise _Unknown(_not_known(type_, name))
    typed = known.kind == "reference" and modifier in definitions.resources()
    if modifier and not typed and modifier not in _MODIFIERS[known.kind]:
        raise _Unknown(_not_known(type_, name))
    values = tuple(split(value, ","))
    if len(values) > MOST_VALUES:
        raise _refused("Trop de valeurs pour un paramètre.", "Too many values for a parameter.")
    if known.kind != "composite":
        # Text has no inner separators; the others cut at | or $ first and unescape afterwards.
        values = tuple(
            unescape(v) if known.kind in ("string", "uri", "date") else v for v in values
        )
    return Criterion(param, known.kind, modifier or None, values)


def _chained(type_: str, name: str, value: str) -> Criterion:
    first, _, rest = name.partition(".")
    param, _, wanted = first.partition(":")
    known = definitions.search_parameters(type_).get(param)
    if known is None or known.kind != "reference" or "." in rest:
        raise _Unknown(_not_known(type_, name))
    targets = (wanted,) if wanted else known.targets
    asked = rest.partition(":")[0]
    fitting = tuple(t for t in targets if asked in definitions.search_parameters(t))
    if not fitting:
        raise _Unknown(_not_known(type_, name))
    inner = criterion(fitting[0], rest, value)
    return Criterion(param, "reference", None, (), inner, fitting)


def _has(type_: str, name: str, value: str) -> Criterion:
    parts = name.split(":", 3)
    if len(parts) != 4 or parts[3].startswith("_has"):
        raise _Unknown(_not_known(type_, name))
    _, source, param, rest = parts
    known = definitions.search_parameters(source).get(param)
    if known is None or known.kind != "reference":
        raise _Unknown(_not_known(source, name))
    inner = criterion(source, rest, value)
    return Criterion(param, "reference", None, (), inner, (), source)


def _sort(type_: str, value: str) -> Sort:
    first = value.split(",", maxsplit=1)[0]
    name, descending = first.lstrip("-"), first.startswith("-")
    main = definitions.resources()[type_]["at"]
    if name == "_lastUpdated":
        return Sort("updated", descending)
    if name == "_id":
        return Sort("id", descending)
    if main and name == main[0]:
        return Sort("at", descending)
    accepted = ", ".join(["_lastUpdated", "_id", *main[:1]])
    raise _Unknown(
        _refused(
            f"Tri par « {name} » impossible pour {type_}. Tris possibles : {accepted}.",
            f"{type_} cannot be sorted by '{name}'. Possible: {accepted}.",
        )
    )


def _not_known(type_: str, name: str) -> Invalid:
    accepted = sorted(set(definitions.search_parameters(type_)) - _NOT_ANSWERED)
    listed = ", ".join([*accepted, *RESULT_PARAMETERS])
    return _refused(
        f"Le paramètre « {name[:80]} » n'est pas compris pour {type_}. Acceptés : {listed}.",
        f"The parameter '{name[:80]}' is not understood for {type_}. Accepted: {listed}.",
        names=[name],
    )


def _refused(fr: str, en: str, names: Sequence[str] = ()) -> Invalid:
    issue = Issue("error", "not-supported", ",".join(names), fr, en)
    return Invalid("search.not-understood", fr, en, issues=(issue,))


def refused(fr: str, en: str) -> Invalid:
    """A value that cannot be searched for."""
    return _refused(fr, en)
