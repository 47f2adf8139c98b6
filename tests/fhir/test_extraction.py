"""Promise: generated extraction finds exactly the values the R4 search expressions name."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from liane.base.errors import Invalid
from liane.fhir import definitions
from liane.fhir.extraction import Ref, Token, extract

pytestmark = pytest.mark.unit

POTASSIUM: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "k1",
    "status": "final",
    "category": [{"coding": [{"system": "urn:c", "code": "laboratory"}]}],
    "code": {
        "coding": [
            {"system": "http://loinc.org", "code": "2823-3"},
            {"system": "urn:local", "code": "K"},
        ]
    },
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2024-05-03T10:11:12+02:00",
    "valueQuantity": {
        "value": Decimal("6.50"),
        "comparator": ">",
        "system": "http://unitsofmeasure.org",
        "code": "mmol/L",
    },
}


def test_a_laboratory_result() -> None:
    found = extract(POTASSIUM)
    assert found.patient == "p1"
    assert found.at == datetime(2024, 5, 3, 8, 11, 12, tzinfo=UTC)
    assert Token("code", "http://loinc.org", "2823-3") in found.tokens
    assert Token("code", "urn:local", "K") in found.tokens
    assert Token("status", "http://hl7.org/fhir/observation-status", "final") in found.tokens
    assert Ref("patient", "Patient", "p1") in found.references
    value = next(n for n in found.numbers if n.param == "value-quantity")
    assert (value.value, value.low, value.high) == (Decimal("6.50"), Decimal("6.50"), None)
    pairs = [c for c in found.composites if c.param == "code-value-quantity"]
    assert {c.parts[0].code for c in pairs} == {"2823-3", "K"}


def test_a_blood_pressure_pairs_each_component_with_its_own_value() -> None:
    def component(code: str, value: int) -> dict[str, Any]:
        coded = {"coding": [{"system": "http://loinc.org", "code": code}]}
        return {"code": coded, "valueQuantity": {"value": value, "unit": "mmHg"}}

    resource = {k: v for k, v in POTASSIUM.items() if k != "valueQuantity"}
    resource["component"] = [component("8480-6", 120), component("8462-4", 80)]
    pairs = [
        c.parts for c in extract(resource).composites if c.param == "component-code-value-quantity"
    ]
    assert {(parts[0].code, parts[1].value) for parts in pairs} == {("8480-6", 120), ("8462-4", 80)}


def test_a_patient_is_in_the_own_compartment() -> None:
    resource = {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [
            {
                "system": "urn:ipp",
                "value": "42",
                "type": {"coding": [{"system": "urn:t", "code": "PI"}]},
            }
        ],
        "name": [{"use": "official", "family": "D’Été", "given": ["Zoé", None]}],
        "birthDate": "1980-01-02",
    }
    found = extract(resource)
    assert found.patient == "p1"
    assert Token("identifier:of-type", "urn:t", "PI|42") in found.tokens
    assert Token("deceased", None, "false") in found.tokens
    assert ("family", "D’Été") in found.strings
    assert ("given", "Zoé") in found.strings
    assert any(span.param == "birthdate" for span in found.dates)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"reference": "Patient/a"}, Ref("subject", "Patient", "a")),
        ({"reference": "Patient/a/_history/3"}, Ref("subject", "Patient", "a")),
        ({"reference": "urn:uuid:0"}, Ref("subject", None, None, None, "urn:uuid:0")),
        (
            {"reference": "https://other.example/fhir/Patient/a"},
            Ref("subject", "Patient", None, None, "https://other.example/fhir/Patient/a"),
        ),
        (
            {"identifier": {"system": "urn:ipp", "value": "1"}, "type": "Patient"},
            Ref("subject", "Patient", None, ("urn:ipp", "1")),
        ),
        ({"reference": "#inside"}, None),
    ],
)
def test_references(reference: dict[str, Any], expected: Ref | None) -> None:
    found = [
        r for r in extract({**POTASSIUM, "subject": reference}).references if r.param == "subject"
    ]
    assert found == ([expected] if expected else [])


def test_a_foreign_server_s_patient_is_not_ours() -> None:
    foreign = {"reference": "https://other.example/fhir/Patient/a"}
    assert extract({**POTASSIUM, "subject": foreign}).patient is None


def test_the_words_of_a_letter() -> None:
    letter = {
        "resourceType": "DocumentReference",
        "status": "current",
        "description": "Compte rendu",
        "text": {"status": "generated", "div": "<div><p>Fièvre &amp; toux</p></div>"},
        "content": [{"attachment": {"title": "Lettre", "data": "AAAA"}}],
    }
    words = extract(letter).text
    assert {"Compte rendu", "Fièvre & toux", "Lettre"} <= set(words.split("\n"))
    assert "AAAA" not in words


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Zorro"},
        {},
        {**POTASSIUM, "code": "text"},
        {**POTASSIUM, "category": {"text": "x"}},
        {**POTASSIUM, "effectiveDateTime": "demain"},
    ],
)
def test_a_wrong_shape_is_refused_cleanly(resource: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        extract(resource)


def test_every_type_has_an_extractor() -> None:
    for type_ in definitions.TYPES:
        assert extract({"resourceType": type_}).patient is None


def test_definitions_are_r4() -> None:
    assert len(definitions.TYPES) == 146
    assert "SubscriptionStatus" not in definitions.TYPES
    assert "project" not in definitions.elements("Meta")
    assert definitions.search_parameters("Observation")["code"].kind == "token"
    assert len(definitions.search_parameters("Patient")) >= 23
    size = sum(f.stat().st_size for f in definitions.DATA.rglob("*") if f.suffix != ".pyc")
    assert size < 3_000_000
