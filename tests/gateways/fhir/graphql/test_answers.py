"""Promise: `$graphql` answers as the page of the standard says, at both levels."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.gateways.fhir.conftest import Fhir
from tests.gateways.fhir.graphql.conftest import Ask

pytestmark = pytest.mark.usefixtures("ward")
P1 = "/Patient/p1"
O1 = "/Observation/o1"


CASES: list[tuple[str, str, Any]] = [
    (P1, "{id active birthDate}", {"id": "p1", "active": True, "birthDate": "1980-02-03"}),
    (P1, "{resourceType __typename}", {"resourceType": "Patient", "__typename": "Patient"}),
    (P1, "{a: id b: id}", {"a": "p1", "b": "p1"}),
    (P1, "{photo {url}}", {}),
    (P1, "{name(use: usual) {family}}", {"name": [{"family": "Durand"}]}),
    (P1, '{name(fhirpath: "given.count() = 2") {use}}', {"name": [{"use": "official"}]}),
    (P1, "{name(_offset: 1, _count: 1) {use}}", {"name": [{"use": "usual"}]}),
    (P1, "{name(_offset: 5) {use}}", {}),
    (P1, "{name @first {use}}", {"name": {"use": "official"}}),
    (P1, "{name @flatten {family}}", {"family": ["Dupont", "Durand"]}),
    (P1, "{name @flatten @first {family given}}",
     {"family": "Dupont", "given": ["Zoé", "Anne"]}),
    (P1, "{identifier @flatten {value @singleton}}", {"value": "1"}),
    (P1, '{name @slice(path: "use") {family}}',
     {"name.official": {"family": "Dupont"}, "name.usual": {"family": "Durand"}}),
    (P1, '{name @slice(path: "$index") {use}}',
     {"name.0": {"use": "official"}, "name.1": {"use": "usual"}}),
    (P1, "{id @skip(if: true) active @include(if: true)}", {"active": True}),
    (P1, "{name {use} name {family}}",
     {"name": [{"use": "official", "family": "Dupont"}, {"use": "usual", "family": "Durand"}]}),
    (P1, "{_birthDate {extension {url valueString}}}",
     {"_birthDate": {"extension": [{"url": "http://x", "valueString": "12:00"}]}}),
    (P1, "{...F} fragment F on Patient {id ...G} fragment G on Patient {active}",
     {"id": "p1", "active": True}),
    (P1, "{... on DomainResource {meta {versionId} contained {id}}}", {"meta": {"versionId": "1"}}),
    (P1, "{... on Observation {status} ... on Resource {id}}", {"id": "p1"}),
    (P1, "{generalPractitioner {reference resource {... on Practitioner {name {family}}}}}",
     {"generalPractitioner": [{"reference": "Practitioner/gp",
                               "resource": {"name": [{"family": "Martin"}]}}]}),
    (P1, "{generalPractitioner {resource(type: Organization) {id}}}",
     {"generalPractitioner": [{}]}),
    (P1, "{ObservationList(_reference: patient, _sort: date) {id}}",
     {"ObservationList": [{"id": "o0"}, {"id": "o1"}, {"id": "o2"}]}),
    (P1, '{ObservationList(_reference: subject, date: "2026-01-02") {id}}',
     {"ObservationList": [{"id": "o1"}]}),
    (P1, "{ConditionList(_reference: patient) {id}}", {"ConditionList": []}),
    (O1, "{valueQuantity {value unit}}", {"valueQuantity": {"value": 1, "unit": "mmol/L"}}),
    (O1, "{value {... on Quantity {unit} ... on Period {start}}}", {"value": {"unit": "mmol/L"}}),
    (O1, "{subject {resource {... on Patient {name @first {family}}}}}",
     {"subject": {"resource": {"name": {"family": "Dupont"}}}}),
    ("", "{Patient(id: p1) {id}}", {"Patient": {"id": "p1"}}),
    ("", '{PatientList(_id: ["p1", "p2"], active: true) {id}}', {"PatientList": [{"id": "p1"}]}),
    ("", '{PatientList(general_practitioner: "Practitioner/gp") {id}}',
     {"PatientList": [{"id": "p1"}]}),
    ("", "{PatientList(active: true) {id ObservationList(_reference: patient, _count: 1) {id}}}",
     {"PatientList": [{"id": "p1", "ObservationList": [{"id": "o2"}]}]}),
]  # fmt: skip


async def test_every_document_has_its_answer(ask: Ask) -> None:
    for at, document, data in CASES:
        answer = await ask(document, at)
        assert answer.status_code == 200, (document, answer.text)
        assert answer.json() == {"data": data}, document


async def test_variables_fill_arguments_and_directives(ask: Ask) -> None:
    document = "query q($use: String = usual, $all: Boolean!) {name(use: $use) {use family @include(if: $all)}}"
    answer = await ask(document, P1, all=False)
    assert answer.json()["data"] == {"name": [{"use": "usual"}]}
    answer = await ask(document, P1, all=True, use="official")
    assert answer.json()["data"] == {"name": [{"use": "official", "family": "Dupont"}]}
    assert (await ask(document, P1)).status_code == 400


async def test_all_ways_of_asking_give_the_same(fhir: Fhir) -> None:
    document = "query a {id} query b {active}"
    by_get = await fhir("GET", f"{P1}/$graphql?query={quote(document)}&operationName=b")
    by_text = await fhir("POST", f"{P1}/$graphql", b"{active}", Content_Type="application/graphql")
    body = {"query": document, "operationName": "b"}
    by_json = await fhir("POST", f"{P1}/$graphql", body, Content_Type="application/json")
    for answer in (by_get, by_text, by_json):
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.json() == {"data": {"active": True}}


async def test_pages_of_a_connection_hold_each_match_once(ask: Ask) -> None:
    document = (
        "query q($c: String) {ObservationConnection(_sort: date, _count: 2, _cursor: $c)"
        " {count offset pagesize next edges {mode resource {id}}}}"
    )
    seen, cursor, offsets = [], None, []
    for _ in range(2):
        page = (await ask(document, c=cursor)).json()["data"]["ObservationConnection"]
        seen += [edge["resource"]["id"] for edge in page["edges"]]
        offsets.append(page["offset"])
        assert (page["count"], page["pagesize"]) == (3, 2)
        cursor = page["next"]
    assert (seen, offsets, cursor) == (["o0", "o1", "o2"], [0, 2], None)


async def test_what_is_not_there_is_said_beside_the_rest(ask: Ask) -> None:
    answer = (await ask("{a: Patient(id: p1) {id} b: Patient(id: none) {id}}")).json()
    assert answer["data"] == {"a": {"id": "p1"}, "b": None}
    (error,) = answer["errors"]
    assert (error["path"], "Patient/none" in error["message"]) == (["b"], True)


async def test_a_reference_to_nothing_is_an_error_unless_optional(ask: Ask, fhir: Fhir) -> None:
    one = (await fhir("GET", O1)).json()
    one["performer"] = [{"reference": "Practitioner/absent"}]
    await fhir("PUT", O1, one)
    answer = (await ask("{performer {resource {id}}}", O1)).json()
    assert len(answer["errors"]) == 1
    assert "errors" not in (await ask("{performer {resource(optional: true) {id}}}", O1)).json()


WRONG = [
    ("", "{ConditionList {id nothing}}"),
    ("", "{ConditionList {id evidence {nothing}}}"),
    ("", "{ConditionConnection {edges {resource {nothing}}}}"),
    ("", "{Condition(id: none) {... on Condition {nothing}}}"),
    (P1, "{contact {name {nothing}}}"),
    (P1, "{... on Nothing {id}}"),
    (P1, "{generalPractitioner {resource(type: Practitioner) {nothing}}}"),
    (P1, "{generalPractitioner {resource {... on Organization {nothing}}}}"),
    ("", "{"),
    ("", "{nothing}"),
    ("", "{Patient {id}}"),
    ("", "{PatientList(foo: 1) {id}}"),
    ("", '{PatientList(_include: "Patient:organization") {id}}'),
    ("", "{PatientList}"),
    ("", "mutation {PatientCreate {id}}"),
    ("", "{__schema {types {name}}}"),
    (P1, "{nothing}"),
    (P1, "{name}"),
    (P1, "{id {value}}"),
    (P1, "{name(nothing: 1) {use}}"),
    (P1, '{name(fhirpath: "((") {use}}'),
    (P1, "{name(_count: -1) {use}}"),
    (P1, "{name @nothing {use}}"),
    (P1, "{name @flatten {family @singleton}}"),
    (P1, "{x: id x: active}"),
    (P1, "{...F}"),
    (P1, "{...F} fragment F on Patient {...G} fragment G on Patient {...F}"),
    (P1, "{name(use: $use) {use}}"),
    (P1, "{ObservationList {id}}"),
    (P1, "{ObservationList(_reference: code) {id}}"),
    (P1, "query a {id} query b {id}"),
]  # fmt: skip


async def test_every_wrong_document_is_refused_and_says_why(ask: Ask) -> None:
    for at, document in WRONG:
        answer = await ask(document, at)
        assert answer.status_code == 400, (document, answer.text)
        assert len(answer.json()["issue"][0]["diagnostics"]) > 20, document
