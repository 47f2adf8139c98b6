"""Do the identity pages hold when requests are huge, odd, or far too many?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from liane.identity import commands
from liane.identity import throttle as throttling
from tests.house import PASSWORD, House
from tests.signing_in import submit_form


@pytest.fixture
def strict() -> Iterator[None]:
    """The usual limit of failures for an address, and a clean memory before and after."""
    throttle = throttling.throttle()
    usual = throttle._limit
    throttle._limit = 30
    throttle._addresses.clear()
    yield
    throttle._limit = usual
    throttle._addresses.clear()


async def test_a_declared_or_endless_large_body_is_cut_off(house: House) -> None:
    token = f"{house.identity.issuer}/token/"

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"a" * 65_536

    async with house.browser() as client:
        answer = await client.post(token, content=b"a" * 2_000_000)
        assert answer.status_code == 413
        try:
            answer = await client.post(token, content=endless())
            assert answer.status_code >= 400
        except httpx.HTTPError:
            pass  # Closed in the middle: as good.
        good = await client.get(f"{house.identity.issuer}/.well-known/openid-configuration")
    assert good.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/id",
        "/id/",
        "/id/admin/",
        "/id/accounts/signup/",
        "/id/accounts/password/reset/",
        "/id/o/applications/",
        "/id/o/applications/register/",
        "/id/o/register/",
        "/id/o/device-authorization/",
        "/id/static/..%2f..%2fsettings.py",
        "/id/static/%2e%2e/settings.py",
        "/id/static/unknown.css",
        "/id/%00",
        "/id/../etc/passwd",
        "/id/accounts/login/%ff",
    ],
)
async def test_what_is_not_needed_does_not_exist(house: House, path: str) -> None:
    async with house.browser() as client:
        answer = await client.get(house.base_url + path)
        posted = await client.post(house.base_url + path)
    assert answer.status_code in (400, 404)
    assert posted.status_code in (400, 403, 404, 405)


async def test_a_foreign_host_name_is_refused(house: House) -> None:
    async with house.browser() as client:
        answer = await client.get(
            f"{house.base_url}/id/accounts/login/", headers={"Host": "evil.example"}
        )
    assert answer.status_code == 400


async def test_b7a_the_form_cannot_be_sent_from_another_site(house: House) -> None:
    async with house.browser() as client:
        address = f"{house.base_url}/id/accounts/login/"
        fields = {"login": "claire.martin", "password": PASSWORD}
        assert (await client.post(address, data=fields)).status_code == 403
        form = await client.get(address)
        stolen = {**fields, "csrfmiddlewaretoken": "x" * 64}
        assert (await client.post(address, data=stolen)).status_code == 403
        answer = await client.post(address, data=fields, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
        assert "Page expirée" in answer.text
        assert form.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in form.headers["content-security-policy"]


async def test_the_page_says_what_liane_is_not_in_both_languages(house: House) -> None:
    async with house.browser() as client:
        address = f"{house.base_url}/id/accounts/login/"
        french = await client.get(address, headers={"Accept-Language": "de"})
        english = await client.get(address, headers={"Accept-Language": "en-GB"})
    assert '<html lang="fr"' in french.text
    assert "dispositif médical marqué CE" in french.text
    assert "Données synthétiques uniquement" in french.text
    assert '<html lang="en"' in english.text
    assert "not a CE-marked medical device" in english.text
    assert "Synthetic data only" in english.text


async def test_b8_a_flood_is_turned_away_cheaply_and_a_known_device_passes(
    house: House, strict: None
) -> None:
    await asyncio.to_thread(commands.add_user, house.identity, "steady.one", "S", PASSWORD)
    address = f"{house.base_url}/id/accounts/login/"
    async with house.browser() as own, house.browser() as flood:
        form = await own.get(address)
        assert (await submit_form(own, form, "steady.one", PASSWORD)).status_code == 302
        own.cookies.delete("liane_id_session")
        form = await flood.get(address)
        answers = [
            (await submit_form(flood, form, f"name.{number}", "wrong")).status_code
            for number in range(32)
        ]
        assert answers == [422] * 30 + [429] * 2
        begun = time.monotonic()
        refused = await asyncio.gather(
            *[submit_form(flood, form, f"name.{number}", "wrong") for number in range(100)]
        )
        assert {answer.status_code for answer in refused} == {429}
        assert time.monotonic() - begun < 3
        form = await own.get(address)
        assert (await submit_form(own, form, "steady.one", PASSWORD)).status_code == 302


async def test_lost_connections_to_the_database_are_made_again(
    house: House, test_database: Any
) -> None:
    made = await asyncio.to_thread(commands.add_client, house.identity, "steady", "system/*.rs")
    credentials = (made["client_id"], made["client_secret"])
    connection = await asyncpg.connect(test_database.identity_dsn)
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where usename = current_user and application_name = 'liane identity'"
    )
    await connection.close()
    async with house.browser() as client:
        for _ in range(6):
            answer = await client.post(
                made["token_endpoint"], data={"grant_type": "client_credentials"}, auth=credentials
            )
            assert answer.status_code == 200
