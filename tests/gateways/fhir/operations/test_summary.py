"""Promise: a summary hides no allergy, invents no "none known", and says what it does not know."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liane.access.actor import Actor
from liane.fhir import definitions
from liane.fhir.validation import validate
from liane.gateways.fhir.operations.summary_sections import SECTIONS, kept
from liane.projections import PROJECTIONS
from liane.store import Database
from tests.gateways.fhir import conftest
from tests.gateways.fhir.conftest import Fhir, observation, patient

CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
VERIFIED = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
SNOMED = "http://snomed.info/sct"


def allergy(
    id_: str, text: str = "", verified: str = "confirmed", code: str = "", clinical: str = "active"
) -> dict[str, Any]:
    coding = {"coding": [{"system": SNOMED, "code": code}]} if code else {}
    return {
        "resourceType": "AllergyIntolerance", "id": id_, "patient": {"reference": "Patient/p1"},
        "code": {"text": text or code, **coding},
        "verificationStatus": {"coding": [{"system": VERIFIED, "code": verified}]},
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": clinical}]},
    }  # fmt: skip


def condition(id_: str, text: str, status: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    return {
        "resourceType": "Condition", "id": id_, "subject": {"reference": "Patient/p1"},
        "code": {"text": text}, "clinicalStatus": {"coding": [{"system": system, "code": status}]},
    }  # fmt: skip


async def put(fhir: Fhir, body: dict[str, Any]) -> None:
    answer = await fhir("PUT", f"/{body['resourceType']}/{body['id']}", body)
    assert answer.status_code in (200, 201), answer.text


@pytest.fixture
async def chart(fhir: Fhir, database: Database) -> Fhir:
    database.projections = PROJECTIONS
    await put(fhir, {"resourceType": "Organization", "id": "chu", "name": "CHU"})
    await put(fhir, patient(id="p1", managingOrganization={"reference": "Organization/chu"}))
    return fhir


async def summary(fhir: Fhir, **options: Any) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    answer = await fhir("GET", "/Patient/p1/$summary", **options)
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    composition = bundle["entry"][0]["resource"]
    assert composition["resourceType"] == "Composition"
    addresses = {entry["fullUrl"] for entry in bundle["entry"]}
    sections = {}
    for section in composition["section"]:
        sections[section["code"]["coding"][0]["code"]] = section
        for entry in section.get("entry", []):
            full = entry["reference"]
            assert full in addresses or f"http://127.0.0.1:8000/fhir/{full}" in addresses
    return bundle, sections


def resource_at(bundle: dict[str, Any], section: dict[str, Any], place: int = 0) -> dict[str, Any]:
    reference = section["entry"][place]["reference"]
    return next(dict(e["resource"]) for e in bundle["entry"] if e["fullUrl"].endswith(reference))


async def test_an_empty_record_says_no_information_never_none_known(chart: Fhir) -> None:
    bundle, sections = await summary(chart)
    for code, word in (("48765-2", "no-allergy-info"), ("10160-0", "no-medication-info"), ("11450-4", "no-problem-info")):  # fmt: skip
        told = resource_at(bundle, sections[code])
        coded = told.get("code") or told["medicationCodeableConcept"]
        assert coded["coding"][0]["code"] == word
    for code in ("11369-6", "30954-2", "47519-4", "46264-8"):
        assert sections[code]["emptyReason"]["coding"][0]["code"] == "unavailable"
        assert "Aucune information" in sections[code]["text"]["div"]
    assert "8716-3" not in sections
    assert bundle["entry"][0]["resource"]["author"][0]["reference"] == "Organization/chu"
    for entry in bundle["entry"]:
        wrong = [i for i in validate(entry["resource"]) if i.severity in ("fatal", "error")]
        assert not wrong, wrong


async def test_no_allergy_is_hidden_and_none_known_never_stands_beside_one(chart: Fhir) -> None:
    await put(chart, allergy("none", code="716186003"))
    _, sections = await summary(chart)
    assert [e["reference"] for e in sections["48765-2"]["entry"]] == ["AllergyIntolerance/none"]
    doubtful = [
        allergy("sure", "Pénicilline"), allergy("maybe", "Latex", "unconfirmed"),
        allergy("past", "Noix", clinical="resolved"), allergy("denied", "Iode", "refuted"),
    ]  # fmt: skip
    for body in doubtful:
        await put(chart, body)
    wrong = allergy("error", "Erreur", "entered-in-error")
    del wrong["clinicalStatus"]
    await put(chart, wrong)
    _, sections = await summary(chart)
    listed = {entry["reference"] for entry in sections["48765-2"]["entry"]}
    assert listed == {f"AllergyIntolerance/{name}" for name in ("sure", "maybe", "past", "denied")}
    words = sections["48765-2"]["text"]["div"]
    assert all(word in words for word in ("Pénicilline", "Latex", "non confirmée", "réfutée"))
    assert "Erreur" not in words


async def test_a_section_the_reader_may_not_see_says_so(
    chart: Fhir, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(chart, allergy("sure", "Pénicilline"))
    scopes = ("system/Patient.rs", "system/Condition.rs")
    monkeypatch.setitem(conftest.ACTORS, "half", Actor("client", "client:half", "Half", scopes=scopes))  # fmt: skip
    bundle, sections = await summary(chart, token="half")
    assert sections["48765-2"]["emptyReason"]["coding"][0]["code"] == "withheld"
    assert "entry" not in sections["48765-2"]
    assert "Pénicilline" not in str(bundle)
    assert "no-allergy-info" not in str(bundle)
    assert (
        resource_at(bundle, sections["11450-4"])["code"]["coding"][0]["code"] == "no-problem-info"
    )


async def test_each_thing_stands_in_its_section(chart: Fhir) -> None:
    vital = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}]  # fmt: skip
    await put(chart, condition("now", "Diabète <b>", "active"))
    await put(chart, condition("then", "Appendicite", "resolved"))
    await put(chart, {"resourceType": "Medication", "id": "m", "code": {"text": "Metformine"}})
    order = {
        "resourceType": "MedicationRequest", "id": "r", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/p1"}, "medicationReference": {"reference": "Medication/m", "display": "Metformine"},
    }  # fmt: skip
    await put(chart, order)
    await put(chart, {**order, "id": "stopped", "status": "stopped"})
    await put(chart, {"resourceType": "Immunization", "id": "v", "status": "completed", "vaccineCode": {"text": "DTP"}, "patient": {"reference": "Patient/p1"}, "occurrenceDateTime": "2020-01-01"})  # fmt: skip
    await put(chart, {"resourceType": "Procedure", "id": "s", "status": "completed", "code": {"text": "Pontage"}, "subject": {"reference": "Patient/p1"}})  # fmt: skip
    await put(chart, {"resourceType": "Device", "id": "d", "deviceName": [{"name": "Pacemaker", "type": "user-friendly-name"}], "patient": {"reference": "Patient/p1"}})  # fmt: skip
    for n in range(5):
        await put(chart, observation(id=f"k{n}", effectiveDateTime=f"2024-01-0{n + 1}", valueQuantity={"value": n}))  # fmt: skip
    await put(chart, observation(id="bp", category=vital, code={"text": "TA"}, effectiveDateTime="2024-01-01"))  # fmt: skip
    bundle, sections = await summary(chart)
    told = {
        code: [entry["reference"] for entry in section.get("entry", [])]
        for code, section in sections.items()
    }
    assert told["11450-4"] == ["Condition/now"]
    assert told["11348-0"] == ["Condition/then"]
    assert told["10160-0"] == ["MedicationRequest/r"]
    assert told["11369-6"] == ["Immunization/v"]
    assert told["47519-4"] == ["Procedure/s"]
    assert told["46264-8"] == ["Device/d"]
    assert told["30954-2"] == ["Observation/k4", "Observation/k3", "Observation/k2"]
    assert told["8716-3"] == ["Observation/bp"]
    assert "Diabète &lt;b&gt;" in sections["11450-4"]["text"]["div"]
    assert any(e["resource"]["id"] == "m" for e in bundle["entry"])
    assert len({e["fullUrl"] for e in bundle["entry"]}) == len(bundle["entry"])
    english = (await summary(chart, Accept_Language="en"))[1]
    assert english["11450-4"]["title"] == "Problems"


async def test_by_number_and_refused(chart: Fhir) -> None:
    found = await chart("GET", "/Patient/$summary?identifier=urn:test:ipp|1")
    assert found.status_code == 200, found.text
    assert (await chart("GET", "/Patient/$summary?identifier=urn:test:ipp|7")).status_code == 404
    assert (await chart("GET", "/Patient/$summary")).status_code == 400
    assert (await chart("GET", "/Patient/none/$summary")).status_code == 404
    for token, status in (("reader", 403), ("chu", 404), ("nurse", 404)):
        assert (await chart("GET", "/Patient/p1/$summary", token=token)).status_code == status
        by_number = await chart("GET", "/Patient/$summary?identifier=urn:test:ipp|1", token=token)
        assert by_number.status_code == status


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["", "confirmed", "unconfirmed", "presumed", "refuted", "entered-in-error"]
            ),
            st.sampled_from(["active", "inactive", "resolved", ""]),
            st.sampled_from(["91936005", "716186003", "no-known-allergies", "409137002", ""]),
        ),
        max_size=6,
    )
)
@settings(max_examples=200, deadline=None)
def test_every_allergy_but_errors_is_told(cases: list[tuple[str, str, str]]) -> None:
    """Whatever their statuses: only errors go, and general "none known" when there is another."""
    bodies = [
        allergy(str(n), verified=verified, clinical=clinical, code=code)
        for n, (verified, clinical, code) in enumerate(cases)
    ]
    told = {body["id"] for body in kept(SECTIONS[0], bodies)}
    right = {str(n) for n, case in enumerate(cases) if case[0] != "entered-in-error"}
    general = {
        str(n) for n, case in enumerate(cases) if case[2] in ("716186003", "no-known-allergies")
    }
    assert told == ((right - general) or right)


def test_sections_name_types_of_the_standard() -> None:
    assert {type_ for one in SECTIONS for type_ in one.types} <= set(definitions.types())
