"""What is a question to the record made of?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition; several `values` are alternatives.

    With `chain`, the reference `param` must point to a resource of one of `chain_types` that meets
    the criterion `chain`. With `reverse_type`, a resource of that type must point here by its
    reference `param` and meet `chain` (`_has`).
    """

    param: str
    kind: str
    modifier: str | None = None
    values: tuple[str, ...] = ()
    chain: Criterion | None = None
    chain_types: tuple[str, ...] = ()
    reverse_type: str | None = None


@dataclass(frozen=True, slots=True)
class Sort:
    """An order: by `at` (the main clinical date), `updated` or `id`."""

    column: str
    descending: bool


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
    criteria: tuple[Criterion, ...] = ()
    sort: Sort = Sort("at", descending=True)
    count: int = 50
    total: bool = False
    only_total: bool = False
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    cursor: str | None = None
    used: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an answer; `next_cursor` is the value of `_cursor` for the next one."""

    versions: list[Version]
    included: list[Version] = field(default_factory=list)
    total: int | None = None
    next_cursor: str | None = None
