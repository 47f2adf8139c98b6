"""What do the functions that evaluate an expression for each item answer? (FHIRPath N1, 5.2)"""

from __future__ import annotations

from liane.fhir.fhirpath import comparing
from liane.fhir.fhirpath.comparing import Members
from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.functions.registry import Table, eager, lazy
from liane.fhir.fhirpath.nodes import Items, system
from liane.fhir.fhirpath.scope import Run, Scope, single, truth

TABLE: Table = {}


def _loop(scope: Scope, focus: Items) -> Scope:
    scope.env.spend(len(focus))
    return scope.inner()


@lazy(TABLE, "where", 1)
def where(criterion: Run) -> Run:
    """The items that meet the criterion."""

    def kept(scope: Scope, focus: Items) -> Items:
        if not focus:
            return focus
        inner = _loop(scope, focus)
        out: Items = []
        for position, item in enumerate(focus):
            inner.this = this = [item]
            inner.index = position
            if truth(criterion(inner, this)):
                out.append(item)
        return out

    return kept


@lazy(TABLE, "exists", 0, 1)
def exists(criterion: Run | None = None) -> Run:
    """Whether there is an item (that meets the criterion)."""
    if criterion is None:
        return lambda _scope, focus: [bool(focus)]
    kept = where(criterion)
    return lambda scope, focus: [bool(kept(scope, focus))]


@lazy(TABLE, "all", 1)
def all_(criterion: Run) -> Run:
    """Whether every item meets the criterion."""

    def every(scope: Scope, focus: Items) -> Items:
        inner = _loop(scope, focus)
        for position, item in enumerate(focus):
            inner.this = this = [item]
            inner.index = position
            if not truth(criterion(inner, this)):
                return [False]
        return [True]

    return every


@lazy(TABLE, "select", 1)
def select(projection: Run) -> Run:
    """What the projection gives for each item, one after the other."""

    def projected(scope: Scope, focus: Items) -> Items:
        inner = _loop(scope, focus)
        out: Items = []
        for position, item in enumerate(focus):
            inner.this = this = [item]
            inner.index = position
            out += projection(inner, this)
        scope.env.spend(len(out))
        return out

    return projected


@lazy(TABLE, "repeat", 1)
def repeat(projection: Run) -> Run:
    """The projection of the items, then of what it gave, until nothing new comes."""

    def repeated(scope: Scope, focus: Items) -> Items:
        inner = _loop(scope, focus)
        seen = Members([])
        out: Items = []
        queue = focus
        while queue:
            found: Items = []
            for item in queue:
                inner.this = this = [item]
                found += projection(inner, this)
            scope.env.spend(len(found))
            queue = [item for item in found if seen.add(item)]
            out += queue
        return out

    return repeated


@lazy(TABLE, "aggregate", 1, 2)
def aggregate(aggregator: Run, start: Run | None = None) -> Run:
    """One value made from all items: `$total` is what came out so far."""

    def total(scope: Scope, focus: Items) -> Items:
        inner = _loop(scope, focus)
        inner.total = start(scope, scope.this) if start else []
        for position, item in enumerate(focus):
            inner.this = this = [item]
            inner.index = position
            inner.total = aggregator(inner, this)
        return inner.total

    return total


@lazy(TABLE, "iif", 2, 3)
def iif(criterion: Run, then: Run, otherwise: Run | None = None) -> Run:
    """One branch or the other; the one not taken is not evaluated."""

    def chosen(scope: Scope, focus: Items) -> Items:
        if len(focus) > 1:
            raise Wrong("iif() demande une valeur seule", "iif() asks for a single value")
        inner = scope.inner()
        inner.this, inner.index = focus or scope.this, scope.index
        value = single(criterion(inner, inner.this))
        if value is not None and type(value) is not bool:
            raise Wrong("iif() : un booléen est attendu", "iif(): a boolean is expected")
        if value:
            return then(inner, inner.this)
        return otherwise(inner, inner.this) if otherwise else []

    return chosen


@lazy(TABLE, "trace", 1, 2)
def trace(_name: Run, _projection: Run | None = None) -> Run:
    """The items as they are; nothing is written anywhere, as they may be about a patient."""
    return lambda _scope, focus: focus


@lazy(TABLE, "defineVariable", 1, 2)
def define_variable(name: Run, value: Run | None = None) -> Run:
    """The items as they are; `%name` means the value from here on."""

    def defined(scope: Scope, focus: Items) -> Items:
        called = single(name(scope, focus))
        if type(called) is not str:
            raise Wrong("defineVariable() demande un nom", "defineVariable() asks for a name")
        known = dict(scope.variables or {})
        if called in known or called in scope.env.variables:
            raise Wrong(f"« %{called} » est déjà définie", f"'%{called}' is already defined")
        known[called] = value(scope, focus) if value else focus
        scope.variables = known
        return focus

    return defined


@lazy(TABLE, "coalesce", 1, 20)
def coalesce(*choices: Run) -> Run:
    """The first of the arguments that is not empty."""

    def first(scope: Scope, _focus: Items) -> Items:
        for choice in choices:
            items = choice(scope, scope.this)
            if items:
                return items
        return []

    return first


@eager(TABLE, "sum")
def sum_(_scope: Scope, focus: Items) -> Items:
    """The sum of numbers or quantities."""
    from liane.fhir.fhirpath.arithmetic import CALCULATIONS

    total = None
    for item in focus:
        value = system(item)
        total = value if total is None else CALCULATIONS["+"](total, value)
    return [] if total is None else [total]


@eager(TABLE, "min")
def min_(_scope: Scope, focus: Items) -> Items:
    """The smallest item."""
    return _extreme(focus, -1)


@eager(TABLE, "max")
def max_(_scope: Scope, focus: Items) -> Items:
    """The largest item."""
    return _extreme(focus, 1)


def _extreme(focus: Items, side: int) -> Items:
    best: Items = focus[:1]
    for item in focus[1:]:
        order = comparing.order(item, best[0])
        if order is None:
            return []
        if order == side:
            best = [item]
    return best
