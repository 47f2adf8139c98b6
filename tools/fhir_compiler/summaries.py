"""Which elements belong to the summary of a type, and which resources to a compartment?"""

from __future__ import annotations

from typing import Any

from fhir_compiler.package import Package


def compile_summaries(package: Package) -> dict[str, list[str]]:
    """Names of the summary elements of each type and of each part of it, `[x]` kept."""
    found: dict[str, list[str]] = {}
    for type_ in package.types:
        for element in package.elements(type_):
            parent, _, child = element["path"].rpartition(".")
            if parent and element.get("isSummary"):
                found.setdefault(parent, []).append(child)
    return found


def compile_compartments(package: Package) -> dict[str, dict[str, list[str]]]:
    """`{"Encounter": {type: [parameters that tie it to the encounter]}}`; `{def}` is the type
    itself.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for resource in package.read("profiles-resources.json"):
        if resource["resourceType"] == "CompartmentDefinition":
            found[resource["code"]] = _ties(resource)
    return found


def _ties(resource: dict[str, Any]) -> dict[str, list[str]]:
    return {entry["code"]: entry["param"] for entry in resource["resource"] if "param" in entry}
