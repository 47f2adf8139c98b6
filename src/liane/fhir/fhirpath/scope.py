"""What does an expression know while it is evaluated, and how much may it still do?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from liane.fhir.fhirpath.errors import TooCostly, Wrong
from liane.fhir.fhirpath.nodes import Items, Node, system

LIMIT_STEPS = 1_000_000
"""How many items all steps of one evaluation may give together."""
CHARACTERS_OF_A_STEP = 64
"""How many characters of a text cost as much as one item."""
LIMIT_TEXT = 4_000_000
"""How many characters a text made by an expression may have."""

Resolve = Callable[[str], "dict[str, Any] | None"]
MemberOf = Callable[[str, "str | None", str], "bool | None"]
Subsumes = Callable[[str, str, str], "bool | None"]
Conforms = Callable[[Any, str], "bool | None"]


@dataclass(slots=True)
class Environment:
    """What stays the same during one evaluation, and what is left of its bounds."""

    context: Items
    resource: Items
    root: Items
    variables: Mapping[str, Any] = field(default_factory=dict)
    resolve: Resolve | None = None
    member_of: MemberOf | None = None
    conforms: Conforms | None = None
    subsumes: Subsumes | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    strict: bool = False
    locating: bool = False
    as_many: bool = False
    """Let `as(T)` keep items out of several: the invariants dom-3 and others of R4 rely on it."""
    left: int = LIMIT_STEPS

    def spend(self, items: int) -> None:
        """Count `items` against the bound. Raises `TooCostly`."""
        self.left -= items + 1
        if self.left < 0:
            raise TooCostly(
                f"plus de {LIMIT_STEPS} éléments parcourus",
                f"more than {LIMIT_STEPS} items walked through",
            )

    def read(self, characters: int) -> None:
        """Count a text that is made or gone through, before it is. Raises `TooCostly`."""
        if characters > LIMIT_TEXT:
            raise TooCostly(
                f"un texte de plus de {LIMIT_TEXT} caractères",
                f"a text of more than {LIMIT_TEXT} characters",
            )
        if characters > CHARACTERS_OF_A_STEP:
            self.spend(characters // CHARACTERS_OF_A_STEP)


class Scope:
    """What `$this`, `$index`, `$total` and the defined variables mean at one place."""

    __slots__ = ("env", "index", "this", "total", "variables")

    def __init__(
        self,
        env: Environment,
        this: Items,
        index: int | None = None,
        total: Items | None = None,
        variables: Mapping[str, Items] | None = None,
    ) -> None:
        self.env = env
        self.this = this
        self.index = index
        self.total = total
        self.variables = variables

    def inner(self) -> Scope:
        """A scope for the items of a loop, which sets `this` and `index`."""
        return Scope(self.env, [], None, self.total, self.variables)


class Unordered(list[Any]):
    """A collection whose order means nothing (`children()`): strict mode refuses to count in it."""


Run = Callable[[Scope, Items], Items]


def truth(items: Items) -> bool | None:
    """A collection read as a boolean: empty is unknown, a single item that is none is true."""
    if not items:
        return None
    if len(items) > 1:
        raise Wrong(
            f"une valeur seule est attendue, {len(items)} trouvées",
            f"a single value is expected, {len(items)} found",
        )
    item = items[0]
    value = item.value if type(item) is Node else item
    return value if type(value) is bool else True


def single(items: Items) -> Any:
    """The only item as a value; None when there is none. Raises `Wrong` when there are several."""
    if not items:
        return None
    if len(items) > 1:
        raise Wrong(
            f"une valeur seule est attendue, {len(items)} trouvées",
            f"a single value is expected, {len(items)} found",
        )
    return system(items[0])
