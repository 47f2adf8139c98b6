"""Promise: a document holds all that its Composition names, is the same each time, or is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateways.fhir.conftest import Fhir, observation, patient


async def put(fhir: Fhir, body: dict[str, Any]) -> None:
    answer = await fhir("PUT", f"/{body['resourceType']}/{body['id']}", body)
    assert answer.status_code in (200, 201), answer.text


def composition(*entries: str) -> dict[str, Any]:
    return {
        "resourceType": "Composition", "id": "c1", "status": "final", "type": {"text": "CR"},
        "subject": {"reference": "Patient/p1"}, "date": "2024-01-01", "title": "Compte rendu",
        "author": [{"reference": "Practitioner/dr"}],
        "section": [{
            "title": "Résultats", "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'},
            "section": [{"title": "Bio", "entry": [{"reference": e} for e in entries]}],
        }],
    }  # fmt: skip


@pytest.fixture
async def letter(fhir: Fhir) -> Fhir:
    await put(fhir, patient(id="p1"))
    await put(fhir, {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Roy"}]})
    await put(fhir, observation(id="o1", valueQuantity={"value": 1}))
    await put(fhir, composition("Observation/o1"))
    return fhir


async def test_the_composition_comes_first_with_all_it_names(letter: Fhir) -> None:
    answer = await letter("GET", "/Composition/c1/$document")
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["type"] == "document"
    names = [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in document["entry"]]
    assert names == ["Composition/c1", "Patient/p1", "Practitioner/dr", "Observation/o1"]
    assert document["identifier"]["value"] == f"urn:uuid:{document['id']}"
    again = await letter("POST", "/Composition/$document", {"resourceType": "Parameters", "parameter": [{"name": "id", "valueUri": "Composition/c1"}]})  # fmt: skip
    assert again.content == answer.content
    await put(letter, observation(id="o1", valueQuantity={"value": 2}))
    changed = (await letter("GET", "/Composition/c1/$document")).json()
    assert changed["id"] != document["id"]


async def test_a_kept_document_is_kept_once(letter: Fhir) -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "persist", "valueBoolean": True}]}
    first = await letter("POST", "/Composition/c1/$document", body)
    assert first.status_code == 201, first.text
    second = await letter("POST", "/Composition/c1/$document", body)
    assert (second.status_code, second.headers["location"]) == (200, first.headers["location"])
    kept = await letter("GET", f"/Bundle/{first.json()['id']}")
    assert kept.json()["entry"] == first.json()["entry"]
    assert (await letter("GET", "/Composition/c1/$document?persist=true")).status_code == 405


async def test_an_incomplete_document_is_refused_by_name(letter: Fhir) -> None:
    await put(letter, composition("Observation/o1", "Observation/lost"))
    refused = await letter("GET", "/Composition/c1/$document")
    assert refused.status_code == 400
    assert "Observation/lost" in refused.text
    assert "Observation/o1" not in refused.text


async def test_a_document_is_as_closed_as_its_parts(letter: Fhir) -> None:
    for token, status in (("reader", 403), ("chu", 404), ("nurse", 404)):
        refused = await letter("GET", "/Composition/c1/$document", token=token)
        assert refused.status_code == status, token
    assert (await letter("GET", "/Composition/none/$document")).status_code == 404
    assert (await letter("GET", "/Composition/$document")).status_code == 400
