"""Promise: no request that the description of `/fhir` allows, nor one beside it, fails the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from liane.gateways.fhir.openapi import openapi
from liane.store import Database
from tests.conftest import TestDatabase
from tests.gateways.fhir.conftest import Fhir
from tests.gateways.fhir.serving import TOKEN, Served


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
