"""How is it told that a repetition belongs to a slice? (R4 profiling 5.1.0.7)"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from liane.fhir.fhirpath.model import shape
from liane.fhir.profiles import matching
from liane.fhir.profiles.catalogue import Catalogue
from liane.fhir.profiles.checking import Item, conforms, gatherer, node_check
from liane.fhir.profiles.pointing import pointed_type
from liane.fhir.profiles.structures import Slicing
from liane.fhir.profiles.tree import Node, tree_of
from liane.fhir.profiles.visit import Visit

Matches = Callable[[Item, Visit], bool]
_STEP = re.compile(
    r"extension\('([^']*)'\)|ofType\(([A-Za-z]+)\)|as\(([A-Za-z]+)\)|([^.()]+(?:\(\))?)"
)


def matcher(node: Node, slicing: Slicing, catalogue: Catalogue) -> Matches:
    """Whether an item belongs to the slice that `node` describes."""
    tests = [_test(node, kind, path, catalogue) for kind, path in slicing.discriminators]
    if not tests:
        return _keeps_all(node, catalogue)
    if len(tests) == 1:
        return tests[0]
    return lambda item, visit: all(test(item, visit) for test in tests)


def _test(node: Node, kind: str, path: str, catalogue: Catalogue) -> Matches:
    steps = _steps(path)
    if kind == "exists":
        return _exists(node, steps)
    if kind == "type":
        return _of_type(node, steps)
    if kind == "profile":
        return _of_profile(node, steps)
    if kind in ("value", "pattern"):
        return _valued(node, steps, catalogue)
    return _keeps_all(node, catalogue)


def _steps(path: str) -> list[str]:
    """`extension('u').value` as steps; a step `extension:u` selects by URL."""
    found = []
    for match in _STEP.finditer(path):
        url, of_type, as_type, plain = match.groups()
        if url is not None:
            found.append(f"extension:{url}")
        elif plain != "$this":
            found.append(f"type:{of_type or as_type}" if of_type or as_type else plain)
    return found


def _keeps_all(node: Node, catalogue: Catalogue) -> Matches:
    """Without a discriminator that says more: an item belongs when it keeps the whole slice."""
    check = node_check(node, catalogue)

    def matches(item: Item, visit: Visit) -> bool:
        quiet = visit.quiet()
        check(item, quiet)
        return not quiet.has_errors

    return matches


def select(item: Item, steps: list[str], visit: Visit) -> list[Item]:
    """The items that a discriminator path leads to."""
    items = [item]
    for step in steps:
        items = [found for one in items for found in _step(one, step, visit)]
    return items


def _step(item: Item, step: str, visit: Visit) -> list[Item]:
    if step.startswith("type:"):
        type_ = _type_of(item)
        return [item] if type_ == step[5:] else []
    if step == "resolve()":
        literal = item.value.get("reference") if type(item.value) is dict else item.value
        found = visit.resolve(literal) if type(literal) is str else None
        return [Item(found, item.path, found.get("resourceType"))] if found else []
    value = item.value if type(item.value) is dict else item.shadow
    if type(value) is not dict:
        return []
    if step.startswith("extension:"):
        return [
            Item(one, f"{item.path}.extension", "Extension")
            for one in value.get("extension", ())
            if one.get("url") == step[10:]
        ]
    choice = isinstance(shape(_type_of(item)).named.get(step), dict) or (
        step not in value and f"_{step}" not in value
    )
    table = item.type if item.type is None or "resourceType" not in value else value["resourceType"]
    name = f"{step}[x]" if choice else step
    member = shape(table).keyed.get(step)
    named = Node(name, member[1].type if member is not None else None)
    return gatherer(named)(value, item.path)


def _type_of(item: Item) -> str | None:
    if type(item.value) is dict and "resourceType" in item.value:
        return str(item.value["resourceType"])
    return item.type


def _below(node: Node, steps: list[str], catalogue: Catalogue | None) -> tuple[Node | None, Any]:
    """The node a path leads to, or what a pattern above it says of that place."""
    place: Node | None = node
    said: Any = _said(node)
    for step in steps:
        if step.startswith("type:") or step == "resolve()":
            place = _followed(place, catalogue) if step == "resolve()" else place
            continue
        inner = _said_below(said, step)
        place = _child(place, step, catalogue)
        own = _said(place) if place is not None else None
        said = own if own is not None else inner
    return place, said


def _followed(place: Node | None, catalogue: Catalogue | None) -> Node | None:
    """What the profile of the target of a reference says."""
    for type_ in (place.types or ()) if place is not None else ():
        for url in type_.targets:
            structure = catalogue.structure(url) if catalogue is not None else None
            if structure is not None and catalogue is not None:
                return tree_of(structure, catalogue)
    return None


def _said(node: Node | None) -> Any:
    if node is None:
        return None
    return node.fixed if node.fixed is not None else node.pattern


def _said_below(said: Any, step: str) -> Any:
    if type(said) is list:
        inner = [_said_below(one, step) for one in said]
        return next((one for one in inner if one is not None), None)
    if type(said) is not dict:
        return None
    found = said.get(step)
    return found[0] if type(found) is list and len(found) == 1 else found


def _child(node: Node | None, step: str, catalogue: Catalogue | None) -> Node | None:
    if node is None:
        return None
    if step.startswith("extension:"):
        holder = node.children.get("extension")
        for one in holder.slices.values() if holder is not None else ():
            if any(step[10:] in type_.profiles for type_ in one.types or ()):
                return one
        return None
    found = node.children.get(step) or node.children.get(f"{step}[x]")
    if found is None and node.types and catalogue is not None:
        inner = _with_profile(node, catalogue)
        if inner is not node and inner is not None:
            return inner.children.get(step) or inner.children.get(f"{step}[x]")
    return found


def _with_profile(node: Node, catalogue: Catalogue | None) -> Node | None:
    for type_ in node.types or ():
        for url in type_.profiles:
            structure = catalogue.structure(url) if catalogue is not None else None
            if structure is not None and catalogue is not None:
                return tree_of(structure, catalogue)
    return node


def _valued(node: Node, steps: list[str], catalogue: Catalogue) -> Matches:
    if steps == ["url"]:
        urls = frozenset(url for type_ in node.types or () for url in type_.profiles)
        place, said = _below(node, steps, catalogue)
        wanted = urls or frozenset({said})
        return lambda item, _visit: type(item.value) is dict and item.value.get("url") in wanted
    place, said = _below(node, steps, catalogue)
    if said is not None:
        exact = place is not None and place.fixed is not None and place.fixed is said
        fits = matching.equal if exact else matching.fits
        return lambda item, visit: any(fits(one.value, said) for one in select(item, steps, visit))
    if place is None:
        return _keeps_all(node, catalogue)
    check = node_check(_identifying(place), catalogue)

    def matches(item: Item, visit: Visit) -> bool:
        found = select(item, steps, visit)
        for one in found:
            quiet = visit.quiet()
            check(one, quiet)
            if not quiet.has_errors and not quiet.questions:
                return True
        return False

    return matches


def _identifying(node: Node) -> Node:
    """The node with what tells a value from others: no rules, no optional limits."""
    kept = node.copy()
    for one in kept.walk():
        one.rules = {}
        if _said(one) is not None and not one.min:
            one.min = 1
    return kept


def _exists(node: Node, steps: list[str]) -> Matches:
    place, _ = _below(node, steps, None)
    wanted = not (place is not None and place.max == 0)
    return lambda item, visit: bool(select(item, steps, visit)) is wanted


def _of_type(node: Node, steps: list[str]) -> Matches:
    resolved = bool(steps) and steps[-1] == "resolve()"
    place, _ = _below(node, steps[:-1] if resolved else steps, None)
    types = (place.types or ()) if place is not None else ()
    if resolved:
        names = frozenset(url.rpartition("/")[2] for one in types for url in one.targets)
        return lambda item, visit: any(
            pointed_type(one.value, visit) in names for one in select(item, steps[:-1], visit)
        )
    codes = frozenset(one.code for one in types)
    return lambda item, visit: any(_type_of(one) in codes for one in select(item, steps, visit))


def _of_profile(node: Node, steps: list[str]) -> Matches:
    resolved = bool(steps) and steps[-1] == "resolve()"
    place, _ = _below(node, steps[:-1] if resolved else steps, None)
    types = (place.types or ()) if place is not None else ()
    urls = [url for one in types for url in (one.targets if resolved else one.profiles)]

    def matches(item: Item, visit: Visit) -> bool:
        return any(
            type(one.value) is dict and conforms(url, one.value, one.path, visit)
            for one in select(item, steps, visit)
            for url in urls
        )

    return matches
