"""Promise: the steps of $diff turn the first resource into the second."""

from __future__ import annotations

from typing import Any

from liane.gateways.fhir.operations.differing import steps
from tests.gateways.fhir.conftest import Fhir, observation, patient


def words(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Kind and place of each step."""
    told = []
    for step in found:
        parts = {part["name"]: part for part in step["part"]}
        place = parts["path"]["valueString"]
        if "name" in parts:
            place += f" + {parts['name']['valueString']}"
        told.append((parts["type"]["valueCode"], place))
    return told


def test_values_keep_their_types() -> None:
    before = {"resourceType": "Patient", "birthDate": "1950-01-01", "active": True}
    after = {
        "resourceType": "Patient", "active": False, "gender": "female",
        "contact": [{"name": {"family": "Roy"}, "telecom": [{"value": "1"}, {"value": "2"}]}],
        "maritalStatus": {"text": "m"},
    }  # fmt: skip
    found = steps(before, after)
    assert words(found) == [
        ("add", "Patient + gender"),
        ("add", "Patient + contact"),
        ("add", "Patient + maritalStatus"),
        ("replace", "Patient.active"),
        ("delete", "Patient.birthDate"),
    ]
    values = [part for step in found for part in step["part"] if part["name"] == "value"]
    assert values[3] == {"name": "value", "valueBoolean": False}
    assert values[0] == {"name": "value", "valueCode": "female"}
    assert values[1]["part"] == [
        {"name": "name", "valueHumanName": {"family": "Roy"}},
        {"name": "telecom", "valueContactPoint": {"value": "1"}},
        {"name": "telecom", "valueContactPoint": {"value": "2"}},
    ]
    assert values[2] == {"name": "value", "valueCodeableConcept": {"text": "m"}}


def test_lists_change_from_their_end_and_choices_lose_their_suffix() -> None:
    before = {"resourceType": "Observation", "valueQuantity": {"value": 1, "unit": "g"},
              "note": [{"text": "a"}, {"text": "b"}, {"text": "c"}]}  # fmt: skip
    after = {"resourceType": "Observation", "valueQuantity": {"value": 2, "unit": "g"},
             "note": [{"text": "z"}, {"text": "a"}, {"text": "c"}, {"text": "d"}]}  # fmt: skip
    assert words(steps(before, after)) == [
        ("replace", "Observation.value.value"),
        ("add", "Observation + note"),
        ("delete", "Observation.note[1]"),
        ("insert", "Observation.note"),
    ]
    assert steps(before, before) == []


async def test_versions_and_resources_are_compared(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    await fhir("PUT", "/Observation/o", observation(id="o", status="preliminary"))
    await fhir("PUT", "/Observation/o", observation(id="o", status="final"))
    await fhir("PUT", "/Observation/o", observation(id="o", status="amended"))
    last = (await fhir("GET", "/Observation/o/$diff")).json()["parameter"]
    assert words(last) == [("replace", "Observation.status")]
    assert last[0]["part"][2]["valueCode"] == "amended"
    first = (await fhir("GET", "/Observation/o/$diff?fromVersion=3&toVersion=1")).json()
    assert first["parameter"][0]["part"][2]["valueCode"] == "preliminary"
    same = (await fhir("GET", "/Observation/o/$diff?fromVersion=2&toVersion=2")).json()
    assert same == {"resourceType": "Parameters"}
    with_meta = (await fhir("GET", "/Observation/o/$diff?includeMeta=true")).json()["parameter"]
    assert ("replace", "Observation.meta.versionId") in words(with_meta)
    await fhir("PUT", "/Observation/q", observation(id="q", status="final"))
    two = await fhir("GET", "/$diff?from=Observation/o/_history/2&to=Observation/q")
    assert (two.status_code, two.json()) == (200, {"resourceType": "Parameters"})


async def test_what_cannot_be_compared_is_refused(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    await fhir("PUT", "/Observation/o", observation(id="o"))
    for path, status in (
        ("/Observation/o/$diff?fromVersion=7", 404),
        ("/Observation/none/$diff", 404),
        ("/Observation/o/$diff?fromVersion=x", 400),
        ("/Observation/o/$diff?from=1", 400),
        ("/$diff?from=Patient/p1", 400),
        ("/$diff?from=Patient/p1&to=Observation/o", 400),
        ("/$diff?from=Patient/p1&to=http://elsewhere/Patient/p1", 400),
    ):
        assert (await fhir("GET", path)).status_code == status, path
    for token in ("chu", "nurse"):
        assert (await fhir("GET", "/Observation/o/$diff", token=token)).status_code == 404
    refused = await fhir("GET", "/$diff?from=Patient/p1&to=Patient/p1", token="reader")
    assert refused.status_code == 403
