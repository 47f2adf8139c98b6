"""What happens around every page: who asks, may they, what is written in the journal?

One function wraps every declared route. In order: session, permission for this patient, origin
and token of writes, patient of the page equals patient of the write, the handler, the journal,
the answer. A read's answer leaves only after its journal entry is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from liane.access import gate
from liane.access.actor import Actor
from liane.access.journal import Act
from liane.access.journal_reads import reads_of
from liane.access.sessions import COOKIE, Session
from liane.base.errors import Conflict, LianeError
from liane.base.i18n import translator
from liane.store import Tx
from liane.store.changes import current_position
from liane.ui.routing import Context, Route, Routes
from liane.ui.services import Services
from liane.web import csrf
from liane.web.failures import answer, language_of

SIGN_IN_STATUS = 303
PATIENT_HEADER = "X-Liane-Patient"


def page_handlers(services: Services, rooms: Sequence[Routes]) -> list[HTTPRouteHandler]:
    """One web handler for each route that the rooms declare."""
    return [_handler(services, route) for room in rooms for route in room.items]


def _handler(services: Services, route: Route) -> HTTPRouteHandler:
    parameters = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    path = route.path.replace("}", ":str}")

    async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
        values = {name: str(request.path_params[name]) for name in parameters}
        try:
            return await _served(services, route, request, values)
        except SignInNeeded:
            return _to_sign_in(request)
        except Exception as error:  # noqa: BLE001 - the edge turns every failure into an answer
            return answer(services, request, error)

    handle.__name__ = f"{route.method.lower()}_{route.handler.__name__}"
    decorate: Callable[[Any], HTTPRouteHandler] = HTTPRouteHandler(
        path, http_method=route.method, status_code=200, name=f"{route.method} {route.path}"
    )
    return decorate(handle)


class SignInNeeded(Exception):
    """Nobody is signed in, or the session has ended."""


async def _served(
    services: Services, route: Route, request: Request[Any, Any, Any], values: dict[str, str]
) -> Response[Any]:
    session = await services.sessions.resolve(request.cookies.get(COOKIE))
    if session is None:
        raise SignInNeeded
    writing = route.method == "POST"
    opened = services.database.transaction() if writing else services.database.reading()
    patient = values.get(route.patient) if route.patient else None
    try:
        async with opened as tx:
            await gate.require(tx, session.actor, route.permission, patient=patient)
            context = _context(services, request, session, tx)
            if writing:
                await _check_write(context, session, patient)
            elif not context.fragment:
                context.position = await current_position(tx)
            response = await route.handler(context, **values)
    except LianeError as error:
        await _journal_refusal(services, route, session.actor, patient, error)
        raise
    if not writing:
        await _journal_read(services, route, context, patient)
    return response


def _context(
    services: Services, request: Request[Any, Any, Any], session: Session, tx: Tx
) -> Context:
    theme = request.cookies.get("liane_theme", "auto")
    return Context(
        request=request,
        actor=session.actor,
        tx=tx,
        t=translator(language_of(request), services.catalogues),
        services=services,
        theme=theme if theme in ("day", "night") else "auto",
        csrf_token=session.csrf_token,
    )


async def _check_write(context: Context, session: Session, patient: str | None) -> None:
    request = context.request
    csrf.check_origin(request)
    form = await context.form()
    csrf.check_token(session, request.headers.get(csrf.HEADER) or form.get(csrf.FIELD))
    if patient is None:
        return
    named = request.headers.get(PATIENT_HEADER) or form.get("patient")
    if named != patient:
        raise Conflict(
            "web.other-patient",
            "La page affichée n'est pas celle du patient visé : rien n'a été enregistré.",
            "The page on screen is not that of the patient addressed: nothing was stored.",
            "Rouvrez le dossier du bon patient puis recommencez.",
            "Open the right patient's chart again and retry.",
        )


async def _journal_read(
    services: Services, route: Route, context: Context, patient: str | None
) -> None:
    patients: list[str | None] = [patient] if patient else [*context.read_patients]
    detail = {"path": context.request.url.path, **context.journal_detail}
    acts = [Act(route.action, patient=one, detail=detail) for one in patients or [None]]
    await reads_of(services.database).record(context.actor, acts)


async def _journal_refusal(
    services: Services, route: Route, actor: Actor, patient: str | None, error: LianeError
) -> None:
    if error.http_status not in (403, 409):
        return
    detail = {"path": route.path, "code": error.code}
    act = Act(route.action, patient=patient, detail=detail, outcome="refused")
    await reads_of(services.database).record(actor, [act])


def _to_sign_in(request: Request[Any, Any, Any]) -> Response[bytes]:
    target = request.url.path if request.method == "GET" else "/"
    if request.headers.get("HX-Request") == "true":
        return Response(b"", status_code=401, headers={"HX-Redirect": f"/sign-in?next={target}"})
    return Response(
        b"", status_code=SIGN_IN_STATUS, headers={"Location": f"/sign-in?next={target}"}
    )
