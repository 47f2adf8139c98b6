"""Promise: what R4 forbids is refused with its place and a reason; what it allows passes."""

from __future__ import annotations

from typing import Any

import pytest

from liane.base.errors import Invalid
from liane.fhir import json as fhir_json
from liane.fhir.validation import check, validate

pytestmark = pytest.mark.unit

LOINC = "http://loinc.org"


def observation(**changes: Any) -> dict[str, Any]:
    base = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "2823-3"}]},
        "subject": {"reference": "Patient/1"},
    }
    base.update(changes)
    return {key: value for key, value in base.items() if value != "absent"}


def patient(**changes: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **changes}


VALID = {
    "observation": observation(valueQuantity={"value": 4, "unit": "mmol/L"}),
    "extension on a primitive": patient(
        birthDate="1980-01-02",
        _birthDate={"extension": [{"url": "https://example.org/x", "valueString": "about"}]},
    ),
    "narrative": observation(
        text={
            "status": "generated",
            "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p class="a">Kaliémie</p></div>',
        }
    ),
    "absent value with its reason": observation(dataAbsentReason={"text": "hémolysé"}),
    "period of one day": patient(identifier=[{"period": {"start": "2024", "end": "2024"}}]),
}

WRONG = {
    "status is a number": (observation(status=5), "Observation.status"),
    "nested wrong type": (observation(code={"text": 5}), "Observation.code.text"),
    "unknown field": (observation(colour="red"), "Observation.colour"),
    "unknown nested field": (observation(code={"colour": "x"}), "Observation.code.colour"),
    "category is not a list": (observation(category={"text": "x"}), "Observation.category"),
    "status missing": (observation(status="absent"), "Observation.status"),
    "code given as a list": (observation(code=[{"text": "x"}]), "Observation.code"),
    "two values": (observation(valueString="a", valueBoolean=True), "Observation.value[x]"),
    "extension without url": (
        patient(extension=[{"valueString": "x"}]),
        "Patient.extension[0].url",
    ),
    "impossible dateTime": (
        observation(effectiveDateTime="2020-13-45"),
        "Observation.effectiveDateTime",
    ),
    "birth date in another form": (patient(birthDate="01/01/1980"), "Patient.birthDate"),
    "status outside its list": (observation(status="zzz"), "Observation.status"),
    "comparator outside its list": (
        observation(valueQuantity={"value": 5, "comparator": "~"}),
        "Observation.valueQuantity.comparator",
    ),
    "gender in French": (patient(gender="homme"), "Patient.gender"),
    "id with a blank": (observation(id="a b"), "Observation.id"),
    "empty list": (observation(category=[]), "Observation.category"),
    "object with nothing in it": (observation(method={}), "Observation.method"),
    "object with only an id": (observation(method={"id": "a"}), "Observation.method"),
    "null": (observation(subject=None), "Observation.subject"),
    "obs-6": (observation(valueString="x", dataAbsentReason={"text": "y"}), "Observation"),
    "pat-1": (patient(contact=[{"gender": "male"}]), "Patient.contact[0]"),
    "reference to a wrong type": (
        observation(subject={"reference": "Encounter/1"}),
        "Observation.subject.reference",
    ),
    "coded status outside its list": (
        {
            "resourceType": "Condition",
            "subject": {"reference": "Patient/1"},
            "clinicalStatus": {"coding": [{"system": "https://example.org", "code": "active"}]},
        },
        "Condition.clinicalStatus",
    ),
    "end before start": (
        patient(identifier=[{"period": {"start": "2024-02", "end": "2024-01"}}]),
        "Patient.identifier[0].period",
    ),
    "script in a narrative": (
        observation(text={"status": "generated", "div": "<div><script>x</script></div>"}),
        "Observation.text.div",
    ),
    "handler in a narrative": (
        observation(text={"status": "generated", "div": "<div><p onclick='x'>x</p></div>"}),
        "Observation.text.div",
    ),
    "script hidden behind a second bracket": (
        observation(text={"status": "generated", "div": "<div><script <b>x</div>"}),
        "Observation.text.div",
    ),
    "link that runs": (
        observation(text={"status": "generated", "div": "<div><a href='javascript:x'>x</a></div>"}),
        "Observation.text.div",
    ),
    "control character": (observation(valueString="a\x0bb"), "Observation.valueString"),
    "wrong code in a contained resource": (
        observation(contained=[patient(gender="femme")]),
        "Observation.contained[0].gender",
    ),
    "unknown type": ({"resourceType": "Zorro"}, "Zorro"),
}


@pytest.mark.parametrize("name", VALID)
def test_what_is_allowed_passes(name: str) -> None:
    assert validate(VALID[name]) == []


@pytest.mark.parametrize("name", WRONG)
def test_what_is_forbidden_is_found_at_its_place(name: str) -> None:
    resource, path = WRONG[name]
    issues = [issue for issue in validate(resource) if issue.severity == "error"]
    assert path in {issue.path for issue in issues}
    assert all(issue.fr and issue.en for issue in issues)


def test_a_refusal_carries_every_issue() -> None:
    with pytest.raises(Invalid) as refusal:
        check(observation(status=5, colour="red"))
    assert {issue.path for issue in refusal.value.issues} == {
        "Observation.status",
        "Observation.colour",
    }


def test_a_decimal_keeps_its_digits() -> None:
    text = '{"resourceType":"Observation","valueQuantity":{"value":72.50}}'
    assert fhir_json.dumps(fhir_json.loads(text)) == text


VALI = {
    "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability",
    "extension": [{"url": "identityStatus", "valueCoding": {"code": "VALI"}}],
}
INS = {"use": "official", "system": "urn:oid:1.2.250.1.213.1.4.10", "value": "123456789012345"}
BORN_NOWHERE = {
    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
    "valueAddress": {
        "extension": [
            {
                "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code",
                "valueCoding": {"code": "99999"},
            }
        ]
    },
}


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"extension": [VALI], "identifier": [INS]}, []),
        ({"identifier": [{"value": "1"}]}, []),
        ({"extension": [VALI], "identifier": [{"value": "1"}]}, ["fr-core-1"]),
        ({"extension": [VALI], "identifier": [INS, {**INS, "value": "2"}]}, ["fr-core-2"]),
        ({"extension": [VALI, BORN_NOWHERE], "identifier": [INS]}, ["fr-core-3"]),
    ],
)
def test_a_validated_french_identity_carries_one_ins(
    changes: dict[str, Any], keys: list[str]
) -> None:
    found = [issue.en.rpartition("(")[2].rstrip(")") for issue in validate(patient(**changes))]
    assert found == keys
