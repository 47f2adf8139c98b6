"""What does a `_filter` expression ask? (R4, search_filter)

The grammar: comparisons `path operator value`, joined by `and`, `or`, `not (...)` and brackets;
`and` binds closer than `or`. A path may go through references, and a hop may be narrowed by a
filter of its own: `subject[gender eq female].birthdate lt 1950`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from liane.fhir import definitions
from liane.store.search import known
from liane.store.search.criteria import MOST_HOPS, criterion, simple
from liane.store.search.model import Criterion, Group, Node
from liane.store.search.refusals import Unknown, refused, unknown
from liane.store.search.separators import escape

LONGEST = 4000
DEEPEST = 20
MOST_COMPARISONS = 100
OPERATORS = (
    "eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "ap", "sa", "eb", "pr", "po", "ss", "sb",
    "in", "ni", "re",
)  # fmt: skip
_WORD = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<sign>[()\[\]])|(?P<word>[^\s()\[\]"]+))', re.DOTALL
)
_MEASURED = frozenset({"date", "number", "quantity"})


def parse_filter(type_: str, text: str, tenant: int | None = None) -> Node:
    """The conditions of the expression; raises `Unknown` or `Invalid` naming the wrong part."""
    if len(text) > LONGEST:
        raise refused(
            f"_filter : au plus {LONGEST} caractères.", f"_filter: {LONGEST} characters at most."
        )
    reading = _Reading(_words(text), tenant)
    found = reading.either(type_, 0)
    if reading.here() is not None:
        raise _wrong(f"… {reading.here()}")
    return found


def _words(text: str) -> list[str]:
    words, position = [], 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _WORD.match(stripped, position)
        if match is None:
            raise _wrong(stripped[position : position + 30])
        words.append(match["text"] or match["sign"] or match["word"])
        position = match.end()
    return words


def _wrong(near: str) -> Exception:
    return refused(
        f'_filter n\'est pas compris près de « {near[:60]} ». Exemple : name co "dup" and '
        "birthdate ge 1950",
        f"_filter is not understood near '{near[:60]}'. Example: name co \"dup\" and "
        "birthdate ge 1950",
        ["_filter"],
    )


class _Reading:
    def __init__(self, words: list[str], tenant: int | None) -> None:
        self.words = words
        self.next = 0
        self.comparisons = 0
        self.tenant = tenant

    def here(self) -> str | None:
        return self.words[self.next] if self.next < len(self.words) else None

    def take(self) -> str:
        word = self.here()
        if word is None:
            raise _wrong(" ".join(self.words[-2:]))
        self.next += 1
        return word

    def expect(self, sign: str) -> None:
        word = self.take()
        if word != sign:
            raise _wrong(word)

    def either(self, type_: str, depth: int) -> Node:
        """One or more groups joined by `or`."""
        if depth > DEEPEST:
            raise refused("_filter : trop de parenthèses.", "_filter: too many brackets.")
        members = [self.all(type_, depth)]
        while self.here() == "or":
            self.next += 1
            members.append(self.all(type_, depth))
        return members[0] if len(members) == 1 else Group("or", tuple(members))

    def all(self, type_: str, depth: int) -> Node:
        """One or more conditions joined by `and`."""
        members = [self.one(type_, depth)]
        while self.here() == "and":
            self.next += 1
            members.append(self.one(type_, depth))
        return members[0] if len(members) == 1 else Group("and", tuple(members))

    def one(self, type_: str, depth: int) -> Node:
        word = self.here()
        if word == "not":
            self.next += 1
            self.expect("(")
            found = self.either(type_, depth + 1)
            self.expect(")")
            return Group("not", (found,))
        if word == "(":
            self.next += 1
            found = self.either(type_, depth + 1)
            self.expect(")")
            return found
        return self.comparison(type_, depth)

    def comparison(self, type_: str, depth: int) -> Node:
        self.comparisons += 1
        if self.comparisons > MOST_COMPARISONS:
            raise refused("_filter : trop de conditions.", "_filter: too many conditions.")
        path = self.take()
        hops, _, param = path.rpartition(".")
        if self.here() == "[":
            return self.narrowed(type_, path, depth)
        operator, value = self.take(), self.take()
        if operator not in OPERATORS:
            raise unknown("_filter", operator, OPERATORS)
        return self.through(type_, hops.split(".") if hops else [], param, operator, value)

    def narrowed(self, type_: str, path: str, depth: int) -> Node:
        """`subject[filter].param op value`: both conditions hold for the same resource."""
        start = self.next + 1
        after = self.closing()
        rest = self.words[after] if after < len(self.words) else ""
        if not rest.startswith(".") or "." in path:
            raise _wrong(path)
        fitting = []
        problem: Unknown | None = None
        end = after
        for target in self.targets(type_, path):
            self.next = start
            try:
                inner = self.either(target, depth + 1)
                self.expect("]")
                self.words[self.next] = rest[1:]
                outer = self.comparison(target, depth + 1)
                end = self.next
                fitting.append((target, Group("and", (inner, outer))))
            except Unknown as refusal:
                problem = problem or refusal
            finally:
                self.words[after] = rest
        if not fitting:
            raise problem or _wrong(path)
        self.next = end
        return Criterion(path, "reference", None, (), tuple(fitting))

    def closing(self) -> int:
        """The place after the bracket that closes the one here."""
        open_ = 0
        for place in range(self.next, len(self.words)):
            open_ += {"[": 1, "]": -1}.get(self.words[place], 0)
            if open_ == 0:
                return place + 1
        raise _wrong("[")

    def targets(self, type_: str, path: str) -> Sequence[str]:
        param, _, wanted = path.partition(":")
        found = known.parameter(type_, param, self.tenant)
        if found is None or found.kind != "reference":
            raise unknown(f"_filter {type_}", path, known.names(type_, self.tenant))
        return (wanted,) if wanted else (found.targets or definitions.types())

    def through(self, type_: str, hops: list[str], param: str, operator: str, value: str) -> Node:
        """The comparison at the end of a path of references."""
        if not hops:
            return compared(type_, param, operator, value, self.tenant)
        if len(hops) > MOST_HOPS:
            raise _wrong(".".join(hops))
        fitting = []
        problem: Unknown | None = None
        for target in self.targets(type_, hops[0]):
            try:
                fitting.append((target, self.through(target, hops[1:], param, operator, value)))
            except Unknown as refusal:
                problem = problem or refusal
        if not fitting:
            raise problem or _wrong(hops[0])
        return Criterion(hops[0].partition(":")[0], "reference", None, (), tuple(fitting))


def compared(type_: str, param: str, operator: str, written: str, tenant: int | None) -> Node:
    """One comparison as the search criterion that asks the same."""
    found = known.parameter(type_, param, tenant)
    if found is None:
        raise unknown(f"_filter {type_}", param, known.names(type_, tenant))
    kind = found.kind
    value = _plain(written)
    if operator == "pr":
        return simple(type_, f"{param}:missing", "false" if value == "true" else "true", tenant)
    if operator in ("ss", "sb", "in", "ni"):
        form = {"ss": "below", "sb": "above", "in": "in", "ni": "not-in"}[operator]
        return simple(type_, f"{param}:{form}", value, tenant)
    if kind in _MEASURED:
        if operator not in ("eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb", "po"):
            raise unknown(f"_filter {kind}", operator, [*OPERATORS[:2], "gt", "lt", "ge", "le"])
        return criterion(type_, param, f"{operator}{value}", tenant)
    if operator == "ne":
        return Group("not", (compared(type_, param, "eq", written, tenant),))
    if operator in ("co", "sw", "ew") and kind in ("string", "uri"):
        return Criterion(
            param, kind, {"co": "contains", "sw": "starts", "ew": "ends"}[operator], (value,)
        )
    if operator in ("eq", "re"):
        equal = "equal" if kind == "string" else None
        kept = value if kind in ("token", "reference", "string", "uri") else escape(value)
        return Criterion(param, kind, equal, (kept,))
    raise unknown(f"_filter {kind}", operator, ["eq", "ne", "co", "sw", "ew", "pr", "in", "re"])


def _plain(written: str) -> str:
    if written.startswith('"'):
        return re.sub(r"\\(.)", r"\1", written[1:-1])
    return written
