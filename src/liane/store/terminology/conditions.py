"""How does a selection become a condition on `terminology.concept c`?

Values only ever travel as arguments; names that vary are chosen here.
"""

from __future__ import annotations

from typing import Any

from liane.store.terminology import selections
from liane.store.terminology.asking import pattern_of, unsupported
from liane.store.terminology.concepts import Header
from liane.store.terminology.selections import Filter, Selection

_COLUMNS = {"display": "c.display", "definition": "c.definition"}
_TRUTH = {"inactive": "c.inactive", "abstract": "c.abstract", "notSelectable": "c.abstract"}
_HIERARCHICAL = frozenset({"is-a", "descendent-of", "is-not-a", "generalizes"})


class Arguments:
    """The arguments of one statement, numbered as they are added."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any, cast: str) -> str:
        """The placeholder for `value`, with its PostgreSQL type."""
        self.values.append(value)
        return f"${len(self.values)}::{cast}"


class Conditions:
    """The conditions of one statement about one system."""

    def __init__(self, arguments: Arguments, tenant: int, system: int, header: Header) -> None:
        self._a = arguments
        self._header = header
        self.tenant = arguments.add(tenant, "smallint")
        self.system = arguments.add(system, "int")
        self.regexes: list[str] = []
        """Patterns in the statement: it must run under a limit of time."""

    def test(self, selection: Selection) -> str:
        """A condition that is true for the selected rows of `c`."""
        match selection:
            case selections.Everything():
                return "true"
            case selections.Codes(codes):
                return f"c.key = any({self._keys(codes)})"
            case selections.All(parts):
                return "(" + " and ".join(self.test(part) for part in parts) + ")"
            case selections.Any(parts):
                return "(" + (" or ".join(self.test(part) for part in parts) or "false") + ")"
            case selections.Without(kept, removed):
                return f"({self.test(kept)} and not {self.test(removed)})"
            case Filter():
                return f"({self._filter(selection)})"

    def _keys(self, codes: tuple[str, ...] | list[str]) -> str:
        return self._a.add([self._header.key(code) for code in codes], "text[]")

    def _filter(self, asked: Filter) -> str:
        if asked.op in _HIERARCHICAL:
            return self._hierarchical(asked)
        if asked.op not in ("=", "in", "not-in", "exists", "regex"):
            raise unsupported(asked)
        if asked.property in ("concept", "code"):
            return self._of_code(asked)
        if asked.property in _COLUMNS:
            return self._of_column(asked, _COLUMNS[asked.property])
        if asked.property in _TRUTH:
            wanted = "true" in asked.value.split(",")
            no = "" if wanted is (asked.op != "not-in") else "not "
            return "true" if asked.op == "exists" else f"{no}{_TRUTH[asked.property]}"
        if asked.property in ("parent", "child"):
            return self._of_neighbour(asked)
        return self._of_property(asked)

    def _hierarchical(self, asked: Filter) -> str:
        if asked.property not in ("concept", "code"):
            raise unsupported(asked)
        where = f"tenant = {self.tenant} and system = {self.system}"
        key = self._a.add(self._header.key(asked.value), "text")
        id_ = f"(select id from terminology.concept where {where} and key = {key})"  # noqa: S608
        if asked.op == "generalizes":
            above = f"select ancestor from terminology.closure where {where} and descendant = {id_}"  # noqa: S608
            return f"c.key = {key} or c.id in ({above})"
        below = f"select descendant from terminology.closure where {where} and ancestor = {id_}"  # noqa: S608
        if asked.op == "descendent-of":
            return f"c.id in ({below})"
        inside = f"c.key = {key} or c.id in ({below})"
        return f"not ({inside})" if asked.op == "is-not-a" else inside

    def _of_code(self, asked: Filter) -> str:
        if asked.op == "exists":
            return "true" if asked.value == "true" else "false"
        if asked.op == "regex":
            return f"c.code ~ {self._pattern(asked.value)}"
        no = "not " if asked.op == "not-in" else ""
        return f"{no}c.key = any({self._keys(_values(asked))})"

    def _of_column(self, asked: Filter, column: str) -> str:
        if asked.op == "exists":
            return f"{column} {'<>' if asked.value == 'true' else '='} ''"
        if asked.op == "regex":
            return f"{column} ~ {self._pattern(asked.value)}"
        no = "not " if asked.op == "not-in" else ""
        return f"{no}{column} = any({self._a.add(_values(asked), 'text[]')})"

    def _of_neighbour(self, asked: Filter) -> str:
        mine, other = ("descendant", "ancestor") if asked.property == "parent" else (
            "ancestor", "descendant")  # fmt: skip
        rows = (
            f"select k.{mine} from terminology.closure k where k.tenant = {self.tenant} "  # noqa: S608
            f"and k.system = {self.system} and k.direct"
        )
        if asked.op == "exists":
            return f"{'' if asked.value == 'true' else 'not '}c.id in ({rows})"
        if asked.op == "regex":
            raise unsupported(asked)
        ids = (
            f"select n.id from terminology.concept n where n.tenant = {self.tenant} "  # noqa: S608
            f"and n.system = {self.system} and n.key = any({self._keys(_values(asked))})"
        )
        no = "not " if asked.op == "not-in" else ""
        return f"{no}c.id in ({rows} and k.{other} in ({ids}))"

    def _of_property(self, asked: Filter) -> str:
        rows = (
            f"select p.concept from terminology.property p where p.tenant = {self.tenant} "  # noqa: S608
            f"and p.system = {self.system} and p.name = {self._a.add(asked.property, 'text')}"
        )
        if asked.op == "exists":
            return f"{'' if asked.value == 'true' else 'not '}c.id in ({rows})"
        if asked.op == "regex":
            return f"c.id in ({rows} and p.value ~ {self._pattern(asked.value)})"
        values = _values(asked)
        short = self._a.add([value[:200] for value in values], "text[]")
        no = "not " if asked.op == "not-in" else ""
        same = f"p.short = any({short}) and p.value = any({self._a.add(values, 'text[]')})"
        return f"{no}c.id in ({rows} and {same})"

    def _pattern(self, text: str) -> str:
        self.regexes.append(text)
        return self._a.add(pattern_of(text), "text")


def _values(asked: Filter) -> list[str]:
    return [asked.value] if asked.op == "=" else [v.strip() for v in asked.value.split(",")]
