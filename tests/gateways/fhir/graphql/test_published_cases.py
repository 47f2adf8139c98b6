"""Promise: the published R4 cases of GraphQL whose input and outcome are at hand pass.

Where the data has a document but not its outcome, the outcome is worked out from the resource.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from liane.base.errors import Invalid
from liane.fhir import xml
from liane.gateways.fhir.graphql.documents import Document
from liane.gateways.fhir.graphql.reading import Asked
from tests.gateways.fhir.conftest import Fhir
from tests.gateways.fhir.graphql.conftest import Ask


@pytest.fixture
def cases(shared_data: Path) -> Path:
    folder = shared_data / "fhir-test-cases/r4/graphql"
    if not folder.is_dir():
        pytest.skip("shared data set 'fhir-test-cases' not found")
    return folder


@pytest.fixture
async def stored(fhir: Fhir, shared_data: Path, cases: Path) -> dict[str, Any]:
    """The resources that the cases are about, stored under their ids."""
    xds = (shared_data / "fhir-r4-examples/patient-example-xds.json").read_text("utf-8")
    patient = xml.loads((cases.parent / "patient-example.xml").read_bytes())
    condition = xml.loads((cases.parent / "condition-example.xml").read_bytes())
    for resource in (patient, json.loads(xds), condition):
        await _store(fhir, resource)
    return patient


async def _store(fhir: Fhir, resource: dict[str, Any]) -> None:
    resource.pop("text", None)
    answer = await fhir("PUT", f"/{resource['resourceType']}/{resource['id']}", resource)
    assert answer.status_code in (200, 201), answer.text


@pytest.fixture
async def glossy(fhir: Fhir, shared_data: Path) -> None:
    path = shared_data / "fhir-r4-examples/patient-glossy-example.json"
    await _store(fhir, json.loads(path.read_text("utf-8")))


def _by_id(data: Any) -> Any:
    """Searches without a sort may come in any order."""
    if isinstance(data, dict):
        return {key: _by_id(value) for key, value in data.items()}
    return sorted(data, key=str) if isinstance(data, list) else data


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("name", ["search-simple", "search-single"])
async def test_a_case_with_its_outcome_passes(ask: Ask, cases: Path, name: str) -> None:
    answer = await ask((cases / f"{name}.gql").read_text("utf-8"))
    wanted = json.loads((cases / f"{name}.json").read_text("utf-8"))
    assert _by_id(answer.json()["data"]) == _by_id(wanted)


OUTCOMES_ALONE = {
    "flatten-singleton1": (
        "/Patient/example",
        "{identifier @flatten {system @singleton value @singleton} active name @flatten {given family}}",
    ),
    "extension-complex-out": (
        "/Patient/glossy",
        '{id extension(url: "http://example.org/other") {url valueCode}}',
    ),
}
"""Outcomes published without the document that asks for them here."""


@pytest.mark.usefixtures("stored", "glossy")
@pytest.mark.parametrize("name", OUTCOMES_ALONE)
async def test_a_published_outcome_is_reached(ask: Ask, cases: Path, name: str) -> None:
    at, document = OUTCOMES_ALONE[name]
    answer = await ask(document, at)
    assert answer.json() == {"data": json.loads((cases / f"{name}.json").read_text("utf-8"))}


def _parts(resource: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: resource[name] for name in names if name in resource}


def _simple(patient: dict[str, Any], *, identifier: bool = True) -> dict[str, Any]:
    found = {"active": patient["active"]}
    if identifier:
        found["identifier"] = [_parts(one, "system", "value") for one in patient["identifier"]]
    found["name"] = [_parts(one, "text", "given", "family") for one in patient["name"]]
    return found


DOCUMENTS_ALONE = {
    "simple": _simple,
    "directive-skip": lambda p: _simple(p, identifier=False),
    "directive-variable": lambda p: _simple(p, identifier=False),
    "filter-fhirpath": lambda p: {
        **_simple(p),
        "name": [_parts(one, "text", "given", "family") for one in p["name"] if "family" in one],
    },
    "flatten-singleton3": lambda p: {
        **_parts(p["identifier"][0], "system", "value"),
        "active": p["active"],
        **_parts(p["name"][0], "text", "given", "family"),
    },
    "reference-reverse": lambda p: {"id": p["id"], "ConditionList": [{"id": "example"}]},
}


@pytest.mark.parametrize("name", DOCUMENTS_ALONE)
async def test_a_published_document_is_answered_from_the_resource(
    ask: Ask, cases: Path, stored: dict[str, Any], name: str
) -> None:
    variables = {"var": False} if name == "directive-variable" else {}
    document = (cases / f"{name}.gql").read_text("utf-8")
    answer = await ask(document, "/Patient/example", **variables)
    assert answer.json() == {"data": DOCUMENTS_ALONE[name](stored)}


@pytest.mark.usefixtures("stored")
async def test_published_documents_about_references_and_pages(ask: Ask, cases: Path) -> None:
    def text(name: str) -> str:
        return (cases / f"{name}.gql").read_text("utf-8")

    at = "/Condition/example"
    inside = (await ask(text("reference-type-in"), at)).json()["data"]
    assert inside["subject"] == {"reference": "Patient/example", "resource": {"active": True}}
    outside = (await ask(text("reference-type-out"), at)).json()["data"]
    assert outside["subject"] == {"reference": "Patient/example"}
    assert outside["code"] == inside["code"]
    page = (await ask(text("search-full"))).json()["data"]["PatientConnection"]
    assert page["count"] == len(page["edges"]) == 2
    assert {edge["mode"] for edge in page["edges"]} == {"match"}


@pytest.mark.usefixtures("glossy")
async def test_published_documents_about_extensions(ask: Ask, cases: Path, fhir: Fhir) -> None:
    trial = {"url": "http://example.org/StructureDefinition/trials", "valueCode": "renal"}
    one = (await fhir("GET", "/Patient/glossy")).json()
    one["extension"] = [trial, {"url": "http://example.org/other", "valueString": "x"}]
    await fhir("PUT", "/Patient/glossy", one)
    answers = {}
    for name in ("extension-complex", "extension-complex-in"):
        document = (cases / f"{name}.gql").read_text("utf-8")
        answers[name] = (await ask(document, "/Patient/glossy")).json()["data"]
    assert answers["extension-complex-in"] == {"id": "glossy", "extension": [trial]}
    others = answers["extension-complex"]["extension"]
    assert others == [trial, {"url": "http://example.org/other"}]


def test_every_document_of_the_parser_cases_is_read(cases: Path) -> None:
    """One is no GraphQL (an empty list of arguments); the others are read, or understood as what
    is not offered.
    """
    parts = (cases / "parser-tests.gql").read_text("utf-8").split("####")[1:]
    read, refused = 0, []
    for part in parts:
        name, _, document = part.partition("\n")
        try:
            Document(Asked(document, {}, None))
            read += 1
        except Invalid as refusal:
            refused.append((name.strip(), refusal.en))
    assert read + len(refused) == len(parts) >= 20
    assert [name for name, reason in refused if "unreadable" in reason] == ["EmptyParamList"]
