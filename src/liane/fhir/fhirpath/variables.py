"""What does `%name` mean?"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.nodes import Items, node_of
from liane.fhir.fhirpath.scope import Run, Scope

_FIXED = MappingProxyType(
    {
        "sct": "http://snomed.info/sct",
        "loinc": "http://loinc.org",
        "ucum": "http://unitsofmeasure.org",
    }
)
_STEMS = MappingProxyType(
    {
        "vs-": "http://hl7.org/fhir/ValueSet/",
        "ext-": "http://hl7.org/fhir/StructureDefinition/",
    }
)


def external(name: str) -> Run:
    """The function that gives the value of `%name`."""
    fixed = _FIXED.get(name)
    for stem, address in _STEMS.items():
        if fixed is None and name.startswith(stem):
            fixed = address + name.removeprefix(stem)
    if fixed is not None:
        text = fixed
        return lambda _scope, _focus: [text]
    if name in ("context", "resource", "rootResource"):
        attribute = "root" if name == "rootResource" else name

        def given(scope: Scope, _focus: Items) -> Items:
            items: Items = getattr(scope.env, attribute)
            return items

        return given
    return _variable(name)


def _variable(name: str) -> Run:
    def variable(scope: Scope, _focus: Items) -> Items:
        if scope.variables is not None and name in scope.variables:
            return scope.variables[name]
        if name not in scope.env.variables:
            raise Wrong(f"variable « %{name} » inconnue", f"unknown variable '%{name}'")
        return items_of(scope.env.variables[name])

    return variable


def items_of(value: Any) -> Items:
    """A value given from outside as a collection."""
    if value is None:
        return []
    if isinstance(value, list):
        return [node_of(item) for item in value]
    return [node_of(value)]
