"""Whose record does a resource belong to? (For the journal's line, not for the search index.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PATIENT_ELEMENTS = ("subject", "patient", "beneficiary", "individual", "for", "sourcePatientInfo")


def patient_of(resource: Mapping[str, Any]) -> str | None:
    """The id of the patient a resource is about, None when it is about none."""
    if resource.get("resourceType") == "Patient":
        found = resource.get("id")
        return found if isinstance(found, str) else None
    for element in _PATIENT_ELEMENTS:
        patient = _patient_in(resource.get(element))
        if patient is not None:
            return patient
    participants = resource.get("participant")
    if isinstance(participants, list):
        for participant in participants:
            if isinstance(participant, Mapping):
                patient = _patient_in(participant.get("actor"))
                if patient is not None:
                    return patient
    return None


def _patient_in(reference: Any) -> str | None:
    if not isinstance(reference, Mapping):
        return None
    text = reference.get("reference")
    if not isinstance(text, str) or not text.startswith("Patient/"):
        return None
    return text.split("/", 2)[1] or None


_PROTECTED_EXTENSION = "https://liane.example/fhir/protected-identity"


def is_protected(patient: Mapping[str, Any]) -> bool:
    """Whether a Patient resource asks for protection: label R or V, or our extension."""
    meta = patient.get("meta")
    labels = meta.get("security", []) if isinstance(meta, Mapping) else []
    if any(isinstance(label, Mapping) and label.get("code") in ("R", "V") for label in labels):
        return True
    return any(
        isinstance(extension, Mapping)
        and extension.get("url") == _PROTECTED_EXTENSION
        and extension.get("valueBoolean") is True
        for extension in patient.get("extension", [])
    )
