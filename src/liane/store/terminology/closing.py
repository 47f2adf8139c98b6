"""Which concepts stand below which, all the way down, given each concept's parents?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from liane.base.errors import Invalid

LIMIT_PAIRS = 20_000_000


def ancestors(parents: Mapping[int, Sequence[int]]) -> dict[int, set[int]]:
    """For each concept that has parents: all its ancestors, itself left out.

    A concept may have several parents. A circle in the hierarchy is broken where it closes: a
    concept is never its own ancestor. Raises `Invalid` when the closure is beyond all measure.
    """
    closed: dict[int, set[int]] = {}
    pairs = 0
    for start in parents:
        if start in closed:
            continue
        stack = [start]
        open_: set[int] = set()
        while stack:
            node = stack[-1]
            if node in closed:
                stack.pop()
                continue
            waiting = [p for p in parents.get(node, ()) if p not in closed and p not in open_]
            open_.add(node)
            waiting = [p for p in waiting if p != node and p in parents]
            if waiting:
                stack.extend(waiting)
                continue
            found: set[int] = set()
            for parent in parents.get(node, ()):
                found.add(parent)
                found |= closed.get(parent, set())
            found.discard(node)
            closed[node] = found
            pairs += len(found)
            if pairs > LIMIT_PAIRS:
                raise _too_many()
            stack.pop()
    return closed


def _too_many() -> Invalid:
    return Invalid(
        "terminology.too-deep",
        f"La hiérarchie de ce système de codes a plus de {LIMIT_PAIRS} paires ancêtre-descendant.",
        f"The hierarchy of this code system has more than {LIMIT_PAIRS} ancestor pairs.",
    )
