"""How is a function of FHIRPath written down: its name, its arguments, when they are evaluated?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from liane.fhir.fhirpath.nodes import Items
from liane.fhir.fhirpath.scope import Run

Kind = Literal["eager", "lazy", "type"]


Eager = Callable[..., Items]
Lazy = Callable[..., Run]


class Function(NamedTuple):
    """`eager`: called with the values of its arguments; `lazy`: makes the function that runs from
    those of its arguments; `type`: makes it from the name of a type.
    """

    kind: Kind
    least: int
    most: int
    build: Callable[..., Any]


Table = dict[str, Function]


def eager(
    table: Table, name: str, least: int = 0, most: int | None = None
) -> Callable[[Eager], Eager]:
    """Register a function that takes the values of its arguments."""

    def register(run: Eager) -> Eager:
        table[name] = Function("eager", least, least if most is None else most, run)
        return run

    return register


def lazy(
    table: Table, name: str, least: int = 0, most: int | None = None
) -> Callable[[Lazy], Lazy]:
    """Register a function that evaluates its arguments itself, for each item."""

    def register(build: Lazy) -> Lazy:
        table[name] = Function("lazy", least, least if most is None else most, build)
        return build

    return register
