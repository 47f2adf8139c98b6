"""How is the text of a FHIRPath expression understood? (FHIRPath N1, grammar and precedence)"""

from __future__ import annotations

from decimal import Decimal

from liane.fhir.fhirpath.errors import TooCostly
from liane.fhir.fhirpath.quantities import CALENDAR, Quantity
from liane.fhir.fhirpath.syntax import (
    Binary,
    Call,
    Chain,
    Expression,
    External,
    Index,
    Literal,
    Name,
    Signed,
    Special,
    TypeTest,
)
from liane.fhir.fhirpath.temporal import date_of, datetime_of, time_of
from liane.fhir.fhirpath.tokens import Token, tokens, unexpected

LIMIT_DEPTH = 60
LIMIT_OPERATORS = 150
"""How many operators may follow one another without brackets: each leans on the one before."""

_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"implies"}),
    frozenset({"or", "xor"}),
    frozenset({"and"}),
    frozenset({"in", "contains"}),
    frozenset({"=", "~", "!=", "!~"}),
    frozenset({"<", ">", "<=", ">="}),
    frozenset({"|"}),
    frozenset({"is", "as"}),
    frozenset({"+", "-", "&"}),
    frozenset({"*", "/", "div", "mod"}),
)
_WORDS = frozenset({"as", "is", "in", "contains"})
"""Words of the grammar that may also name a member or a function."""
_BINDING = {sign: level for level, signs in enumerate(_LEVELS) for sign in signs}


def parse(text: str) -> Expression:
    """The expression in `text`. Raises `Wrong`, `TooCostly`."""
    reader = _Reader(tokens(text))
    expression = reader.expression(0)
    if reader.here.kind != "end":
        raise unexpected(reader.here.text, reader.here.at)
    return expression


class _Reader:
    """Walks over the words once, one word ahead."""

    def __init__(self, words: list[Token]) -> None:
        self._words = words
        self._position = 0
        self._depth = 0
        self.here = words[0]

    def _next(self) -> Token:
        word = self.here
        self._position += 1
        self.here = self._words[self._position]
        return word

    def _at(self, sign: str) -> bool:
        return self.here.kind in ("sign", "name") and self.here.text == sign

    def _expect(self, sign: str) -> None:
        if not self._at(sign):
            raise unexpected(self.here.text or "fin / end", self.here.at)
        self._next()

    def expression(self, level: int) -> Expression:
        """Operators that bind at least as tightly as `level`, by precedence climbing."""
        self._depth += 1
        if self._depth > LIMIT_DEPTH:
            raise TooCostly(
                f"plus de {LIMIT_DEPTH} imbrications", f"nests deeper than {LIMIT_DEPTH} levels"
            )
        left = self._signed()
        for _ in range(LIMIT_OPERATORS):
            if self.here.kind not in ("sign", "name"):
                break
            binding = _BINDING.get(self.here.text, -1)
            if binding < level:
                break
            operator = self._next().text
            if operator in ("is", "as"):
                left = TypeTest(operator, left, self._type())
            else:
                left = Binary(operator, left, self.expression(binding + 1))
        else:
            raise TooCostly(
                f"plus de {LIMIT_OPERATORS} opérateurs à la suite",
                f"more than {LIMIT_OPERATORS} operators in a row",
            )
        self._depth -= 1
        return left

    def _signed(self) -> Expression:
        if self._at("-") or self._at("+"):
            sign = self._next().text
            self._depth += 1
            if self._depth > LIMIT_DEPTH:
                raise TooCostly("trop de signes", "too many signs")
            operand = self._signed()
            self._depth -= 1
            return Signed(sign, operand)
        return self._chain()

    def _chain(self) -> Expression:
        head = self._term()
        steps: list[Name | Call | Special | Index] = []
        while True:
            if self._at("."):
                self._next()
                # After a point no operator can stand: `text.div` needs no quotes.
                steps.append(self._invocation(any_word=True))
            elif self._at("["):
                self._next()
                steps.append(Index(self.expression(0)))
                self._expect("]")
            else:
                return Chain(head, tuple(steps)) if steps else head

    def _term(self) -> Expression:
        word = self.here
        if word.kind == "sign" and word.text == "(":
            self._next()
            inner = self.expression(0)
            self._expect(")")
            return inner
        if word.kind == "sign" and word.text == "{":
            self._next()
            self._expect("}")
            return Literal(())
        if word.kind == "external":
            return External(self._next().text)
        literal = self._literal()
        return self._invocation() if literal is None else literal

    def _literal(self) -> Literal | None:
        word = self.here
        match word.kind:
            case "string":
                self._next()
                return Literal((word.text,))
            case "number":
                self._next()
                return Literal((self._number(word.text),))
            case "date":
                self._next()
                return Literal((date_of(word.text),))
            case "datetime":
                self._next()
                return Literal((datetime_of(word.text),))
            case "time":
                self._next()
                return Literal((time_of(word.text[1:]),))
            case "name" if word.text in ("true", "false"):
                self._next()
                return Literal((word.text == "true",))
        return None

    def _number(self, text: str) -> int | Decimal | Quantity:
        unit = self.here
        if unit.kind == "string" or (unit.kind == "name" and unit.text in CALENDAR):
            self._next()
            return Quantity(Decimal(text), unit.text, calendar=unit.kind == "name")
        return Decimal(text) if "." in text else int(text)

    def _invocation(self, *, any_word: bool = False) -> Name | Call | Special:
        word = self.here
        if word.kind == "special":
            return Special(self._next().text)
        free = any_word or word.text in _WORDS or word.text not in _BINDING
        known = word.kind == "name" and free
        if not known and word.kind != "quoted":
            raise unexpected(word.text or "fin / end", word.at)
        self._next()
        if self._at("("):
            return Call(word.text, self._arguments())
        return Name(word.text)

    def _arguments(self) -> tuple[Expression, ...]:
        self._expect("(")
        arguments: list[Expression] = []
        if not self._at(")"):
            arguments.append(self.expression(0))
            while self._at(","):
                self._next()
                arguments.append(self.expression(0))
        self._expect(")")
        return tuple(arguments)

    def _type(self) -> str:
        parts: list[str] = []
        while True:
            if self.here.kind not in ("name", "quoted"):
                raise unexpected(self.here.text or "fin / end", self.here.at)
            parts.append(self._next().text)
            if not self._at("."):
                return ".".join(parts)
            if not (self._words[self._position + 1].kind in ("name", "quoted") and len(parts) == 1):
                return ".".join(parts)
            self._next()
