"""Does a resource keep a profile, and where does it not?

The tree of a profile is turned into closures when the profile is first met. They assume that the
resource keeps its type (`base`), and check only what the profile adds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from liane.base.errors import LianeError
from liane.fhir.fhirpath.model import PRIMITIVES
from liane.fhir.profiles import matching, rules
from liane.fhir.profiles.base import elements
from liane.fhir.profiles.binding import code_check
from liane.fhir.profiles.catalogue import Catalogue
from liane.fhir.profiles.findings import finding, of_profile, too_few, too_many, unequal, wrong_type
from liane.fhir.profiles.tree import Node, tree_of
from liane.fhir.profiles.visit import Visit

log = logging.getLogger(__name__)

LIMIT_DEPTH = 30


class Item(NamedTuple):
    """One repetition of an element: its JSON, its place, the type it has."""

    value: Any
    path: str
    type: str | None
    shadow: Any = None
    """The `id` and `extension` of a primitive."""


Check = Callable[[Item, Visit], None]
ProfileCheck = Callable[[Any, str, Visit], None]


def profile_check(url: str, catalogue: Catalogue) -> ProfileCheck | None:
    """The check of a profile by its canonical URL; None when it is not known or not usable."""
    if url in catalogue.compiled:
        return catalogue.compiled[url]
    structure = catalogue.structure(url)
    check: ProfileCheck | None = None
    if structure is not None:
        try:
            check = _compiled(url, tree_of(structure, catalogue), catalogue)
        except LianeError as problem:
            log.warning("%s", problem)
    catalogue.compiled[url] = check
    return check


def _compiled(url: str, root: Node, catalogue: Catalogue) -> ProfileCheck:
    inside = node_check(root, catalogue)

    def check(value: Any, path: str, visit: Visit) -> None:
        if type(value) is not dict or visit.depth > LIMIT_DEPTH:
            return
        type_ = value.get("resourceType", root.table)
        if root.name not in (type_, "Resource", "DomainResource", "Element") and (
            "resourceType" in value
        ):
            visit.issues.append(of_profile(wrong_type(path, str(type_), root.name), url))
            return
        before, outer = len(visit.issues), visit.profile
        visit.profile = url
        visit.depth += 1
        inside(Item(value, path, type_), visit)
        visit.depth -= 1
        visit.profile = outer
        for index in range(before, len(visit.issues)):
            visit.issues[index] = of_profile(visit.issues[index], url)

    return check


def conforms(url: str, value: Any, path: str, visit: Visit) -> bool | None:
    """Whether a value keeps a profile, without telling why not; None for an unknown profile."""
    key = (id(value), url)
    if key in visit.known:
        return visit.known[key]
    check = profile_check(url, visit.catalogue)
    if check is None:
        return None
    visit.known[key] = True  # a profile that comes back to itself asks nothing new
    quiet = visit.quiet()
    check(value, path, quiet)
    visit.known[key] = not quiet.has_errors
    return visit.known[key]


def node_check(node: Node, catalogue: Catalogue) -> Check:
    """What to check of one repetition of an element (or slice)."""
    checks = [*_value_checks(node), *_type_checks(node, catalogue)]
    checks += [_ruled(rule, node) for rule in node.rules.values()]
    children = [group_check(child, catalogue) for child in node.children.values()]

    def check(item: Item, visit: Visit) -> None:
        for one in checks:
            one(item, visit)
        if children:
            value = item.value if type(item.value) is dict else item.shadow
            if type(value) is dict:
                for child in children:
                    child(value, item.path, visit)
            elif value is None or type(value) is not dict:
                _childless(node, item, visit)

    return check


def _childless(node: Node, item: Item, visit: Visit) -> None:
    for child in node.children.values():
        if child.min:
            visit.issues.append(too_few(f"{item.path}.{child.name}", child.min, 0))


def _ruled(rule: Any, node: Node) -> Check:
    by_path = rules.typed_check(rule.key, rule, rule.expression)
    own = node.table

    def check(item: Item, visit: Visit) -> None:
        by_path(item.value, item.path, visit, item.type or own)

    return check


def _value_checks(node: Node) -> list[Check]:
    found: list[Check] = []
    if node.fixed is not None:
        fixed = node.fixed
        said = matching.shown(fixed)
        found.append(
            lambda item, visit: (
                None
                if matching.equal(item.value, fixed)
                else visit.issues.append(unequal(item.path, "fixed", said))
            )
        )
    if node.pattern is not None:
        pattern = node.pattern
        shown = matching.shown(pattern)
        found.append(
            lambda item, visit: (
                None
                if matching.fits(item.value, pattern)
                else visit.issues.append(unequal(item.path, "pattern", shown))
            )
        )
    if node.longest is not None:
        found.append(_length(node.longest))
    if node.lowest is not None or node.highest is not None:
        found.append(_limits(node.lowest, node.highest))
    if node.binding is not None:
        found.append(_bound(node.binding, node))
    return found


def _bound(binding: tuple[str, str], node: Node) -> Check:
    own = node.table
    checks = {
        type_: code_check(type_, *binding)
        for type_ in {one.code for one in node.types or ()} | ({own} if own else set())
    }
    general = {
        type_: code_check(type_, *binding)
        for type_ in ("CodeableConcept", "Coding", "Quantity", "code", "string", "uri")
    }

    def check(item: Item, visit: Visit) -> None:
        bound = checks.get(item.type or own or "") or general.get(item.type or "")
        if bound is not None and item.value is not None:
            bound(item.value, item.path, visit)

    return check


def _length(longest: int) -> Check:
    def check(item: Item, visit: Visit) -> None:
        if type(item.value) is str and len(item.value) > longest:
            visit.issues.append(
                finding(
                    "type",
                    "maxLength",
                    item.path,
                    f"au plus {longest} caractères permis, {len(item.value)} trouvés",
                    f"at most {longest} characters allowed, {len(item.value)} found",
                    code="too-long",
                )
            )

    return check


def _limits(lowest: Any, highest: Any) -> Check:
    def check(item: Item, visit: Visit) -> None:
        value = item.value
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            low = lowest is not None and not isinstance(lowest, dict) and value < Decimal(lowest)
            high = (
                highest is not None and not isinstance(highest, dict) and value > Decimal(highest)
            )
        elif type(value) is str:
            low = type(lowest) is str and value < lowest
            high = type(highest) is str and value > highest
        else:
            return
        if low or high:
            visit.issues.append(
                finding(
                    "type",
                    "minValue" if low else "maxValue",
                    item.path,
                    f"la valeur sort de l’intervalle permis ({lowest} … {highest})",
                    f"the value is outside the allowed range ({lowest} ... {highest})",
                    code="value",
                )
            )

    return check


def _type_checks(node: Node, catalogue: Catalogue) -> list[Check]:
    from liane.fhir.profiles import typing_checks

    return typing_checks.of(node, catalogue) if node.types is not None else []


def group_check(node: Node, catalogue: Catalogue) -> Callable[[dict[str, Any], str, Visit], None]:
    """What to check of all repetitions of one child of an object."""
    from liane.fhir.profiles.slicing import slices_check

    gather = gatherer(node)
    each = node_check(node, catalogue)
    sliced = slices_check(node, catalogue) if node.slices or _is_closed(node) else None
    least, most, name = node.min, node.max, node.name

    asked = least or any(one.min for one in node.slices.values())
    shadow = f"_{name}"
    choice = name.endswith("[x]")

    def check(value: dict[str, Any], path: str, visit: Visit) -> None:
        if not asked and not choice and name not in value and shadow not in value:
            return
        items = gather(value, path)
        if least is not None and len(items) < least:
            visit.issues.append(too_few(f"{path}.{name}", least, len(items)))
        if most is not None and len(items) > most:
            visit.issues.append(too_many(f"{path}.{name}", most, len(items)))
        for item in items:
            each(item, visit)
        if sliced is not None:
            sliced(items, path, visit)

    return check


def _is_closed(node: Node) -> bool:
    return node.slicing is not None and node.slicing.rules == "closed"


def gatherer(node: Node) -> Callable[[dict[str, Any], str], list[Item]]:
    """How the repetitions of an element are found in the JSON of its parent."""
    name = node.name
    if not name.endswith("[x]"):
        type_ = node.table or _single_type(node)
        shadow = f"_{name}"
        return lambda value, path: _items(value, name, shadow, path, type_)
    stem = name[:-3]
    at = len(stem)

    def gather(value: dict[str, Any], path: str) -> list[Item]:
        found: list[Item] = []
        for key in value:
            plain = key[1:] if key[:1] == "_" else key
            if plain[:at] != stem or not plain[at : at + 1].isupper():
                continue
            if plain != key and plain in value:
                continue
            found += _items(value, plain, f"_{plain}", path, _type_named(plain[at:]))
        return found

    return gather


def _single_type(node: Node) -> str | None:
    return node.types[0].code if node.types and len(node.types) == 1 else None


def _type_named(suffix: str) -> str:
    lower = suffix[0].lower() + suffix[1:]
    return lower if lower in PRIMITIVES else suffix


def _items(
    value: dict[str, Any], key: str, shadow_key: str, path: str, type_: str | None
) -> list[Item]:
    child = value.get(key)
    shadow = value.get(shadow_key)
    if child is None and shadow is None:
        return []
    if type(child) is not list and type(shadow) is not list:
        return [Item(child, f"{path}.{key}", type_, shadow)]
    children = child if type(child) is list else []
    shadows = shadow if type(shadow) is list else []
    return [
        Item(
            children[index] if index < len(children) else None,
            f"{path}.{key}[{index}]",
            type_,
            shadows[index] if index < len(shadows) else None,
        )
        for index in range(max(len(children), len(shadows)))
    ]


__all__ = ["Item", "conforms", "elements", "group_check", "node_check", "profile_check"]
