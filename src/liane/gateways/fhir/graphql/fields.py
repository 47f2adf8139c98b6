"""Which fields are asked of an element, once fragments and conditions are worked out?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from liane.gateways.fhir.graphql.documents import Document, directives
from liane.gateways.fhir.graphql.refusals import wrong

_OUTPUT = frozenset({"first", "flatten", "singleton"})
OfType = Callable[[str], bool]


@dataclass
class Field:
    """One field: its name, the name it goes out under, its arguments and what is asked below."""

    name: str
    key: str
    arguments: dict[str, Any]
    first: bool = False
    flatten: bool = False
    singleton: bool = False
    slice: str | None = None
    below: list[SelectionSetNode] = field(default_factory=list)
    """Selection sets of the same field written several times are taken together."""

    @property
    def look(self) -> tuple[object, ...]:
        """What must be the same where a field is written twice."""
        return self.name, repr(self.arguments), self.first, self.flatten, self.singleton, self.slice


def fields(document: Document, sets: list[SelectionSetNode], of_type: OfType) -> list[Field]:
    """The fields in the order they were asked; `of_type` decides which fragments apply."""
    found: dict[str, Field] = {}
    for selections in sets:
        for one in _walk(document, selections, of_type):
            before = found.get(one.key)
            if before is None:
                found[one.key] = one
            elif before.look != one.look:
                raise wrong(
                    f"deux champs différents sous le nom « {one.key} » : employer un alias",
                    f"two different fields under the name '{one.key}': use an alias",
                )
            else:
                before.below += one.below
    return list(found.values())


def _walk(document: Document, selections: SelectionSetNode, of_type: OfType) -> Iterator[Field]:
    for selection in selections.selections:
        if not _wanted(document, selection):
            continue
        if isinstance(selection, FieldNode):
            yield _field(document, selection)
            continue
        assert isinstance(selection, (FragmentSpreadNode, InlineFragmentNode))
        fragment = (
            document.fragment(selection) if isinstance(selection, FragmentSpreadNode) else selection
        )
        condition = fragment.type_condition
        if condition is None or of_type(condition.name.value):
            yield from _walk(document, fragment.selection_set, of_type)


def _wanted(document: Document, selection: Any) -> bool:
    """`@skip` and `@include`."""
    for directive in directives(selection):
        name = directive.name.value
        if name in ("skip", "include"):
            condition = document.arguments(directive).get("if")
            if condition is not None and type(condition) is not bool:
                raise wrong(f"@{name}(if:) est un booléen", f"@{name}(if:) is a boolean")
            if bool(condition) == (name == "skip"):
                return False
        elif name not in _OUTPUT and name != "slice":
            raise wrong(f"directive @{name} inconnue", f"unknown directive @{name}")
    return True


def _field(document: Document, node: FieldNode) -> Field:
    found = Field(
        node.name.value,
        node.alias.value if node.alias else node.name.value,
        document.arguments(node),
        below=[node.selection_set] if node.selection_set else [],
    )
    for directive in directives(node):
        name = directive.name.value
        if name in _OUTPUT:
            setattr(found, name, True)
        elif name == "slice":
            path = document.arguments(directive).get("path")
            if not isinstance(path, str):
                raise wrong("@slice(path:) est un texte", "@slice(path:) is a text")
            found.slice = path
    if found.slice is not None and (found.flatten or found.first):
        raise wrong("@slice exclut @flatten et @first", "@slice excludes @flatten and @first")
    return found
