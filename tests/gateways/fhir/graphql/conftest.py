"""What the tests of `$graphql` ask with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.gateways.fhir.conftest import Fhir, fhir, observation, patient

__all__ = ["fhir"]

Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def ask(fhir: Fhir) -> Ask:
    """Ask a document at an address, by POST of JSON."""

    async def post(document: str, at: str = "", token: str = "all", **variables: Any) -> Any:
        body = {"query": document, "variables": variables}
        return await fhir(
            "POST", f"{at}/$graphql", body, token=token, Content_Type="application/json"
        )

    return post


@pytest.fixture
async def ward(fhir: Fhir) -> Fhir:
    """Two patients; the first has three results and a general practitioner."""
    gp = {"resourceType": "Practitioner", "id": "gp", "name": [{"family": "Martin"}]}
    names = [
        {"use": "official", "family": "Dupont", "given": ["Zoé", "Anne"]},
        {"use": "usual", "family": "Durand", "given": ["Zoé"]},
    ]
    p1 = patient(id="p1", active=True, name=names, birthDate="1980-02-03")
    p1["generalPractitioner"] = [{"reference": "Practitioner/gp"}]
    p1["_birthDate"] = {"extension": [{"url": "http://x", "valueString": "12:00"}]}
    results = [
        observation(
            "Patient/p1",
            id=f"o{n}",
            effectiveDateTime=f"2026-01-0{n + 1}",
            valueQuantity={"value": n, "unit": "mmol/L"},
        )
        for n in range(3)
    ]
    for resource in (gp, p1, patient(id="p2", active=False), *results):
        answer = await fhir("PUT", f"/{resource['resourceType']}/{resource['id']}", resource)
        assert answer.status_code == 201, answer.text
    return fhir
