"""What is a question to the record made of?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from liane.store.versions import Version


@dataclass(frozen=True, slots=True)
class Restriction:
    """Whose resources may be seen: a predicate over the patient id of a row.

    `sql` names that column `{patient}` and its arguments `{1}`, `{2}` ...; rows without a patient
    are decided by `patientless`.
    """

    sql: str
    args: tuple[Any, ...] = ()
    patientless: bool = False


Sight = Callable[[str], Restriction | None]
"""What may be seen of each resource type; None: all of it."""


def sight_of(restriction: Restriction | Sight | None) -> Sight:
    """The same restriction for every type, unless there is one for each."""
    if callable(restriction):
        return restriction
    return lambda _type: restriction


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition; several `values` are alternatives.

    With `chain`, the reference `param` must point to a resource of one of its types that meets the
    node beside it. With `reverse_type`, a resource of that type must point here by its reference
    `param` and meet the chain (`_has`).
    """

    param: str
    kind: str
    modifier: str | None = None
    values: tuple[str, ...] = ()
    chain: tuple[tuple[str, Node], ...] = ()
    reverse_type: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined as `_filter` joins them; `not` has one member."""

    joined: Literal["and", "or", "not"]
    members: tuple[Node, ...]


Node = Criterion | Group


@dataclass(frozen=True, slots=True)
class Sort:
    """One order: by `at` (the main clinical date), `updated`, `id`, or a parameter (`param`).

    `asked`: the client asked for it, so rows without a value come last; in the order that we
    choose ourselves the undated stand first, where they are seen.
    """

    column: str
    descending: bool
    param: str | None = None
    asked: bool = False

    @property
    def name(self) -> str:
        """How the cursor names it."""
        return f"{'-' if self.descending else ''}{self.param or self.column}"


@dataclass(frozen=True, slots=True)
class Include:
    """`source` resources point by `param` ("*" for all) to others, of `target` type if given."""

    source: str
    param: str
    target: str | None = None
    iterate: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One search. `used` are the parameters understood, for the self link; `ignored` the others."""

    type: str
    criteria: tuple[Node, ...] = ()
    sort: Sort = Sort("at", descending=True)
    count: int = 50
    total: bool = False
    only_total: bool = False
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    cursor: str | None = None
    used: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()
    more_sorts: tuple[Sort, ...] = ()
    estimate: bool = False
    """The total may be rounded when it is large."""
    types: tuple[str, ...] = ()
    """The types of a search over several; `type` is then empty."""
    by_type: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)
    compartment: tuple[str, str] | None = None
    """Only resources of this compartment: its type and id."""

    @property
    def sorts(self) -> tuple[Sort, ...]:
        """All orders, the first deciding."""
        return (self.sort, *self.more_sorts)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an answer; the cursors are values of `_cursor` for its neighbours."""

    versions: list[Version]
    included: list[Version] = field(default_factory=list)
    total: int | None = None
    next_cursor: str | None = None
    previous_cursor: str | None = None
