"""What does this FHIRPath expression say about this resource? (FHIRPath N1, FHIR R4)

An expression is compiled once into functions; evaluating it walks over the JSON as it is. No IO:
what must be looked up (references, value sets, profiles) is given as functions by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from liane.fhir import definitions
from liane.fhir.fhirpath.compiling import compiled
from liane.fhir.fhirpath.errors import TooCostly, Wrong
from liane.fhir.fhirpath.nodes import Items, Node, Place, node_of, plain
from liane.fhir.fhirpath.parsing import parse
from liane.fhir.fhirpath.quantities import Quantity
from liane.fhir.fhirpath.scope import (
    LIMIT_STEPS,
    Conforms,
    Environment,
    MemberOf,
    Resolve,
    Run,
    Scope,
    Subsumes,
    truth,
)
from liane.fhir.fhirpath.temporal import Moment

__all__ = [
    "Moment",
    "Node",
    "Path",
    "Place",
    "Quantity",
    "TooCostly",
    "Wrong",
    "at",
    "compile",
    "environment",
    "node_of",
    "stub_of",
]


_NAMED = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,60})/([A-Za-z0-9.-]{1,64})(?:/_history/.{1,64})?$")
KEPT_CHARACTERS = 2_000
"""Longer expressions are compiled each time: remembering them would take too much memory."""


class Path:
    """One compiled expression; it holds no state and may be shared."""

    __slots__ = ("_run", "text")

    def __init__(self, text: str, run: Run) -> None:
        self.text = text
        self._run = run

    def evaluate(self, node: Any, **options: Any) -> list[Any]:
        """What the expression gives: the JSON of elements, Python values for the rest.

        `node` is a resource, or an element as `node_of(value, type)`. Options: see `environment`.
        """
        return [plain(item) for item in self.nodes(node, **options)]

    def test(self, node: Any, **options: Any) -> bool:
        """The answer of an invariant: an empty answer is true."""
        return truth(self.nodes(node, as_many=True, **options)) is not False

    def nodes(self, node: Any, **options: Any) -> Items:
        """As `evaluate`, elements as `Node` with their type. Raises `Wrong`, `TooCostly`."""
        return self.run(environment(node, **options))

    def counted(self, node: Any, **options: Any) -> tuple[list[Any], int]:
        """As `evaluate`, with the number of steps it took."""
        env = environment(node, **options)
        before = env.left
        return [plain(item) for item in self.run(env)], before - env.left

    def run(self, env: Environment) -> Items:
        """Evaluate in a prepared environment, for callers with many expressions: see `at`."""
        try:
            return self._run(Scope(env, env.context), env.context)
        except RecursionError:
            raise TooCostly("trop d’imbrications", "nests too deeply") from None
        except ArithmeticError:
            raise Wrong("un calcul sort des bornes", "a calculation is out of range") from None


def environment(
    node: Any,
    *,
    resource: Any = None,
    root: Any = None,
    variables: Mapping[str, Any] | None = None,
    resolve: Resolve | None = None,
    member_of: MemberOf | None = None,
    conforms: Conforms | None = None,
    subsumes: Subsumes | None = None,
    now: datetime | None = None,
    strict: bool = False,
    locating: bool = False,
    as_many: bool = False,
    steps: int = LIMIT_STEPS,
) -> Environment:
    """What an expression knows.

    `resource` is `%resource` (default: the node), `root` `%rootResource` (default: the resource).
    `strict` refuses members that a type does not have. `locating` makes each Node know its place.
    `as_many` lets `as(T)` work on several items.
    """
    here = node_of(node)
    own = here if resource is None else node_of(resource)
    return Environment(
        context=[here],
        resource=[own],
        root=[own if root is None else node_of(root)],
        variables=variables or {},
        resolve=resolve,
        member_of=member_of,
        conforms=conforms,
        subsumes=subsumes,
        now=now or datetime.now(UTC),
        strict=strict,
        locating=locating,
        as_many=as_many,
        left=steps,
    )


def stub_of(reference: str) -> dict[str, Any] | None:
    """As `resolve`, for who only asks of which type a reference is: `where(resolve() is Patient)`.

    The resource it gives has a type and an id, read from the text of the reference, and no more.
    """
    match = _NAMED.search(reference)
    if match is None or match[1] not in definitions.resources():
        return None
    return {"resourceType": match[1], "id": match[2]}


def at(env: Environment, node: Any) -> Environment:
    """The same environment with another context and a fresh bound of steps."""
    return replace(env, context=[node_of(node)], left=LIMIT_STEPS)


def compile(text: str) -> Path:  # noqa: A001 - the word of the field: fhirpath.compile
    """The compiled expression in `text`. Raises `Wrong`, `TooCostly`."""
    return _kept(text) if len(text) <= KEPT_CHARACTERS else _compiled(text)


def _compiled(text: str) -> Path:
    try:
        return Path(text, compiled(parse(text)))
    except RecursionError:
        raise TooCostly("trop d’imbrications", "nests too deeply") from None


_kept = lru_cache(maxsize=4096)(_compiled)
