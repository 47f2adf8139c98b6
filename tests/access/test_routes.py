"""Does every page of the house refuse whoever the policy does not name, before it does anything?

A real server with every route of the installation; each role tries each route by HTTP.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from liane.access import staff
from liane.access.decision import Facts, PatientFacts, decide
from liane.access.permissions import Permission
from liane.access.policy import POLICY
from liane.access.sessions import COOKIE
from liane.assembly import ROUTES, open_services
from liane.installation import Dsns
from liane.settings import Settings
from liane.store import Database
from liane.ui.routing import Route
from liane.web.application import create_app

ALL = [route for room in ROUTES for route in room.items]


def test_every_route_names_one_permission_and_its_patient() -> None:
    for route in ALL:
        assert isinstance(route.permission, Permission), route.path
        assert route.permission is not Permission.PUBLIC, route.path
        if "{patient_id}" in route.path:
            assert route.patient == "patient_id", f"{route.path} does not say whose page it is"
        if route.patient:
            assert f"{{{route.patient}}}" in route.path


def test_no_address_is_declared_twice() -> None:
    addresses = [(route.method, route.path) for route in ALL]
    assert len(addresses) == len(set(addresses))


@pytest.fixture
async def pages(
    database: Database, test_database: Any, tmp_path: Path
) -> AsyncIterator[tuple[str, Any]]:
    settings = Settings(home=tmp_path)
    dsns = Dsns(test_database.app_dsn, test_database.owner_dsn, test_database.identity_dsn)
    services = await open_services(settings, dsns)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = create_app(replace(services, base_url=base_url), ROUTES)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield base_url, services
    server.should_exit = True
    await serving
    await services.database.close()


def _address(route: Route) -> str:
    path = route.path
    while "{" in path:
        before, _, rest = path.partition("{")
        path = f"{before}unknown-1{rest.partition('}')[2]}"
    return path


async def _ask(client: httpx.AsyncClient, base_url: str, route: Route) -> httpx.Response:
    return await client.request(route.method, base_url + _address(route))


async def test_without_a_session_every_page_leads_to_the_sign_in(pages: tuple[str, Any]) -> None:
    base_url, _ = pages
    async with httpx.AsyncClient(trust_env=False) as client:
        for route in ALL:
            answer = await _ask(client, base_url, route)
            assert answer.status_code == 303, route.path
            assert answer.headers["location"].startswith("/sign-in"), route.path


async def test_every_role_is_refused_every_page_the_policy_does_not_open(
    pages: tuple[str, Any],
) -> None:
    base_url, services = pages
    wrong, tried = [], 0
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for code in POLICY:
            async with services.database.transaction() as tx:
                await staff.enrol(tx, f"user.{code}", code.title(), code, "chu", ["uf-1"], "unit")
                person = await staff.find(tx, f"user.{code}")
                token = await services.sessions.start(tx, person)
            session = await services.sessions.resolve(token)
            client.cookies.clear()
            client.cookies.set(COOKIE, token)
            for route in ALL:
                stranger = PatientFacts() if route.patient else None
                allowed = decide(Facts(session.actor, route.permission, stranger)).allowed
                if allowed:
                    continue
                tried += 1
                answer = await _ask(client, base_url, route)
                if answer.status_code != 403:
                    wrong.append((code, route.method, route.path, answer.status_code))
    assert wrong == []
    assert tried > len(ALL)
    async with services.database.reading() as tx:
        refused = await tx.fetchval("select count(*) from journal.entry where outcome = 'refused'")
    assert refused == tried, "every refusal is in the journal"
