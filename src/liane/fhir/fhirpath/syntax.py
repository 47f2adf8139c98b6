"""What is a FHIRPath expression made of once it has been read?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the expression; `{}` has none."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A member, or the name of a type where an expression begins."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments, not yet evaluated."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Special:
    """One of `this`, `index`, `total`."""

    name: str


@dataclass(frozen=True, slots=True)
class External:
    """A variable from outside: `%name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`[expression]` after another step."""

    index: Expression


@dataclass(frozen=True, slots=True)
class Chain:
    """`head.step.step[...]`: each step works on what the one before it gave."""

    head: Expression
    steps: tuple[Name | Call | Special | Index, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """`-x` or `+x`."""

    sign: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands around an operator."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class TypeTest:
    """`x is Type` or `x as Type`."""

    operator: str
    operand: Expression
    type: str


Expression = Literal | Name | Call | Special | External | Index | Chain | Signed | Binary | TypeTest
