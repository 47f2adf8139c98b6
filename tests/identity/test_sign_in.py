"""Can a person come in by the front door, and nobody else?

Attacks of the security reference, family B: each is refused, and nothing is opened by it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import asyncpg
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from liane.access import staff
from liane.access.oidc import OidcClient
from liane.base.errors import Denied
from liane.identity import commands
from liane.store import Database
from tests.house import PASSWORD, House
from tests.signing_in import (
    SESSION_COOKIE,
    follow_to_callback,
    hidden_fields,
    open_form,
    sign_in,
    submit_form,
)

LOGIN = "claire.martin"


@pytest.fixture
async def claire(house: House, database: Database) -> str:
    """An enrolled nurse with an account."""
    await asyncio.to_thread(commands.add_user, house.identity, LOGIN, "Claire Martin", PASSWORD)
    async with database.transaction() as tx:
        return await staff.enrol(tx, LOGIN, "Claire Martin", "ide", "chu", ["uf-3120"])


@pytest.fixture
async def browser(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.browser() as client:
        yield client


async def test_the_form_opens_a_session_with_the_roles_of_the_record(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    answer = await sign_in(browser, house.base_url, LOGIN, PASSWORD, "/units/uf-3120")
    assert (answer.status_code, answer.headers["location"]) == (303, "/units/uf-3120")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    session = await house.services.sessions.resolve(browser.cookies[SESSION_COOKIE])
    assert session is not None
    assert session.actor.id == claire
    assert [(r.code, r.units) for r in session.actor.roles] == [("ide", ("uf-3120",))]


async def test_a_wrong_password_opens_nothing_and_says_so_in_both_languages(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    form = await open_form(browser, house.base_url)
    answer = await submit_form(browser, form, LOGIN, "wrong")
    assert answer.status_code == 422
    assert "Identifiant ou mot de passe incorrect" in answer.text
    browser.cookies.set("liane_language", "en")
    answer = await submit_form(browser, form, "nobody.atall", "wrong")
    assert "Wrong login or password" in answer.text


async def test_an_account_without_a_place_in_the_record_stays_outside(
    house: House, database: Database, browser: httpx.AsyncClient
) -> None:
    await asyncio.to_thread(commands.add_user, house.identity, "ghost.user", "Ghost", PASSWORD)
    answer = await sign_in(browser, house.base_url, "ghost.user", PASSWORD)
    assert answer.status_code == 403
    assert SESSION_COOKIE not in browser.cookies
    async with database.reading() as tx:
        row = await tx.fetchrow("select * from journal.entry where action = 'sign in'")
    assert row["outcome"] == "refused"


async def _callback(house: House, browser: httpx.AsyncClient) -> httpx.URL:
    """Sign in as far as the provider's answer, and give its address without opening it."""
    form = await open_form(browser, house.base_url)
    answer = await submit_form(browser, form, LOGIN, PASSWORD)
    for _ in range(6):
        target = answer.url.join(answer.headers["location"])
        if target.path == "/sign-in/callback":
            return target
        answer = await browser.get(target)
    raise AssertionError("no callback")


async def test_b5a_a_missing_or_foreign_state_is_refused(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    target = await _callback(house, browser)
    for changed in (
        target.copy_remove_param("state"),
        target.copy_set_param("state", "x" * 32),
        target.copy_set_param("state", ""),
    ):
        assert (await browser.get(changed)).status_code == 403
    assert SESSION_COOKIE not in browser.cookies


async def test_b7a_a_sign_in_begun_in_one_browser_cannot_end_in_another(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    target = await _callback(house, browser)
    async with house.browser() as victim:
        assert (await victim.get(target)).status_code == 403
        assert SESSION_COOKIE not in victim.cookies


async def test_b5d_an_answer_of_another_issuer_is_refused(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    target = await _callback(house, browser)
    assert target.params["iss"] == house.identity.issuer
    changed = target.copy_set_param("iss", "https://evil.example/id/o")
    assert (await browser.get(changed)).status_code == 403
    async with house.browser() as other:
        target = await _callback(house, other)
        assert (await other.get(target.copy_remove_param("iss"))).status_code == 403


async def test_the_same_answer_opens_one_session_only(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    target = await _callback(house, browser)
    assert (await browser.get(target)).status_code == 303
    assert (await browser.get(target)).status_code == 403


async def test_b1_the_session_secret_is_new_at_each_sign_in_and_the_old_one_dies(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    browser.cookies.set(SESSION_COOKIE, "chosen-by-the-attacker", domain="127.0.0.1")
    await sign_in(browser, house.base_url, LOGIN, PASSWORD)
    mine = [c.value for c in browser.cookies.jar if c.name == SESSION_COOKIE]
    assert "chosen-by-the-attacker" not in mine[-1]
    assert await house.services.sessions.resolve("chosen-by-the-attacker") is None
    first = mine[-1]
    browser.cookies.delete(SESSION_COOKIE)
    browser.cookies.set(SESSION_COOKIE, first)
    answer = await browser.get(f"{house.base_url}/sign-in")
    await follow_to_callback(browser, answer)
    assert await house.services.sessions.resolve(first) is None


async def test_the_next_person_at_a_shared_post_is_asked_for_a_password(
    house: House, claire: str, browser: httpx.AsyncClient, test_database: Any
) -> None:
    """B2: the carer's session here has ended, her browser is still open."""
    await sign_in(browser, house.base_url, LOGIN, PASSWORD)
    connection = await asyncpg.connect(test_database.identity_dsn)
    longest = await connection.fetchval(
        "select max(expire_date) - now() from identity.django_session where session_key = $1",
        browser.cookies["liane_id_session"],
    )
    assert longest <= timedelta(seconds=120)
    await connection.execute("update identity.django_session set expire_date = now()")
    await connection.close()
    form = await open_form(browser, house.base_url)
    assert 'name="password"' in form.text


# -- the authorization endpoint ----------------------------------------------------------------


def _challenge(verifier: str) -> str:
    return (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    )


async def _signed_in_at_provider(house: House, browser: httpx.AsyncClient) -> None:
    form = await browser.get(f"{house.base_url}/id/accounts/login/")
    fields = {**hidden_fields(form.text), "login": LOGIN, "password": PASSWORD}
    answer = await browser.post(form.url, data=fields, headers={"Referer": str(form.url)})
    assert answer.status_code == 302


async def _authorize(
    house: House, browser: httpx.AsyncClient, **changes: str | None
) -> httpx.Response:
    asked: dict[str, str | None] = {
        "response_type": "code",
        "client_id": commands.WEB_CLIENT_ID,
        "redirect_uri": f"{house.base_url}/sign-in/callback",
        "scope": "openid profile",
        "state": "s",
        "nonce": "n",
        "code_challenge": _challenge("v" * 48),
        "code_challenge_method": "S256",
        **changes,
    }
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return await browser.get(f"{house.base_url}/id/o/authorize/?{query}")


async def _code(house: House, browser: httpx.AsyncClient, **changes: str | None) -> str:
    answer = await _authorize(house, browser, **changes)
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


async def _exchange(house: House, code: str, **changes: str | None) -> httpx.Response:
    sent: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{house.base_url}/sign-in/callback",
        "code_verifier": "v" * 48,
        **changes,
    }
    async with house.browser() as client:
        return await client.post(
            f"{house.base_url}/id/o/token/",
            data={name: value for name, value in sent.items() if value is not None},
            auth=(commands.WEB_CLIENT_ID, house.web_secret),
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": "v" * 48, "code_challenge_method": "plain"},
        {"code_challenge": "v" * 48, "code_challenge_method": None},
    ],
    ids=["absent", "plain", "plain by default"],
)
async def test_b5c_pkce_by_sha256_is_required(
    house: House, claire: str, browser: httpx.AsyncClient, changes: dict[str, str | None]
) -> None:
    await _signed_in_at_provider(house, browser)
    answer = await _authorize(house, browser, **changes)
    assert "code=" not in answer.headers.get("location", "")


@pytest.mark.parametrize("verifier", [None, "", "w" * 48])
async def test_b5c_a_missing_or_wrong_verifier_gives_no_token(
    house: House, claire: str, browser: httpx.AsyncClient, verifier: str | None
) -> None:
    await _signed_in_at_provider(house, browser)
    answer = await _exchange(house, await _code(house, browser), code_verifier=verifier)
    assert answer.status_code == 400
    assert "access_token" not in answer.text


@pytest.mark.parametrize(
    "suffix",
    ["/", "/../../evil", "?x=1", "#x", "%2e", ".evil.example", "@evil.example"],
)
async def test_b5e_a_redirect_address_that_is_not_exactly_ours_is_refused(
    house: House, claire: str, browser: httpx.AsyncClient, suffix: str
) -> None:
    await _signed_in_at_provider(house, browser)
    answer = await _authorize(
        house, browser, redirect_uri=f"{house.base_url}/sign-in/callback{suffix}"
    )
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_b5e_another_port_or_host_is_refused(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    await _signed_in_at_provider(house, browser)
    for address in (
        "http://127.0.0.1:1/sign-in/callback",
        "http://localhost/sign-in/callback",
        "https://evil.example/sign-in/callback",
    ):
        assert (await _authorize(house, browser, redirect_uri=address)).status_code == 400


async def test_b5f_a_replayed_code_gives_nothing_and_takes_back_what_it_gave(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    await _signed_in_at_provider(house, browser)
    code = await _code(house, browser)
    first = await _exchange(house, code)
    assert first.status_code == 200
    token = first.json()["access_token"]
    assert await house.services.tokens.check(token) is not None  # type: ignore[union-attr]
    assert (await _exchange(house, code)).status_code == 400
    async with house.browser() as client:
        seen = await client.post(
            f"{house.base_url}/id/o/introspect/",
            data={"token": token},
            auth=(commands.WEB_CLIENT_ID, house.web_secret),
        )
    assert seen.json() == {"active": False}


async def test_implicit_and_password_grants_do_not_exist(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    await _signed_in_at_provider(house, browser)
    for kind in ("token", "id_token", "code token"):
        answer = await _authorize(house, browser, response_type=kind)
        assert "access_token" not in answer.headers.get("location", "")
    answer = await _exchange(house, "", grant_type="password", username=LOGIN, password=PASSWORD)
    assert answer.status_code in (400, 401)


# -- the ID token ------------------------------------------------------------------------------


@pytest.fixture
async def client(house: House) -> AsyncIterator[OidcClient]:
    made = OidcClient(house.base_url, commands.WEB_CLIENT_ID, house.web_secret)
    yield made
    await made.close()


def _claims(house: House, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": house.identity.issuer,
        "aud": commands.WEB_CLIENT_ID,
        "sub": "1",
        "iat": now,
        "exp": now + 60,
        "nonce": "n",
        "preferred_username": LOGIN,
    }
    return {**claims, **changes}


def _true_key(house: House) -> RSAKey:
    return RSAKey.import_key(house.identity.rsa_key_path.read_text())


async def _kid(house: House) -> str:
    async with house.browser() as http:
        keys = await http.get(f"{house.identity.issuer}/.well-known/jwks.json")
    return str(keys.json()["keys"][0]["kid"])


async def test_a_token_of_the_true_key_is_accepted(house: House, client: OidcClient) -> None:
    header = {"alg": "RS256", "kid": await _kid(house)}
    token = jwt.encode(header, _claims(house), _true_key(house))
    assert (await client.verified(token, "n"))["preferred_username"] == LOGIN


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "other"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"exp": 1},
        {"azp": "another-client"},
        {"sub": None},
    ],
    ids=["nonce", "no nonce", "issuer", "audience", "expired", "authorized party", "no subject"],
)
async def test_b5_claims_that_are_not_for_us_now_are_refused(
    house: House, client: OidcClient, changes: dict[str, Any]
) -> None:
    claims = {k: v for k, v in _claims(house, **changes).items() if v is not None}
    token = jwt.encode({"alg": "RS256", "kid": await _kid(house)}, claims, _true_key(house))
    with pytest.raises(Denied):
        await client.verified(token, "n")


def _part(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).rstrip(b"=").decode()


def _with_public_key_as_secret(kid: str, body: str, public_pem: bytes) -> str:
    """Key confusion: HMAC, with the provider's public key for a secret."""
    signed = f"{_part(json.dumps({'alg': 'HS256', 'kid': kid}))}.{body}"
    signature = hmac.new(public_pem, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_b6_forged_signatures_are_refused(house: House, client: OidcClient) -> None:
    kid = await _kid(house)
    claims = _claims(house)
    body = _part(json.dumps(claims))
    foreign = RSAKey.generate_key(2048)
    public_pem = _true_key(house).as_pem(private=False)
    forged = [
        f"{_part(json.dumps({'alg': 'none'}))}.{body}.",
        f"{_part(json.dumps({'alg': 'None', 'kid': kid}))}.{body}.",
        jwt.encode({"alg": "RS256", "kid": kid}, claims, foreign),
        jwt.encode({"alg": "RS256", "jwk": foreign.as_dict(private=False)}, claims, foreign),
        _with_public_key_as_secret(kid, body, public_pem),
        f"{_part(json.dumps({'alg': 'RS256', 'kid': '../../../../dev/null'}))}.{body}.AAAA",
        "",
        "a.b",
        "é.é.é",
    ]
    for token in forged:
        with pytest.raises(Denied):
            await client.verified(token, "n")


async def test_b6d_a_token_that_names_a_key_elsewhere_makes_no_call(
    house: House, client: OidcClient
) -> None:
    foreign = RSAKey.generate_key(2048)
    called = []

    async def evil(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.append(1)
        writer.close()

    server = await asyncio.start_server(evil, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    for header in ({"alg": "RS256", "jku": address}, {"alg": "RS256", "x5u": address}):
        with pytest.raises(Denied):
            await client.verified(jwt.encode(header, _claims(house), foreign), "n")
    server.close()
    assert called == []


# -- signing out -------------------------------------------------------------------------------


async def test_b7b_sign_out_needs_the_token_of_the_session(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    await sign_in(browser, house.base_url, LOGIN, PASSWORD)
    secret = browser.cookies[SESSION_COOKIE]
    out = f"{house.base_url}/sign-out"
    assert (await browser.get(out)).status_code in (404, 405)
    assert (await browser.post(out)).status_code == 403
    assert (await browser.post(out, data={"csrf": "guess"})).status_code == 403
    foreign = {"Origin": "https://evil.example"}
    session = await house.services.sessions.resolve(secret)
    assert session is not None
    good = {"csrf": session.csrf_token}
    assert (await browser.post(out, data=good, headers=foreign)).status_code == 403
    assert await house.services.sessions.resolve(secret) is not None
    answer = await browser.post(out, data=good)
    assert answer.status_code == 303
    assert await house.services.sessions.resolve(secret) is None
    # The identity application forgets too: the next sign-in asks for the password again.
    answer = await browser.get(answer.headers["location"])
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{house.base_url}/sign-in")
    form = await open_form(browser, house.base_url)
    assert 'name="password"' in form.text


async def test_signing_in_never_leads_to_another_site(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    for address in ("https://evil.example/", "//evil.example", "/\\evil.example", "/id/o/"):
        browser.cookies.clear()
        answer = await sign_in(browser, house.base_url, LOGIN, PASSWORD, address)
        assert answer.headers["location"] == "/"


async def test_another_name_of_the_machine_is_sent_to_the_public_address(house: House) -> None:
    port = urlsplit(house.base_url).port
    async with house.browser() as client:
        answer = await client.get(f"http://localhost:{port}/sign-in?next=/search")
    assert answer.headers["location"] == f"{house.base_url}/sign-in?next=%2Fsearch"


# -- bearer tokens -----------------------------------------------------------------------------


async def _client_token(
    house: House, scope: str, asked: str | None = None
) -> tuple[Any, dict[str, str]]:
    made = await asyncio.to_thread(commands.add_client, house.identity, secrets.token_hex(3), scope)
    async with house.browser() as http:
        data = {"grant_type": "client_credentials"}
        if asked:
            data["scope"] = asked
        answer = await http.post(
            made["token_endpoint"], data=data, auth=(made["client_id"], made["client_secret"])
        )
    return answer, made


async def test_a_program_gets_the_scopes_it_was_registered_with_or_fewer(house: House) -> None:
    answer, _ = await _client_token(house, "system/*.cruds")
    actor = await house.services.tokens.check(answer.json()["access_token"])  # type: ignore[union-attr]
    assert actor is not None
    assert (actor.kind, actor.scopes, actor.establishment) == ("client", ("system/*.cruds",), None)
    answer, _ = await _client_token(house, "system/*.cruds", "system/ImagingStudy.rs")
    assert answer.json()["scope"] == "system/ImagingStudy.rs"
    for wider in ("system/*.cruds", "system/Patient.rs", "system/Observation.d", "openid"):
        answer, _ = await _client_token(house, "system/Observation.rs", wider)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_a_revoked_token_is_dead_within_five_seconds(house: House) -> None:
    answer, made = await _client_token(house, "system/*.rs")
    token = answer.json()["access_token"]
    tokens = house.services.tokens
    assert tokens is not None
    assert await tokens.check(token) is not None
    async with house.browser() as http:
        await http.post(
            f"{house.identity.issuer}/revoke_token/",
            data={"token": token},
            auth=(made["client_id"], made["client_secret"]),
        )
    revoked_at = time.monotonic()
    while await tokens.check(token) is not None:
        await asyncio.sleep(0.1)
        assert time.monotonic() - revoked_at < 5


async def test_a_removed_client_is_dead_within_five_seconds(house: House) -> None:
    answer, made = await _client_token(house, "system/*.rs")
    token = answer.json()["access_token"]
    tokens = house.services.tokens
    assert tokens is not None
    assert await tokens.check(token) is not None
    await asyncio.to_thread(commands.remove_client, house.identity, made["client_id"])
    removed_at = time.monotonic()
    while await tokens.check(token) is not None:
        await asyncio.sleep(0.1)
        assert time.monotonic() - removed_at < 5


async def test_tokens_that_nobody_gave_are_refused(house: House) -> None:
    tokens = house.services.tokens
    assert tokens is not None
    for token in ("", "x", "x" * 5000, "é", "a b", "\x00"):
        assert await tokens.check(token) is None


async def test_concurrent_checks_of_one_token_ask_once(house: House) -> None:
    answer, _ = await _client_token(house, "system/*.rs")
    tokens = house.services.tokens
    assert tokens is not None
    token = answer.json()["access_token"]
    begun = time.monotonic()
    actors = await asyncio.gather(*[tokens.check(token) for _ in range(200)])
    assert all(actor is not None for actor in actors)
    assert time.monotonic() - begun < 2
    assert len(tokens._asking) == 0


async def test_a_closed_account_loses_its_tokens_and_cannot_come_back(
    house: House, claire: str, browser: httpx.AsyncClient
) -> None:
    await _signed_in_at_provider(house, browser)
    token = (await _exchange(house, await _code(house, browser))).json()["access_token"]
    await asyncio.to_thread(commands.set_active, house.identity, LOGIN, active=False)
    try:
        tokens = house.services.tokens
        assert tokens is not None
        assert await tokens.check(token) is None
        answer = await _authorize(house, browser)
        assert "code=" not in answer.headers.get("location", "")
    finally:
        await asyncio.to_thread(commands.set_active, house.identity, LOGIN, active=True)
