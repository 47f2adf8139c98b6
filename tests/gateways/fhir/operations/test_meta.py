"""Promise: profiles, tags and labels are told, put on and taken off, under the gate."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateways.fhir.conftest import Fhir, observation, patient

TAG = {"system": "urn:t", "code": "etude"}
LABEL = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}


def parameters(**meta: Any) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


async def told(fhir: Fhir, path: str, **options: Any) -> dict[str, Any]:
    answer = await fhir("GET", path, **options)
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["parameter"]
    assert one["name"] == "return"
    return dict(one["valueMeta"])


@pytest.fixture
async def tagged(fhir: Fhir) -> Fhir:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    body = observation(id="o1", meta={"tag": [TAG], "profile": ["urn:profile:a"]})
    assert (await fhir("PUT", "/Observation/o1", body)).status_code == 201
    return fhir


async def test_labels_are_put_on_and_taken_off_and_searches_follow(tagged: Fhir) -> None:
    added = await tagged("POST", "/Observation/o1/$meta-add", parameters(tag=[{**TAG, "display": "x"}, {"system": "urn:t", "code": "b"}], security=[LABEL]))  # fmt: skip
    assert added.status_code == 200, added.text
    meta = await told(tagged, "/Observation/o1/$meta")
    assert meta["tag"] == [TAG, {"system": "urn:t", "code": "b"}]
    assert meta["security"] == [LABEL]
    assert meta["versionId"] == "2"
    found = (await tagged("GET", "/Observation?_tag=urn:t|b")).json()
    assert len(found["entry"]) == 1
    removed = await tagged("POST", "/Observation/o1/$meta-delete", parameters(tag=[TAG, {"system": "urn:t", "code": "never"}], security=[LABEL]))  # fmt: skip
    assert removed.status_code == 200
    meta = await told(tagged, "/Observation/o1/$meta")
    assert meta["tag"] == [{"system": "urn:t", "code": "b"}]
    assert "security" not in meta
    assert meta["profile"] == ["urn:profile:a"]
    again = await tagged("POST", "/Observation/o1/$meta-delete", parameters(security=[LABEL]))
    assert again.json()["parameter"][0]["valueMeta"]["versionId"] == meta["versionId"]


async def test_a_type_and_the_system_tell_what_is_in_use(tagged: Fhir) -> None:
    await tagged("PUT", "/Patient/p2", patient(id="p2", meta={"security": [LABEL]}))
    assert await told(tagged, "/Observation/$meta") == {"tag": [TAG], "profile": ["urn:profile:a"]}
    assert await told(tagged, "/Encounter/$meta") == {}
    everything = await told(tagged, "/$meta")
    assert everything == {"tag": [TAG], "profile": ["urn:profile:a"], "security": [LABEL]}
    assert await told(tagged, "/$meta", token="chu") == {}
    assert await told(tagged, "/$meta", token="reader") == {"tag": [TAG], "profile": ["urn:profile:a"]}  # fmt: skip


async def test_wrong_and_forbidden_requests_change_nothing(tagged: Fhir) -> None:
    for body in (parameters(), parameters(tag="x"), parameters(tag=["x"]), {"resourceType": "Parameters", "parameter": 3}):  # fmt: skip
        refused = await tagged("POST", "/Observation/o1/$meta-add", body)
        assert refused.status_code == 400, body
    assert (await tagged("GET", "/Observation/o1/$meta-add")).status_code == 405
    assert (await tagged("POST", "/Observation/none/$meta-add", parameters(tag=[TAG]))).status_code == 404  # fmt: skip
    for token, status in (("reader", 403), ("chu", 404), ("nurse", 404)):
        refused = await tagged("POST", "/Observation/o1/$meta-add", parameters(tag=[LABEL]), token=token)  # fmt: skip
        assert refused.status_code == status, token
    late = await tagged("POST", "/Observation/o1/$meta-add", parameters(tag=[LABEL]), If_Match='W/"9"')  # fmt: skip
    assert late.status_code == 412
    assert (await told(tagged, "/Observation/o1/$meta"))["versionId"] == "1"
