"""How does a person come in and go out?

`/sign-in` sends the browser to the identity application, `/sign-in/callback` takes its answer and
opens a session, `/sign-out` (POST) closes the session here and there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.types import ControllerRouterHandler

from liane.access import journal, staff
from liane.access.actor import SYSTEM, Actor
from liane.access.oidc import OidcClient, SignedIn
from liane.access.sessions import COOKIE
from liane.access.staff import Person
from liane.base.errors import Denied, LianeError
from liane.store import Tx
from liane.ui.services import Services
from liane.web import csrf

STATE_COOKIE = "liane_sign_in"
STATE_PATH = "/sign-in/callback"
LONGEST_NEXT = 2_000


def sign_in_handlers(
    services: Services, client_id: str, client_secret: str
) -> Sequence[ControllerRouterHandler]:
    """The three addresses, for the platform's own client at the identity application."""
    client = OidcClient(services.base_url, client_id, client_secret)

    @get("/sign-in")
    async def sign_in(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await _begin(services, client, request)

    @get(STATE_PATH)
    async def callback(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await _finish(services, client, request)

    @post("/sign-out", status_code=303)
    async def sign_out(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await _sign_out(services, client, request)

    return [sign_in, callback, sign_out]


async def _begin(
    services: Services, client: OidcClient, request: Request[Any, Any, Any]
) -> Response[bytes]:
    next_page = own_page(request.query_params.get("next"))
    if request.headers.get("host") != urlsplit(services.base_url).netloc:
        # Cookies belong to one host name: start from the address the provider will come back to.
        return _to(f"{services.base_url}/sign-in?{urlencode({'next': next_page})}")
    async with services.database.transaction() as tx:
        begun = await client.begin(tx, next_page)
    cookie = Cookie(
        key=_state_cookie(begun.state),
        value=begun.state,
        path=STATE_PATH,
        max_age=600,
        httponly=True,
        secure=_secure(services),
        samesite="lax",
    )
    return _to(begun.url, cookie)


async def _finish(
    services: Services, client: OidcClient, request: Request[Any, Any, Any]
) -> Response[bytes]:
    answer = dict(request.query_params)
    name = _state_cookie(answer.get("state", ""))
    try:
        # Two transactions: the sign-in is used up even when what follows is refused.
        async with services.database.transaction() as tx:
            signed_in = await client.finish(tx, answer, request.cookies.get(name))
        async with services.database.transaction() as tx:
            person = await _person(tx, signed_in)
            await _end_previous(services, tx, request)
            token = await services.sessions.start(tx, person, id_token=signed_in.id_token)
            actor = Actor("staff", person.practitioner, person.name, person.roles)
            await journal.record(tx, actor, "sign in", purpose="operations")
    except LianeError as refusal:
        await _journal_refusal(services, refusal)
        raise
    cookie = Cookie(
        key=COOKIE,
        value=token,
        path="/",
        httponly=True,
        secure=_secure(services),
        samesite="lax",
    )
    return _to(signed_in.next, cookie, _gone(name, STATE_PATH))


async def _person(tx: Tx, signed_in: SignedIn) -> Person:
    person = await staff.find(tx, signed_in.login)
    if person is None or not person.active:
        raise Denied(
            "access.not-staff",
            "Ce compte n'est rattaché à aucun membre du personnel.",
            "This account belongs to no member of staff.",
            "Demandez à la direction informatique de vous enregistrer.",
            "Ask the IT department to register you.",
        )
    return person


async def _end_previous(services: Services, tx: Tx, request: Request[Any, Any, Any]) -> None:
    """Whatever session this browser held before ends: the new secret is always fresh."""
    previous = request.cookies.get(COOKIE)
    if previous:
        await services.sessions.end(tx, previous, reason="signed in again")


async def _sign_out(
    services: Services, client: OidcClient, request: Request[Any, Any, Any]
) -> Response[bytes]:
    token = request.cookies.get(COOKIE)
    session = await services.sessions.resolve(token)
    if session is None or token is None:
        return _to("/sign-in", _gone(COOKIE, "/"))
    csrf.check_origin(request)
    form = await request.form()
    csrf.check_token(session, request.headers.get(csrf.HEADER) or _text(form.get(csrf.FIELD)))
    async with services.database.transaction() as tx:
        await services.sessions.end(tx, token)
        await journal.record(tx, session.actor, "sign out", purpose="operations")
    return _to(client.sign_out_url(session.id_token), _gone(COOKIE, "/"))


async def _journal_refusal(services: Services, refusal: LianeError) -> None:
    async with services.database.transaction() as tx:
        await journal.record(
            tx,
            SYSTEM("sign-in"),
            "sign in",
            detail={"code": refusal.code, **{k: str(v)[:80] for k, v in refusal.details.items()}},
            outcome="refused",
            purpose="operations",
        )


def own_page(address: str | None) -> str:
    """A path of ours and nothing else, so that signing in never leads to another site."""
    if not address or len(address) > LONGEST_NEXT or not address.startswith("/"):
        return "/"
    if address.startswith(("//", "/\\")) or any(ord(letter) < 32 for letter in address):
        return "/"
    return "/" if address.startswith(("/sign-in", "/sign-out", "/id/")) else address


def _state_cookie(state: str) -> str:
    """One cookie for each sign-in, so that two tabs do not undo one another."""
    kept = "".join(letter for letter in state[:8] if letter.isalnum())
    return f"{STATE_COOKIE}_{kept}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _secure(services: Services) -> bool:
    return services.base_url.startswith("https://")


def _gone(name: str, path: str) -> Cookie:
    return Cookie(key=name, value="", path=path, max_age=0, httponly=True, samesite="lax")


def _to(url: str, *cookies: Cookie) -> Response[bytes]:
    headers = {"Location": url, "Cache-Control": "no-store"}
    return Response(b"", status_code=303, headers=headers, cookies=list(cookies))
