"""In which order do items stand once they are sorted?"""

from __future__ import annotations

from functools import cmp_to_key

from liane.fhir.fhirpath import comparing
from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.nodes import Items, system
from liane.fhir.fhirpath.scope import Run, Scope

Keyed = tuple[Items, list[Items]]


def sorted_by(keys: list[tuple[Run, bool]]) -> Run:
    """The function that sorts its focus by `keys`, each with True where it goes down."""
    runs = [run for run, _ in keys]
    turned = [down for _, down in keys] or [False]

    def compare(one: Keyed, other: Keyed) -> int:
        for left, right, down in zip(one[1], other[1], turned, strict=True):
            order = _order(left, right)
            if order:
                return -order if down and left and right else order
        return 0

    def sort(scope: Scope, focus: Items) -> Items:
        scope.env.spend(len(focus) * max(1, len(runs)))
        inner = scope.inner()
        rows: list[Keyed] = []
        for position, item in enumerate(focus):
            inner.this, inner.index = [item], position
            values = [run(inner, inner.this) for run in runs] or [[item]]
            rows.append(([item], values))
        return [row[0][0] for row in sorted(rows, key=cmp_to_key(compare))]

    return sort


def _order(left: Items, right: Items) -> int:
    """Nothing stands before something, whichever way the order goes."""
    if len(left) > 1 or len(right) > 1:
        raise Wrong("une clé de tri est une valeur seule", "a sort key is a single value")
    if not left or not right:
        return len(left) - len(right)
    if system(left[0]) is None or system(right[0]) is None:
        return 0
    return comparing.order(left[0], right[0]) or 0
