"""Promise: no request that the description of `/fhir` allows, nor one beside it, fails the server."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from schemathesis import Case, GenerationMode

from liane.access.actor import Actor
from liane.access.sessions import Limits, Sessions
from liane.gateways.fhir import fhir_router
from liane.gateways.fhir.openapi import openapi
from liane.store import Database
from liane.store.blobs import Blobs
from liane.ui.services import Services
from tests.conftest import TestDatabase
from tests.gateways.fhir.conftest import ACTORS, Fhir

TOKEN = {"Authorization": "Bearer all", "Accept-Encoding": "identity"}


class Served:
    """The FHIR door on a port of its own, in a thread with a loop of its own."""

    def __init__(self, dsn: str, home: Path) -> None:
        self.dsn = dsn
        self.home = home
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.socket.getsockname()[1]}/fhir"
        self.server: uvicorn.Server | None = None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        async with await Database.open(self.dsn, max_size=4) as database:
            services = Services(
                database=database,
                blobs=Blobs(self.home / "blobs"),
                home=self.home,
                sessions=Sessions(database, Limits()),
                base_url=self.base.removesuffix("/fhir"),
            )

            async def check(token: str) -> Actor | None:
                return ACTORS.get(token)

            app = Litestar([fhir_router(services, check)], openapi_config=None)
            config = uvicorn.Config(app, log_level="critical", lifespan="off")
            self.server = uvicorn.Server(config)
            self.ready.set()
            await self.server.serve(sockets=[self.socket])

    def __enter__(self) -> Self:
        self.thread.start()
        self.ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.server.should_exit = True
        self.thread.join(30)


@pytest.fixture
def served(database: Database, test_database: TestDatabase, tmp_path: Path) -> Iterator[Served]:
    assert database.tenant
    with Served(test_database.app_dsn, tmp_path) as running:
        yield running


def cases(base: str) -> st.SearchStrategy[Case]:
    """Requests to every operation described: such as it takes, and such as it should refuse."""
    schema = schemathesis.openapi.from_dict(json.loads(openapi(base)))
    made: dict[Any, st.SearchStrategy[Case]] = {}

    def of(pair: Any) -> st.SearchStrategy[Case]:
        operation, mode = pair
        if (operation.label, mode) not in made:
            made[operation.label, mode] = operation.as_strategy(mode)
        return made[operation.label, mode]

    operations = [found.ok() for found in schema.get_all_operations()]
    general = [one for one in operations if "{type}" in one.path or one.path == "/"]
    modes = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    chosen = st.one_of(st.sampled_from(general), st.sampled_from(operations))
    return st.tuples(chosen, modes).flatmap(of)


def never_fails(served: Served, examples: int, *, same_each_time: bool) -> None:
    known: set[int] = set()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=same_each_time,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(served.base))
    def one(case: Case) -> None:
        answer = case.call(base_url=served.base, headers=TOKEN, timeout=30)
        known.add(answer.status_code)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text[:500])
        if answer.status_code >= 400 and case.method != "HEAD":
            assert "OperationOutcome" in answer.text, (case.as_curl_command(), answer.text[:300])

    one()
    assert {200, 400, 404} <= known


def test_described_requests_never_fail_the_server(served: Served) -> None:
    never_fails(served, 250, same_each_time=True)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_described_requests_never_fail_the_server_long(served: Served) -> None:
    never_fails(served, 10_000, same_each_time=False)


async def test_the_description_is_behind_the_token_and_names_every_type(fhir: Fhir) -> None:
    assert (await fhir("GET", "/openapi.json", token="")).status_code == 401
    answer: httpx.Response = await fhir("GET", "/openapi.json")
    assert answer.headers["content-type"].startswith("application/json")
    told = answer.json()
    assert told["openapi"] == "3.1.0"
    assert "/Patient" in told["paths"]
    assert "/{type}/{id}/_history/{vid}" in told["paths"]
    assert "/Patient/{id}/$everything" in told["paths"]
