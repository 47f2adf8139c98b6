"""What goes into which section of a patient summary, and what is said when there is nothing?

International Patient Summary. Pure. A statement that nothing is known ("no known allergy") is only
repeated when somebody made it; when nobody did, the summary says that there is no information.
Whatever could be an allergy is told, with its status, and crowds out any "none known".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Resource = Mapping[str, Any]

ABSENT = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
_NOTHING_KNOWN = frozenset(
    {"716186003", "160244002", "787481004", "160245001", "no-known-allergies",
     "no-known-problems", "no-known-medications"}
)  # fmt: skip
_GENERAL_NO_ALLERGY = frozenset({"716186003", "160244002", "no-known-allergies", "no-allergy-info"})
_NOT_RESULTS = frozenset({"vital-signs", "social-history", "survey", "activity", "therapy"})
_CURRENT = frozenset({"active", "recurrence", "relapse", ""})
_WRONG = frozenset({"entered-in-error"})


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the summary."""

    key: str
    code: str
    """LOINC."""
    title_fr: str
    title_en: str
    types: tuple[str, ...]
    holds: Callable[[Resource], bool]
    required: bool = False
    unknown: tuple[str, str] | None = None
    """Code of absent-unknown-uv-ips that says "no information", and the type that carries it."""
    optional: bool = False
    """Left out when it is empty."""


def codes(concept: Any) -> set[str]:
    """The codes of a CodeableConcept."""
    codings = (concept or {}).get("coding", []) if isinstance(concept, Mapping) else []
    return {str(one.get("code", "")) for one in codings if isinstance(one, Mapping)}


def status(resource: Resource, name: str) -> str:
    """The code of a status that is a CodeableConcept; "" without one."""
    return next(iter(sorted(codes(resource.get(name)))), "")


def categories(resource: Resource) -> set[str]:
    """All codes of all categories."""
    told = resource.get("category", [])
    every = told if isinstance(told, list) else [told]
    return set().union(*(codes(one) for one in every)) if every else set()


def _allergy(resource: Resource) -> bool:
    return status(resource, "verificationStatus") not in _WRONG


def _credible(resource: Resource) -> bool:
    return status(resource, "verificationStatus") not in {"entered-in-error", "refuted"}


def _problem(resource: Resource) -> bool:
    return _credible(resource) and status(resource, "clinicalStatus") in _CURRENT


def _past_problem(resource: Resource) -> bool:
    return _credible(resource) and status(resource, "clinicalStatus") not in _CURRENT


def _medication(resource: Resource) -> bool:
    if resource["resourceType"] == "MedicationRequest":
        orders = resource.get("intent") not in {"proposal", "option"}
        return orders and resource.get("status") in {"active", "on-hold", "unknown"}
    return resource.get("status") in {"active", "intended", "on-hold", "unknown"}


def _done(resource: Resource) -> bool:
    return resource.get("status") not in {"entered-in-error", "not-done", "preparation"}


def _device(resource: Resource) -> bool:
    return resource.get("status") not in _WRONG


def _observed(resource: Resource) -> bool:
    return resource.get("status") not in {"entered-in-error", "cancelled", "registered"}


def _result(resource: Resource) -> bool:
    if resource["resourceType"] == "DiagnosticReport":
        return _observed(resource)
    return _observed(resource) and not categories(resource) & _NOT_RESULTS


def _vital(resource: Resource) -> bool:
    return _observed(resource) and "vital-signs" in categories(resource)


def _social(resource: Resource) -> bool:
    return _observed(resource) and "social-history" in categories(resource)


SECTIONS = (
    Section("allergies", "48765-2", "Allergies et intolérances", "Allergies and intolerances",
            ("AllergyIntolerance",), _allergy, True, ("no-allergy-info", "AllergyIntolerance")),
    Section("medications", "10160-0", "Traitements", "Medications",
            ("MedicationStatement", "MedicationRequest"), _medication, True,
            ("no-medication-info", "MedicationStatement")),
    Section("problems", "11450-4", "Problèmes", "Problems", ("Condition",), _problem, True,
            ("no-problem-info", "Condition")),
    Section("immunizations", "11369-6", "Vaccinations", "Immunizations", ("Immunization",), _done),
    Section("procedures", "47519-4", "Actes", "Procedures", ("Procedure",), _done),
    Section("devices", "46264-8", "Dispositifs médicaux", "Medical devices",
            ("DeviceUseStatement", "Device"), _device),
    Section("results", "30954-2", "Résultats", "Results",
            ("Observation", "DiagnosticReport"), _result),
    Section("vitals", "8716-3", "Constantes", "Vital signs", ("Observation",), _vital,
            optional=True),
    Section("past", "11348-0", "Antécédents", "Past illness", ("Condition",), _past_problem,
            optional=True),
    Section("social", "29762-2", "Mode de vie", "Social history", ("Observation",), _social,
            optional=True),
)  # fmt: skip


def kept(section: Section, resources: Iterable[Resource]) -> list[Resource]:
    """What the section tells of these resources."""
    found = [r for r in resources if r["resourceType"] in section.types and section.holds(r)]
    if section.key == "allergies":
        real = [r for r in found if not codes(r.get("code")) & _GENERAL_NO_ALLERGY]
        return real or found
    if section.required:
        real = [r for r in found if not nothing_known(r)]
        return real or found
    return found


def nothing_known(resource: Resource) -> bool:
    """Whether the resource states that there is nothing."""
    concept = resource.get("code") or resource.get("medicationCodeableConcept")
    return bool(codes(concept) & _NOTHING_KNOWN)


def no_information(section: Section, patient: str, words: str, id_: str) -> dict[str, Any]:
    """The entry of a required section about which nobody has said anything."""
    assert section.unknown is not None
    code, type_ = section.unknown
    concept = {"coding": [{"system": ABSENT, "code": code}], "text": words}
    subject = {"reference": patient}
    clinical = "http://terminology.hl7.org/CodeSystem"
    if type_ == "AllergyIntolerance":
        active = {
            "coding": [{"system": f"{clinical}/allergyintolerance-clinical", "code": "active"}]
        }
        facts = {"clinicalStatus": active, "code": concept, "patient": subject}
    elif type_ == "Condition":
        active = {"coding": [{"system": f"{clinical}/condition-clinical", "code": "active"}]}
        facts = {"clinicalStatus": active, "code": concept, "subject": subject}
    else:
        reason = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
        unknown = {"extension": [{"url": reason, "valueCode": "unknown"}]}
        facts = {"status": "unknown", "medicationCodeableConcept": concept, "subject": subject,
                 "effectivePeriod": unknown}  # fmt: skip
    return {"resourceType": type_, "id": id_, **facts}
