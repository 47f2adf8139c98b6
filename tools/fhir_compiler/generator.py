"""How is the Python that reads search values out of a resource written from the expressions?

All paths of a type are merged into one tree, so that each element is visited once. The text made
here is a build product: nothing received at run time is ever compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fhir_compiler.elements import Element, child
from fhir_compiler.expressions import Path, Step, parse

Tables = dict[str, dict[str, Element]]
Implied = Callable[[str, str], str | None]

_NUMERIC = ("integer", "decimal", "positiveInt", "unsignedInt")
_QUANTITIES = (
    "Quantity",
    "Age",
    "Duration",
    "Count",
    "Distance",
    "SimpleQuantity",
    "MoneyQuantity",
)
_TEXTS = ("string", "markdown", "id", "uri", "url", "canonical", "oid", "uuid")
HELPERS: dict[str, dict[str, str]] = {
    "token": {
        "code": "token_code",
        "Coding": "token_coding",
        "CodeableConcept": "token_concept",
        "Identifier": "token_identifier",
        "ContactPoint": "token_contact",
        "boolean": "token_boolean",
        **dict.fromkeys(_TEXTS, "token_text"),
    },
    "reference": {
        "Reference": "reference",
        "canonical": "reference_url",
        "uri": "reference_url",
        "Resource": "reference_inline",
    },
    "string": {
        "HumanName": "string_name",
        "Address": "string_address",
        "CodeableConcept": "string_concept",
        **dict.fromkeys(_TEXTS, "string_text"),
    },
    "date": {
        "date": "date_point",
        "dateTime": "date_point",
        "instant": "date_point",
        "Period": "date_period",
        "Timing": "date_timing",
    },
    "number": {**dict.fromkeys(_NUMERIC, "number"), "Range": "quantity_range"},
    "quantity": {
        **dict.fromkeys(_QUANTITIES, "quantity"),
        "Money": "money",
        "Range": "quantity_range",
    },
    "uri": dict.fromkeys(_TEXTS, "uri"),
}
_OBJECTS = {"Coding", "CodeableConcept", "Identifier", "ContactPoint", "Reference", "HumanName"}


@dataclass
class Node:
    """One element of the tree: what to do with its value, and what lies below it."""

    table: str
    emits: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    children: dict[tuple[Any, ...], Node] = field(default_factory=dict)
    composites: dict[str, tuple[list[str], list[tuple[str, str, list[Path]]]]] = field(
        default_factory=dict
    )
    truths: list[tuple[str, list[str]]] = field(default_factory=list)


class TypeGenerator:
    """Writes the extractor of one resource type."""

    def __init__(self, tables: Tables, type_: str, implied: Implied) -> None:
        self.tables = tables
        self.type = type_
        self.implied = implied
        self.root = Node(type_)
        self.lines: list[str] = []
        self.names = 0

    def add(self, name: str, kind: str, expression: str) -> None:
        """Add a simple search parameter."""
        for path in self._own(parse(expression)):
            if path.truth_of:
                keys = [k for k, _, _ in child(self.tables, self.type, path.steps[0].name)]
                self.root.truths.append((name, keys))
            else:
                self._grow(self.root, path.steps, name, kind)

    def add_composite(self, name: str, base: str, components: list[tuple[str, str, str]]) -> None:
        """Add a composite; components are `(name, kind, expression)` below the base path."""
        parsed = [(n, kind, parse(e.replace("%resource.", "Root."))) for n, kind, e in components]
        for path in self._own(parse(base)):
            for node in self._descend(self.root, path.steps):
                key = repr([(kind, paths) for _, kind, paths in parsed])
                node.composites.setdefault(key, ([], parsed))[0].append(name)

    def _own(self, paths: list[Path]) -> list[Path]:
        roots = (self.type, "Resource", "DomainResource", "")
        return [path for path in paths if path.root in roots]

    def _descend(self, node: Node, steps: tuple[Step, ...]) -> list[Node]:
        nodes = [node]
        for step in steps:
            nodes = [below for parent in nodes for below in self._step(parent, step)]
        return nodes

    def _step(self, node: Node, step: Step) -> list[Node]:
        found = []
        for key, many, table in child(self.tables, node.table, step.name):
            if step.as_type and table.lower() != step.as_type.lower():
                continue
            where = (key, many, step.where, step.first, step.target)
            found.append(node.children.setdefault(where, Node(table)))
        return found

    def _grow(self, node: Node, steps: tuple[Step, ...], name: str, kind: str) -> None:
        parents = self._descend(node, steps[:-1])
        last = steps[-1]
        for parent in parents:
            leaves = self._step(parent, last)
            for leaf in leaves:
                helper = HELPERS[kind].get(leaf.table)
                if helper is None:
                    if len(leaves) == 1 and not last.as_type:
                        raise ValueError(f"{self.type} {name}: {kind} of {leaf.table}")
                    continue
                extra = self._extra(helper, parent.table, last)
                names = leaf.emits.setdefault((helper, extra), [])
                if name not in names:
                    names.append(name)

    def _extra(self, helper: str, table: str, step: Step) -> str:
        if helper == "reference" and step.target:
            return f", {step.target!r}"
        if helper == "token_code":
            return f", {self.implied(table, step.name)!r}"
        return ""

    def source(self) -> str:
        """The text of the module."""
        self.lines = [
            f'"""Search values of {self.type}: made by tools/compile_definitions.py."""',
            "",
            "from liane.fhir.search_values import *  # noqa: F403",
            "",
            "",
            "def extract(r, o):",
        ]
        for name, keys in self.root.truths:
            asked = " or ".join(f"r.get({key!r}) not in (None, False)" for key in keys)
            self._line(1, f"token_boolean(o, {(name,)!r}, {asked})")
        self._body(self.root, "r", 1)
        if len(self.lines) == 6:
            self._line(1, "pass")
        return "\n".join(self.lines) + "\n"

    def _line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def _fresh(self) -> str:
        self.names += 1
        return f"v{self.names}"

    def _body(self, node: Node, variable: str, depth: int) -> None:
        for (helper, extra), names in node.emits.items():
            self._line(depth, f"{helper}(o, {tuple(names)!r}, {variable}{extra})")
        groups: dict[tuple[str, bool], list[tuple[tuple[Any, ...], Node]]] = {}
        for key, below in node.children.items():
            groups.setdefault((key[0], key[1]), []).append((key, below))
        for (key_name, many), members in groups.items():
            self._element(key_name, many, members, variable, depth)
        for names, components in node.composites.values():
            self._composite(node, names, components, variable, depth)

    def _element(
        self,
        key: str,
        many: bool,
        members: list[tuple[tuple[Any, ...], Node]],
        variable: str,
        depth: int,
    ) -> None:
        useful = [(k, n) for k, n in members if n.emits or n.children or n.composites]
        if not useful:
            return
        value = self._fresh()
        self._line(depth, f"{value} = {variable}.get({key!r})")
        self._line(depth, f"if {value} is not None:")
        depth += 1
        if many:
            item = self._fresh()
            first = "[:1]" if all(k[3] for k, _ in useful) else ""
            self._line(depth, f"for {item} in {value}{first}:")
            depth += 1
            if not any(n.table in _OBJECTS or n.children for _, n in useful):
                self._line(depth, f"if {item} is not None:")
                depth += 1
            value = item
        for (_, _, where, _, _), node in useful:
            inner = depth
            if where:
                self._line(depth, f"if {value}.get({where[0]!r}) == {where[1]!r}:")
                inner += 1
            self._body(node, value, inner)

    def _composite(
        self,
        node: Node,
        names: list[str],
        components: list[tuple[str, str, list[Path]]],
        variable: str,
        depth: int,
    ) -> None:
        """The last component first: where it is absent, the others are not read at all."""
        collectors = {}
        level = depth
        for index in reversed(range(len(components))):
            name, kind, paths = components[index]
            collector = collectors[index] = self._fresh()
            self._line(level, f"{collector} = Extracted()")
            self._component(node, name, kind, paths, variable, collector, level)
            self._line(level, f"if {collector}:")
            level += 1
        order = ", ".join(collectors[i] for i in range(len(components)))
        self._line(level, f"composite(o, {tuple(names)!r}, {order})")

    def _component(
        self,
        node: Node,
        name: str,
        kind: str,
        paths: list[Path],
        variable: str,
        collector: str,
        depth: int,
    ) -> None:
        for path in paths:
            from_root = path.root == "Root"
            writer = TypeGenerator(self.tables, self.type, self.implied)
            writer.root = Node(self.type if from_root else node.table)
            writer._grow(writer.root, path.steps, name, kind)
            writer.names = self.names
            writer._body(writer.root, "r" if from_root else variable, depth)
            self.names = writer.names
            self.lines += [line.replace("(o, ", f"({collector}, ") for line in writer.lines]
