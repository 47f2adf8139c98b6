"""How does a selection become SQL over the numbers of concepts?

Every statement of a selection is a set of concept numbers read from an index; values only ever
travel as arguments, and names that vary are chosen here.
"""

from __future__ import annotations

from typing import Any

from liane.store.terminology import selections
from liane.store.terminology.asking import pattern_of, unsupported
from liane.store.terminology.concepts import Header, after
from liane.store.terminology.selections import Filter, Selection

_COLUMNS = frozenset({"display", "definition"})
_TRUTH = {"inactive": "inactive", "abstract": "abstract", "notSelectable": "abstract"}
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

    def __init__(self, tenant: int, system: int, header: Header) -> None:
        self.arguments = Arguments()
        self._header = header
        tenant_, system_ = self.arguments.add(tenant, "smallint"), self.arguments.add(system, "int")
        self.here = f"tenant = {tenant_} and system = {system_}"
        """The rows of this system, in any of the tables."""
        self.regexes: list[str] = []
        """Patterns in the statement: it must run under a limit of time."""

    def test(self, selection: Selection, id_: str) -> str:
        """A condition that is true when the concept numbered `id_` is selected."""
        match selection:
            case selections.Everything():
                return "true"
            case selections.All(parts):
                return "(" + " and ".join(self.test(part, id_) for part in parts) + ")"
            case selections.Any(parts):
                tests = " or ".join(self.test(part, id_) for part in parts)
                return f"({tests or 'false'})"
            case selections.Without(kept, removed):
                return f"({self.test(kept, id_)} and not {self.test(removed, id_)})"
            case _:
                return f"({id_} in ({self._ids(selection)}))"

    def ids(self, selection: Selection) -> str:
        """A query for the numbers (`id`) of all selected concepts."""
        match selection:
            case selections.All((first, *rest)):
                others = self.test(selections.every(rest), "d.id")
                return f"select d.id from ({self.ids(first)}) d where {others}"  # noqa: S608
            case selections.Without(kept, removed):
                gone = self.test(removed, "d.id")
                return f"select d.id from ({self.ids(kept)}) d where not {gone}"  # noqa: S608
            case selections.Any(parts) if parts:
                return " union ".join(f"({self.ids(part)})" for part in parts)
            case selections.Any():
                return "select 0 as id where false"
            case selections.Everything():
                return self._concepts("true")
            case _:
                return self._ids(selection)

    def words(self, asked: list[str]) -> str:
        """A condition on `terminology.word w`: it is the first word, and the others are there."""
        first, *rest = (self._begins(word) for word in sorted(asked, key=len, reverse=True))
        table = f"select concept from terminology.word w where {self.here}"  # noqa: S608
        others = [f"w.concept in ({table} and {one})" for one in rest]
        return " and ".join([first, *others])

    def _begins(self, word: str) -> str:
        low, high = self.arguments.add(word, "text"), self.arguments.add(after(word), "text")
        return f"w.word >= {low} and w.word < {high}"

    def keys(self, codes: tuple[str, ...] | list[str]) -> str:
        """An argument: these codes as they are compared."""
        return self.arguments.add([self._header.key(code) for code in codes], "text[]")

    def _concepts(self, test: str) -> str:
        return f"select id from terminology.concept where {self.here} and {test}"  # noqa: S608

    def _ids(self, selection: Selection) -> str:
        """The numbers that one statement selects."""
        if isinstance(selection, selections.Codes):
            return self._concepts(f"key = any({self.keys(selection.codes)})")
        assert isinstance(selection, Filter)
        asked = selection
        if asked.op in _HIERARCHICAL:
            return self._hierarchical(asked)
        if asked.op not in ("=", "in", "not-in", "exists", "regex"):
            raise unsupported(asked)
        if asked.op == "not-in":
            inside = Filter(asked.property, "in", asked.value)
            return self._concepts(f"id not in ({self._ids(inside)})")
        if asked.op == "exists" and asked.value != "true":
            there = Filter(asked.property, "exists", "true")
            return self._concepts(f"id not in ({self._ids(there)})")
        return self._plain(asked)

    def _plain(self, asked: Filter) -> str:
        """`=`, `in`, `regex`, and `exists` true."""
        if asked.property in ("concept", "code"):
            return self._concepts(self._of_code(asked))
        if asked.property in _COLUMNS:
            return self._concepts(self._of_column(asked))
        if asked.property in _TRUTH:
            truth = "true" in asked.value.split(",") or asked.op == "exists"
            every = asked.op == "exists" or {"true", "false"} <= set(asked.value.split(","))
            column = _TRUTH[asked.property]
            return self._concepts("true" if every else f"{'' if truth else 'not '}{column}")
        if asked.property in ("parent", "child"):
            return self._of_neighbour(asked)
        return self._of_property(asked)

    def _hierarchical(self, asked: Filter) -> str:
        if asked.property not in ("concept", "code"):
            raise unsupported(asked)
        if asked.op == "is-not-a":
            inside = Filter(asked.property, "is-a", asked.value)
            return self._concepts(f"id not in ({self._hierarchical(inside)})")
        key = self.arguments.add(self._header.key(asked.value), "text")
        itself = self._concepts(f"key = {key}")
        given, wanted = ("ancestor", "descendant") if asked.op != "generalizes" else (
            "descendant", "ancestor")  # fmt: skip
        line = (
            f"select {wanted} as id from terminology.closure "  # noqa: S608
            f"where {self.here} and {given} = ({itself})"
        )
        return line if asked.op == "descendent-of" else f"{itself} union all {line}"

    def _of_code(self, asked: Filter) -> str:
        if asked.op == "exists":
            return "true"
        if asked.op == "regex":
            return f"code ~ {self._pattern(asked.value)}"
        return f"key = any({self.keys(_values(asked))})"

    def _of_column(self, asked: Filter) -> str:
        if asked.op == "exists":
            return f"{asked.property} <> ''"
        if asked.op == "regex":
            return f"{asked.property} ~ {self._pattern(asked.value)}"
        return f"{asked.property} = any({self.arguments.add(_values(asked), 'text[]')})"

    def _of_neighbour(self, asked: Filter) -> str:
        mine, other = ("descendant", "ancestor") if asked.property == "parent" else (
            "ancestor", "descendant")  # fmt: skip
        rows = f"select {mine} as id from terminology.closure where {self.here} and direct"  # noqa: S608
        if asked.op == "exists":
            return rows
        if asked.op == "regex":
            raise unsupported(asked)
        ids = self._concepts(f"key = any({self.keys(_values(asked))})")
        return f"{rows} and {other} in ({ids})"

    def _of_property(self, asked: Filter) -> str:
        name = self.arguments.add(asked.property, "text")
        rows = f"select concept as id from terminology.property where {self.here} and name = {name}"  # noqa: S608
        if asked.op == "exists":
            return rows
        if asked.op == "regex":
            return f"{rows} and value ~ {self._pattern(asked.value)}"
        values = _values(asked)
        short = self.arguments.add([value[:200] for value in values], "text[]")
        long_ = self.arguments.add(values, "text[]")
        return f"{rows} and short = any({short}) and value = any({long_})"

    def _pattern(self, text: str) -> str:
        self.regexes.append(text)
        return self.arguments.add(pattern_of(text), "text")


def _values(asked: Filter) -> list[str]:
    return [asked.value] if asked.op == "=" else [v.strip() for v in asked.value.split(",")]
