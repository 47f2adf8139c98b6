"""What the tests of the FHIR door stand on: the real handlers over the real record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from liane.access.actor import Actor, Role
from liane.access.sessions import Limits, Sessions
from liane.fhir import json as fhir_json
from liane.gateways.fhir import fhir_router
from liane.store import Database
from liane.store.blobs import Blobs
from liane.ui.services import Services

ACTORS = {
    "all": Actor("client", "client:all", "All", scopes=("system/*.cruds",)),
    "reader": Actor("client", "client:reader", "Reader", scopes=("system/Observation.rs",)),
    "chu": Actor(
        "client", "client:chu", "CHU only", scopes=("system/*.cruds",), establishment="chu"
    ),
    "nurse": Actor(
        "staff",
        "nurse",
        "Nurse",
        roles=(Role("ide", "chu", ("uf-1",)),),
        scopes=("user/*.cruds",),
    ),
}


class Fhir:
    """A small client that reads and writes JSON with exact decimals."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def __call__(
        self, method: str, path: str, body: Any = None, *, token: str = "all", **headers: str
    ) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/fhir+json")
        content = body if isinstance(body, (bytes, type(None))) else fhir_json.dump_bytes(body)
        return await self.http.request(method, f"/fhir{path}", content=content, headers=sent)


@pytest.fixture
async def fhir(database: Database, blobs: Blobs, tmp_path: Path) -> AsyncIterator[Fhir]:
    services = Services(
        database=database, blobs=blobs, home=tmp_path, sessions=Sessions(database, Limits())
    )

    async def check(token: str) -> Actor | None:
        return ACTORS.get(token)

    app = Litestar([fhir_router(services, check)], openapi_config=None)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://liane") as http:
        yield Fhir(http)


def patient(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:test:ipp", "value": "1"}],
        "name": [{"family": "Dupont", "given": ["Zoé"]}],
        **changes,
    }


def observation(of: str = "Patient/p1", **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "subject": {"reference": of},
        **changes,
    }
