"""What is the smallest resource of a type that the standard accepts? (made from the definitions)"""

from __future__ import annotations

from typing import Any

from liane.fhir import definitions

_PRIMITIVES: dict[str, Any] = {
    "string": "x",
    "markdown": "x",
    "code": "x",
    "id": "x",
    "uri": "urn:x:1",
    "url": "http://example.org/1",
    "canonical": "http://example.org/1",
    "oid": "urn:oid:1.2.3",
    "uuid": "urn:uuid:6f9619ff-8b86-d011-b42d-00cf4fc964ff",
    "boolean": True,
    "integer": 1,
    "positiveInt": 1,
    "unsignedInt": 1,
    "decimal": 1,
    "date": "2026-01-31",
    "dateTime": "2026-01-31",
    "instant": "2026-01-31T10:20:30Z",
    "time": "10:20:30",
    "base64Binary": "AAAA",
    "xhtml": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>',
}
_X = {"text": "x"}
_THERE = {"reference": "Patient/x"}
_FURTHER: dict[str, dict[str, Any]] = {
    "AllergyIntolerance": {
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                    "code": "active",
                }
            ]
        }
    },
    "Appointment": {
        "status": "proposed",
        "participant": [{"actor": _THERE, "status": "accepted"}],
    },
    "AppointmentResponse": {"actor": _THERE},
    "CapabilityStatement": {
        "kind": "requirements",
        "description": "x",
        "fhirVersion": "4.0.1",
        "rest": [{"mode": "server"}],
    },
    "Consent": {"policyRule": _X},
    "EventDefinition": {"trigger": [{"type": "named-event", "name": "x"}]},
    "EvidenceVariable": {"characteristic": [{"definitionCodeableConcept": _X}]},
    "ImmunizationRecommendation": {
        "recommendation": [{"vaccineCode": [_X], "forecastStatus": _X}],
    },
    "InsurancePlan": {"name": "x"},
    "Linkage": {
        "item": [
            {"type": "source", "resource": _THERE},
            {"type": "alternate", "resource": _THERE},
        ]
    },
    "Organization": {"name": "x"},
    "SearchParameter": {"base": ["Patient"], "type": "token", "expression": "Patient.active"},
    "StructureDefinition": {
        "kind": "logical",
        "abstract": True,
        "differential": {"element": [{"id": "x", "path": "x"}]},
    },
    "Subscription": {
        "status": "off",
        "criteria": "Patient?",
        "channel": {"type": "rest-hook", "endpoint": "http://127.0.0.1:9/x"},
    },
    "TerminologyCapabilities": {"kind": "requirements", "description": "x"},
}
"""What rules of the standard ask for beyond the cardinalities."""


def smallest(type_: str, id_: str | None = None) -> dict[str, Any]:
    """A resource with its required elements and nothing more."""
    resource = {"resourceType": type_, **_content(type_), **_FURTHER.get(type_, {})}
    return resource if id_ is None else {**resource, "id": id_}


def _content(table: str) -> dict[str, Any]:
    content = {}
    for name, element in definitions.elements(table).items():
        if element.minimum > 0 and name != "resourceType":
            kind, targets = element.types[0] if element.types else ("BackboneElement", ())
            value = _value(f"{table}.{name}", kind, targets, element)
            field = name.removesuffix("[x]") + kind[0].upper() + kind[1:] if name.endswith("[x]") else name  # fmt: skip
            content[field] = value if element.maximum == 1 else [value]
    return content


def _value(path: str, kind: str, targets: tuple[str, ...], element: definitions.Element) -> Any:
    code = _code(element.value_set)
    if kind in _PRIMITIVES:
        return code[1] if code and kind == "code" else _PRIMITIVES[kind]
    if kind == "CodeableConcept":
        return {"coding": [{"system": code[0], "code": code[1]}]} if code else {"text": "x"}
    if kind == "Coding":
        return {"system": code[0], "code": code[1]} if code else {"system": "urn:x", "code": "x"}
    if kind == "Reference":
        target = targets[0] if targets and targets[0] != "Resource" else "Patient"
        return {"reference": f"{target}/x"}
    if kind in ("BackboneElement", "Element"):
        return _something(element.content or path)
    if kind == "Identifier":
        return {"system": "urn:x", "value": "x"}
    return _something(kind)


def _something(table: str) -> dict[str, Any]:
    """Its required elements, or one more that says something (rule ele-1)."""
    content = _content(table)
    for name, element in definitions.elements(table).items():
        kind = element.types[0][0] if element.types else ""
        plain = kind in _PRIMITIVES and kind not in ("code", "id", "xhtml", "base64Binary")
        if not content and plain and not name.endswith("[x]") and name != "id":
            value = _PRIMITIVES[kind]
            return {name: value if element.maximum == 1 else [value]}
    return content


def _code(value_set: str | None) -> tuple[str, str] | None:
    systems = definitions.value_set(value_set) if value_set else None
    if not systems:
        return None
    system, codes = min(systems.items())
    return system, min(codes)
