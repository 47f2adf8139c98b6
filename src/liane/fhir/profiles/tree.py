"""What does a profile ask at each place, all its ancestors taken together?

A profile is a tree of nodes that hold only what it says beyond the type it constrains. A snapshot
is such a tree already; for a definition that only has a differential, the differential is laid on
the tree of its base (R4 profiling, 5.1.0.14), so no snapshot needs to be written out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from liane.base.errors import Invalid
from liane.fhir.profiles.base import elements
from liane.fhir.profiles.catalogue import CORE, Catalogue
from liane.fhir.profiles.structures import (
    UNBOUNDED,
    Element,
    Rule,
    Slicing,
    Structure,
    Type,
)

LIMIT_DEPTH = 24
_TYPED = re.compile(r"[A-Z]")


@dataclass(slots=True)
class Node:
    """One place: an element, or one slice of it."""

    name: str
    table: str | None
    """The element table of its content; None when it has several types or none."""
    min: int | None = None
    max: int | None = None
    types: tuple[Type, ...] | None = None
    fixed: Any = None
    pattern: Any = None
    binding: tuple[str, str] | None = None
    rules: dict[str, Rule] = field(default_factory=dict)
    slicing: Slicing | None = None
    longest: int | None = None
    lowest: Any = None
    highest: Any = None
    children: dict[str, Node] = field(default_factory=dict)
    slices: dict[str, Node] = field(default_factory=dict)

    def copy(self) -> Node:
        """A copy that may be changed without changing this one."""
        return Node(
            self.name,
            self.table,
            self.min,
            self.max,
            self.types,
            self.fixed,
            self.pattern,
            self.binding,
            dict(self.rules),
            self.slicing,
            self.longest,
            self.lowest,
            self.highest,
            {name: child.copy() for name, child in self.children.items()},
            {name: child.copy() for name, child in self.slices.items()},
        )

    def walk(self) -> Iterator[Node]:
        """The node itself and all below it."""
        yield self
        for child in (*self.children.values(), *self.slices.values()):
            yield from child.walk()


def tree_of(structure: Structure, catalogue: Catalogue, depth: int = 0) -> Node:
    """The tree of a profile. Raises `Invalid` when its ancestors are not all known."""
    known = catalogue.trees.get(structure.url)
    if known is not None:
        return known  # type: ignore[no-any-return]
    if depth > LIMIT_DEPTH:
        raise _refused(structure.url, "il dérive de lui-même", "it is derived from itself")
    root = Node(structure.type, structure.type)
    if not structure.complete and not _is_core(structure.base):
        base = catalogue.structure(structure.base)
        if base is None:
            raise _refused(
                structure.url,
                f"sa base {structure.base} n’est pas connue",
                f"its base {structure.base} is not known",
            )
        root = tree_of(base, catalogue, depth + 1).copy()
    unfold = None if structure.complete else _Unfolding(catalogue, depth + 1)
    for element in structure.elements:
        _lay(root, element, unfold)
    _slice_by_default(root)
    _without_types_own(root, structure.type)
    catalogue.trees[structure.url] = root
    return root


def _slice_by_default(root: Node) -> None:
    """Extensions are sliced by their address and choices by their type, said or not."""
    for node in root.walk():
        if node.slices and (node.slicing is None or not node.slicing.discriminators):
            rules = node.slicing.rules if node.slicing is not None else "open"
            if node.name in ("extension", "modifierExtension"):
                node.slicing = Slicing((("value", "url"),), ordered=False, rules=rules)
            elif node.name.endswith("[x]"):
                node.slicing = Slicing((("type", "$this"),), ordered=False, rules=rules)


def _is_core(url: str) -> bool:
    return url.startswith(CORE) and url[len(CORE) :][:1].isupper()


def _refused(url: str, fr: str, en: str) -> Invalid:
    return Invalid(
        "profile.unusable",
        f"Le profil {url} ne peut pas être vérifié : {fr}.",
        f"The profile {url} cannot be checked: {en}.",
    )


class _Unfolding:
    """A differential may speak of what the profile of a type defines, below an element of it:
    that profile's own tree is put there first.
    """

    def __init__(self, catalogue: Catalogue, depth: int) -> None:
        self._catalogue = catalogue
        self._depth = depth
        self._done: set[int] = set()

    def __call__(self, node: Node) -> None:
        """Put the content of the node's only profile below it, once."""
        urls = [url for one in node.types or () for url in one.profiles]
        if len(urls) != 1 or id(node) in self._done:
            return
        self._done.add(id(node))
        structure = self._catalogue.structure(urls[0])
        if structure is None:
            return
        inside = tree_of(structure, self._catalogue, self._depth).copy()
        node.table = node.table or inside.table
        for name, child in inside.children.items():
            node.children.setdefault(name, child)
        for key, rule in inside.rules.items():
            node.rules.setdefault(key, rule)


def _lay(root: Node, element: Element, unfold: _Unfolding | None) -> None:
    """Put what one element says at its place in the tree."""
    node = root
    for segment in element.id.split(".")[1:]:
        if unfold is not None:
            unfold(node)
        name, *names = re.split("[:/]", segment)
        node = _child(node, name)
        for one in names:
            node = node.slices.setdefault(one, Node(node.name, node.table))
    _say(node, element)


def _child(node: Node, name: str) -> Node:
    """The child of that name; `valueQuantity` is the Quantity slice of `value[x]`."""
    found = node.children.get(name)
    if found is not None:
        return found
    known = elements(node.table) if node.table else {}
    if known and name not in known:
        for match in _TYPED.finditer(name):
            choice = f"{name[: match.start()]}[x]"
            if choice in known:
                return _typed(node, choice, name, name[match.start() :])
    return node.children.setdefault(name, Node(name, _table(node.table, name)))


def _typed(node: Node, choice: str, name: str, suffix: str) -> Node:
    types = [
        type_
        for type_ in elements(node.table or "")[choice].types or ()
        if type_.code.lower() == suffix.lower()
    ]
    parent = node.children.setdefault(choice, Node(choice, None))
    if parent.slicing is None:
        parent.slicing = Slicing((("type", "$this"),), ordered=False, rules="open")
    table = types[0].code if types else None
    if name not in parent.slices:
        parent.slices[name] = Node(choice, table, types=tuple(types))
    return parent.slices[name]


def _table(parent: str | None, name: str) -> str | None:
    if parent is None:
        return None
    element = elements(parent).get(name)
    if element is None:
        return None
    if element.content:
        return element.content
    if elements(f"{parent}.{name}"):
        return f"{parent}.{name}"
    types = element.types or ()
    return types[0].code if len(types) == 1 else None


def _say(node: Node, element: Element) -> None:
    if element.min is not None:
        node.min = element.min
    if element.max is not None:
        node.max = element.max
    if element.types is not None:
        node.types = element.types
        if node.table is None and len(element.types) == 1:
            node.table = element.types[0].code
            for one in node.slices.values():
                one.table = one.table or node.table
    for name in ("fixed", "pattern", "binding", "slicing", "longest", "lowest", "highest"):
        said = getattr(element, name)
        if said is not None:
            setattr(node, name, said)
    for rule in element.rules:
        node.rules[rule.key] = rule


def _without_types_own(node: Node, table: str | None) -> None:
    """Leave out what the type itself says: it has been checked with the type."""
    if table is not None:
        for rule in _own_rules(table):
            node.rules.pop(rule, None)
        for one in node.slices.values():
            for rule in _own_rules(table):
                one.rules.pop(rule, None)
    for name, child in list(node.children.items()):
        own = elements(table).get(name) if table else None
        if own is not None:
            for one in (child, *child.slices.values()):
                _without(one, own, sliced=one is not child)
        _without_types_own(child, child.table)
        for one in child.slices.values():
            _without_types_own(one, one.table)
        if _is_silent(child):
            del node.children[name]


def _own_rules(table: str) -> set[str]:
    own = elements(table.rpartition(".")[0]).get(table.rpartition(".")[2]) if "." in table else None
    if own is not None:
        return {rule.key for rule in own.rules}
    from liane.fhir.profiles import rules

    return {rule.key for rule in rules.published(table)}


def _without(node: Node, own: Element, *, sliced: bool) -> None:
    for rule in own.rules:
        node.rules.pop(rule.key, None)
    if not sliced and node.min is not None and node.min <= (own.min or 0):
        node.min = None
    if sliced and node.min == 0:
        node.min = None
    if node.max is not None and node.max == (UNBOUNDED if sliced else own.max):
        node.max = None
    if node.max == UNBOUNDED:
        node.max = None
    if node.types is not None and not sliced and (node.types == own.types or node.name == "id"):
        node.types = None
    if node.binding == own.binding:
        node.binding = None


def _is_silent(node: Node) -> bool:
    said = (node.min, node.max, node.types, node.fixed, node.pattern, node.binding)
    limits = (node.longest, node.lowest, node.highest)
    closed = node.slicing is not None and node.slicing.rules != "open"
    return (
        all(one is None for one in (*said, *limits))
        and not (node.rules or node.children or node.slices)
        and not closed
    )
