"""Where in the JSON of a resource do the values of a search parameter stand?

The extractors read them while a hospital writes. Sorting, and tests that no index serves, read
them in the database, by SQL/JSON paths made here from the same expressions.
"""

from __future__ import annotations

from fhir_compiler.elements import Element, child
from fhir_compiler.expressions import Path, parse

Tables = dict[str, dict[str, Element]]
Place = list[str | None]
"""`[path, datatype, target type or None]`; `truth` asks whether the element says yes."""


def places_of(tables: Tables, type_: str, expression: str) -> list[Place]:
    """The places in a resource of the type that an expression names."""
    found: list[Place] = []
    for path in parse(expression):
        if path.root not in (type_, "Resource", "DomainResource", ""):
            continue
        for place in _walked(tables, type_, path):
            if place not in found:
                found.append(place)
    return found


def _walked(tables: Tables, type_: str, path: Path) -> list[Place]:
    nodes = [("$", type_)]
    target = None
    for step in path.steps:
        below = []
        for text, table in nodes:
            for key, _, kind in child(tables, table, step.name):
                if step.as_type and kind.lower() != step.as_type.lower():
                    continue
                here = f'{text}."{key}"' + ("[0]" if step.first else "")
                if step.where:
                    here += f' ? (@."{step.where[0]}" == "{step.where[1]}")'
                below.append((here, kind))
        nodes, target = below, step.target
    # The last step may be a list: `[*]` gives its members, and a single value as it is.
    return [[f"{text}[*]", "truth" if path.truth_of else kind, target] for text, kind in nodes]
