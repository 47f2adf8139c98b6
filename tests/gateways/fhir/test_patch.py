"""Promise: a part of a resource is changed as the patch says, by any of three kinds, or not at all."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from liane.fhir import json as fhir_json
from tests.gateways.fhir.conftest import Fhir, observation, patient

JSON_PATCH = {"Content_Type": "application/json-patch+json"}
XML_PATCH = {"Content_Type": "application/xml-patch+xml"}


def _parameters(*operations: dict[str, Any]) -> dict[str, Any]:
    """A FHIRPath Patch in short: the parts of each operation by name."""
    return {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "operation",
                "part": [
                    {"name": name, **value}
                    if isinstance(value, dict)
                    else {
                        "name": name,
                        "valueInteger" if type(value) is int else "valueString": value,
                    }
                    for name, value in operation.items()
                ],
            }
            for operation in operations
        ],
    }


async def test_three_kinds_of_patch_say_the_same(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1", birthDate="1980"))
    answer = await fhir(
        "PATCH",
        "/Patient/p1",
        [{"op": "replace", "path": "/birthDate", "value": "1981"}],
        **JSON_PATCH,
    )
    assert (answer.status_code, answer.json()["birthDate"]) == (200, "1981")
    answer = await fhir(
        "PATCH",
        "/Patient/p1",
        _parameters(
            {"type": "replace", "path": "Patient.birthDate", "value": {"valueDate": "1982"}}
        ),
    )
    assert (answer.status_code, answer.json()["birthDate"]) == (200, "1982")
    answer = await fhir(
        "PATCH",
        "/Patient/p1",
        b'<diff><replace sel="f:Patient/f:birthDate/@value">1983</replace></diff>',
        **XML_PATCH,
    )
    assert (answer.status_code, answer.json()["birthDate"]) == (200, "1983")
    assert (answer.headers["etag"], answer.json()["meta"]["versionId"]) == ('W/"4"', "4")


async def test_digits_of_what_was_not_patched_stay(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    quantity = fhir_json.loads(b'{"value": 72.50, "unit": "kg"}')
    await fhir("PUT", "/Observation/o1", observation(id="o1", valueQuantity=quantity))
    patch = [{"op": "add", "path": "/valueQuantity/code", "value": "kg"}]
    patch += [{"op": "add", "path": "/valueQuantity/system", "value": "http://unitsofmeasure.org"}]
    answer = await fhir("PATCH", "/Observation/o1", patch, **JSON_PATCH)
    assert answer.status_code == 200
    assert '"value":72.50' in (await fhir("GET", "/Observation/o1")).text


PROTECTED = [
    [{"op": "replace", "path": "/id", "value": "p2"}],
    [{"op": "remove", "path": "/id"}],
    [{"op": "replace", "path": "/resourceType", "value": "Practitioner"}],
    [{"op": "replace", "path": "/meta/versionId", "value": "9"}],
    [{"op": "remove", "path": "/meta"}],
    [{"op": "replace", "path": "", "value": {"resourceType": "Patient"}}],
    _parameters({"type": "replace", "path": "Patient.id", "value": {"valueId": "p2"}}),
    _parameters({"type": "delete", "path": "Patient.id"}),
    _parameters({"type": "delete", "path": "Patient.meta"}),
    _parameters({"type": "delete", "path": "Patient"}),
    b'<diff><remove sel="f:Patient/f:id"/></diff>',
    b'<diff><replace sel="f:Patient/f:meta/f:versionId/@value">9</replace></diff>',
]


@pytest.mark.parametrize("patch", PROTECTED)
async def test_what_the_server_sets_is_not_patched(fhir: Fhir, patch: Any) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    kind = XML_PATCH if isinstance(patch, bytes) else JSON_PATCH if isinstance(patch, list) else {}
    answer = await fhir("PATCH", "/Patient/p1", patch, **kind)
    assert answer.status_code == 422, answer.text
    assert (await fhir("GET", "/Patient/p1")).json()["meta"]["versionId"] == "1"


async def test_a_refusal_names_the_operation_and_its_path_in_both_languages(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    good = {"op": "add", "path": "/active", "value": True}
    patch = [good, {"op": "remove", "path": "/photo/3"}]
    for language, word in (("fr", "Opération 2 (/photo/3)"), ("en", "Operation 2 (/photo/3)")):
        answer = await fhir("PATCH", "/Patient/p1", patch, Accept_Language=language, **JSON_PATCH)
        assert answer.status_code == 422
        assert word in answer.json()["issue"][0]["diagnostics"]
    assert "active" not in (await fhir("GET", "/Patient/p1")).json()


async def test_a_patch_that_makes_a_resource_invalid_is_refused_whole(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    patch = [{"op": "add", "path": "/gender", "value": "vert"}]
    assert (await fhir("PATCH", "/Patient/p1", patch, **JSON_PATCH)).status_code == 422
    assert "gender" not in (await fhir("GET", "/Patient/p1")).json()


async def test_patches_at_once_are_all_kept(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    answers = await asyncio.gather(
        *(
            fhir(
                "PATCH",
                "/Patient/p1",
                [{"op": "add", "path": "/identifier/-", "value": {"value": f"n{n}"}}],
                **JSON_PATCH,
            )
            for n in range(12)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    found = (await fhir("GET", "/Patient/p1")).json()["identifier"]
    assert {one["value"] for one in found} == {"1", *(f"n{n}" for n in range(12))}


async def test_patches_travel_in_a_bundle(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    patch = base64.b64encode(b'[{"op":"add","path":"/active","value":true}]').decode()
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "resource": {
                    "resourceType": "Binary",
                    "contentType": "application/json-patch+json",
                    "data": patch,
                },
                "request": {"method": "PATCH", "url": "Patient/p1"},
            }
        ],
    }
    assert (await fhir("POST", "", bundle)).status_code == 200
    assert (await fhir("GET", "/Patient/p1")).json()["active"] is True


@pytest.mark.parametrize(
    "patch",
    [
        b"{}",
        b"[",
        b'[{"op":"add"}]',
        b'["x"]',
        b"[" + b'{"op":"test","path":"/a","value":1},' * 1_001 + b'{"op":"test","path":"/a"}]',
        b'[{"op":"add","path":"/x","value":' + b"[" * 500 + b"]" * 500 + b"}]",
    ],
)
async def test_what_is_no_patch_is_refused(fhir: Fhir, patch: bytes) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    answer = await fhir("PATCH", "/Patient/p1", patch, **JSON_PATCH)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
