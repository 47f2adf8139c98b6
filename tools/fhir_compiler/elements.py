"""Which elements does each type have, how often, of which type, bound to which codes?"""

from __future__ import annotations

from typing import Any

from fhir_compiler.package import Package

Element = list[Any]
"""`[min, max, [[type, targets], ...], value set or None, content reference or None]`;
max -1 = any number."""

_INVARIANT_PREFIXES = ("dom-", "ele-", "ext-")


def compile_elements(package: Package) -> dict[str, dict[str, Element]]:
    """Element tables keyed by type or backbone path: `{"Observation": {"status": ...}}`."""
    tables: dict[str, dict[str, Element]] = {}
    for name, definition in package.structures.items():
        if definition["kind"] == "primitive-type":
            continue
        if definition["kind"] == "resource" and name not in package.types:
            continue
        for element in package.elements(name):
            path = element["path"]
            parent, _, child = path.rpartition(".")
            if not parent:
                tables.setdefault(path, {})
                continue
            tables.setdefault(parent, {})[child] = _compile(package, element)
    return tables


def _compile(package: Package, element: dict[str, Any]) -> Element:
    maximum = -1 if element["max"] == "*" else int(element["max"])
    types = [[_type_name(t), package.targets(t)] for t in element.get("type", [])]
    reference = element.get("contentReference")
    return [
        element["min"],
        maximum,
        types,
        _required_value_set(element),
        reference.lstrip("#") if reference else None,
    ]


def _type_name(element_type: dict[str, Any]) -> str:
    code: str = element_type["code"]
    if not code.startswith("http://hl7.org/fhirpath/"):
        return code
    for extension in element_type.get("extension", []):
        if extension["url"].endswith("structuredefinition-fhir-type"):
            return str(extension["valueUrl"])
    return "string"


def _required_value_set(element: dict[str, Any]) -> str | None:
    binding = element.get("binding", {})
    if binding.get("strength") != "required" or "valueSet" not in binding:
        return None
    return str(binding["valueSet"]).partition("|")[0]


def child(
    tables: dict[str, dict[str, Element]], table: str, step: str
) -> list[tuple[str, bool, str]]:
    """What the path step `step` under `table` can be: `(JSON key, is a list, type or table)`.

    A choice element (`value`) gives one answer for each of its types.
    """
    elements = tables[table]
    plain = elements.get(step)
    if plain is not None:
        many = plain[1] != 1
        if plain[4]:
            return [(step, many, plain[4])]
        type_ = plain[2][0][0]
        backbone = f"{table}.{step}"
        return [(step, many, backbone if backbone in tables else type_)]
    choice = elements.get(f"{step}[x]")
    if choice is None:
        raise KeyError(f"{table}.{step}")
    return [(step + t[0][0].upper() + t[0][1:], choice[1] != 1, t[0]) for t in choice[2]]
