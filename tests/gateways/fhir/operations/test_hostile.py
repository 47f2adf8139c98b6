"""Promise: whatever is sent to an operation, the answer is an answer: never a fault of ours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateways.fhir.conftest import Fhir, observation, patient

VALUES = (
    "", " ", "\x01", "'", "%", "%00", "-1", "0", "99999999999999999999", "1e9", "true", "null",
    "Patient/", "Patient/../../x", "Group/1", "|", "||", "a|b|c", ",,,", "é" * 300, "0000", "9999-99",
    "2024-01-01T25:00:00Z", "ge", "ge2024", "http://[", "h" + "x" * 200, "o-5", "o9" * 9, "{}", "[]",
)  # fmt: skip
PLACES = {
    "/Patient/p1/$everything": ("start", "end", "_since", "_type", "_count", "_cursor"),
    "/Encounter/e1/$everything": ("_since", "_type", "_count", "_cursor"),
    "/Observation/$lastn": ("patient", "category", "code", "date", "max"),
    "/Observation/$stats": ("subject", "code", "system", "duration", "period", "statistic", "include", "limit"),
    "/Patient/$match": ("onlyCertainMatches", "count"),
    "/Patient/$merge": ("preview", "delete-source"),
    "/Patient/$undo-merge": ("merge",),
    "/Patient/$summary": ("identifier",),
    "/Patient/p1/$summary": ("identifier",),
    "/Composition/$document": ("id", "persist"),
    "/$meta": ("x",), "/Observation/$meta": ("x",),
    "/$diff": ("from", "to", "includeMeta"),
    "/Patient/p1/$diff": ("fromVersion", "toVersion", "includeMeta"),
    "/$export": ("_since", "_type", "_typeFilter", "_outputFormat", "_elements", "patient", "includeAssociatedData"),
    "/Group/g/$export": ("_since",),
    "/$import": ("inputFormat",),
}  # fmt: skip
BODIES: tuple[Any, ...] = (
    {"resourceType": "Parameters"},
    {"resourceType": "Parameters", "parameter": []},
    {"resourceType": "Parameters", "parameter": [{}]},
    {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": {}}]},
    {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": {"resourceType": "Patient", "name": [{"family": ["x"], "given": "y"}], "extension": [{"url": 3}], "identifier": [{"value": {}}]}}]},
    {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"system": 3, "code": []}], "profile": ["é"]}}]},
    {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": []}]},
    {"resourceType": "Parameters", "parameter": [{"name": "source-patient", "valueReference": {"reference": 7}}, {"name": "target-patient", "valueReference": []}]},
    {"resourceType": "Parameters", "parameter": [{"name": "source-patient-identifier", "valueIdentifier": {"value": {}}}, {"name": "target-patient-identifier", "valueIdentifier": {"value": "1"}}]},
    {"resourceType": "Parameters", "parameter": [{"name": "input", "part": [{"name": "type", "valueCode": "Patient"}, {"name": "url", "valueUri": "http://[::1"}]}]},
    {"resourceType": "Parameters", "parameter": [{"name": "input", "part": [3, {"valueCode": {}}]}]},
    {"resourceType": "Parameters", "parameter": [{"name": "patient", "valueReference": "x"}]},
    {"resourceType": "Parameters", "parameter": [{"name": "subject", "valueUri": "Patient/p1"}, {"name": "coding", "valueCoding": {"system": [], "code": {}}}]},
    {"resourceType": "Parameters", "parameter": [{"name": "period", "valuePeriod": {"start": 3}}, {"name": "subject", "valueUri": "Patient/p1"}, {"name": "code", "valueString": "x"}]},
    patient(),
)  # fmt: skip


@pytest.fixture
async def chart(fhir: Fhir) -> Fhir:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    await fhir("PUT", "/Observation/o", observation(id="o"))
    return fhir


@pytest.mark.parametrize("path", PLACES)
async def test_hostile_values_are_answered(chart: Fhir, path: str) -> None:
    for name in PLACES[path]:
        for value in VALUES:
            answer = await chart.http.get(f"/fhir{path}", params={name: value}, headers={"Authorization": "Bearer all"})  # fmt: skip
            assert answer.status_code < 500, (path, name, value, answer.text)


@pytest.mark.parametrize(
    "path", [*PLACES, "/Observation/o/$meta-add", "/Observation/o/$meta-delete"]
)
async def test_hostile_bodies_are_answered(chart: Fhir, path: str) -> None:
    for body in BODIES:
        answer = await chart("POST", path, body)
        assert answer.status_code < 500, (path, body, answer.text)


async def test_hostile_addresses_of_jobs_are_answered(chart: Fhir) -> None:
    for rest in (
        "",
        "/",
        "/x",
        "/x/../../etc/passwd",
        "/%2e%2e/x",
        "/x/y",
        "/x/y/z",
        "/" + "a" * 500,
    ):
        for method in ("GET", "DELETE", "POST", "HEAD"):
            answer = await chart(method, f"/$job{rest}")
            assert 400 <= answer.status_code < 500, (method, rest)
