"""Which slice does each repetition belong to, and is every slice there as often as asked?

R4 profiling 5.1.0.5: repetitions are told apart by discriminators; slices may be ordered, closed,
or open at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liane.fhir.profiles.catalogue import Catalogue
from liane.fhir.profiles.checking import Item, node_check
from liane.fhir.profiles.discriminators import Matches, matcher
from liane.fhir.profiles.findings import Finding, finding
from liane.fhir.profiles.structures import Slicing
from liane.fhir.profiles.tree import Node
from liane.fhir.profiles.visit import Visit

SlicesCheck = Callable[[list[Item], str, Visit], None]
DEFAULT = "@default"


class _Slice:
    """One slice, compiled."""

    def __init__(self, name: str, node: Node, slicing: Slicing, catalogue: Catalogue) -> None:
        self.name = name
        self.least = node.min
        self.most = node.max
        self.matches: Matches = matcher(node, slicing, catalogue)
        self.check = node_check(node, catalogue)
        self.further = slices_check(node, catalogue) if node.slices else None


def slices_check(node: Node, catalogue: Catalogue) -> SlicesCheck:
    """The check of the repetitions of a sliced element."""
    slicing = node.slicing or Slicing((), ordered=False, rules="open")
    slices = [
        _Slice(name, one, slicing, catalogue)
        for name, one in node.slices.items()
        if name != DEFAULT
    ]
    rest = node.slices.get(DEFAULT)
    rest_check = node_check(rest, catalogue) if rest is not None else None
    element = node.name
    parts = element == "extension" and node.table == "Extension"

    def check(items: list[Item], path: str, visit: Visit) -> None:
        held: list[list[Item]] = [[] for _ in slices]
        last, unmatched = -1, False
        for item in items:
            place = _place(item, slices, visit)
            if place is None:
                unmatched = True
                if rest_check is not None:
                    rest_check(item, visit)
                elif slicing.rules == "closed" or (parts and _is_part(item)):
                    visit.issues.append(_unexpected(item.path))
                continue
            if unmatched and slicing.rules == "openAtEnd":
                visit.issues.append(_at_end(item.path))
            if slicing.ordered and place < last:
                visit.issues.append(_out_of_order(item.path, slices[place].name))
            last = max(last, place)
            held[place].append(item)
        for one, members in zip(slices, held, strict=True):
            _count(one, members, f"{path}.{element}", visit)
            for item in members:
                one.check(item, visit)
            if one.further is not None:
                one.further(members, path, visit)

    return check


def _is_part(item: Item) -> bool:
    """A part of a complex extension, named without an address, that nothing defines."""
    url = item.value.get("url") if type(item.value) is dict else None
    return type(url) is str and ":" not in url and "/" not in url


def _place(item: Item, slices: list[_Slice], visit: Visit) -> int | None:
    for place, one in enumerate(slices):
        if one.matches(item, visit):
            return place
    return None


def _count(one: _Slice, members: list[Item], path: str, visit: Visit) -> None:
    if one.least is not None and len(members) < one.least:
        visit.issues.append(
            finding(
                "cardinality",
                "slice-min",
                f"{path}:{one.name}",
                f"tranche {one.name} : au moins {one.least} attendu, {len(members)} trouvé",
                f"slice {one.name}: at least {one.least} expected, {len(members)} found",
                code="required",
            )
        )
    if one.most is not None and one.most >= 0 and len(members) > one.most:
        visit.issues.append(
            finding(
                "cardinality",
                "slice-max",
                f"{path}:{one.name}",
                f"tranche {one.name} : au plus {one.most} permis, {len(members)} trouvé",
                f"slice {one.name}: at most {one.most} allowed, {len(members)} found",
                code="structure",
            )
        )


def _unexpected(path: str) -> Finding:
    return finding(
        "structure",
        "slicing",
        path,
        "cette valeur n’entre dans aucune des tranches permises",
        "this value belongs to none of the allowed slices",
        code="structure",
    )


def _at_end(path: str) -> Finding:
    return finding(
        "structure",
        "slicing",
        path,
        "une valeur hors tranche n’est permise qu’à la fin",
        "a value outside the slices is only allowed at the end",
        code="structure",
    )


def _out_of_order(path: str, name: str) -> Finding:
    return finding(
        "structure",
        "slicing",
        path,
        f"la tranche {name} n’est pas à sa place dans l’ordre demandé",
        f"the slice {name} is out of the order asked for",
        code="structure",
    )


def nothing(_item: Any, _visit: Visit) -> bool:
    """A slice that nothing belongs to."""
    return False
