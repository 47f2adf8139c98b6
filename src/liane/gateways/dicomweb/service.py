"""Which addresses does DICOMweb have, and what happens around each?

Token, scope, gate, journal, then the answer: in this order for every address. Refusals are one
JSON object with a code and a sentence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from litestar import Request, Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from litestar.types import Method

from liane.access.scopes import Letter
from liane.base.errors import Fault, LianeError
from liane.gateways.dicom.filing import Desk
from liane.gateways.dicomweb import attributes, qido, stow, wado
from liane.gateways.dicomweb.authority import Caller, TokenCheck, caller
from liane.gateways.dicomweb.multipart import boundary_of
from liane.rooms.imaging import reads
from liane.ui.services import Services

AnyRequest = Request[Any, Any, Any]
Answer = Response[Any]
Row = Mapping[str, Any]
Work = Callable[["Call"], Awaitable[Answer]]

JSON = "application/dicom+json"
_OBJECT = "/studies/{study:str}/series/{series:str}/instances/{instance:str}"
_PICTURE_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox"}


class Call:
    """One request: who asks, for what, and what is needed to answer."""

    def __init__(self, request: AnyRequest, asking: Caller, base: str, desk: Desk) -> None:
        self.request = request
        self.caller = asking
        self.base = base
        self.desk = desk

    def path(self, name: str) -> str:
        """A part of the address, or an empty text."""
        return str(self.request.path_params.get(name, ""))

    @property
    def accept(self) -> str:
        """What the caller would like to get."""
        return str(self.request.headers.get("accept", "*/*")).lower()

    @property
    def fixed(self) -> dict[str, str]:
        """The conditions that the address itself sets."""
        return {
            "StudyInstanceUID": self.path("study"),
            "SeriesInstanceUID": self.path("series"),
        }

    async def rows(self, action: str) -> tuple[Row, list[Row]]:
        """The examination and the objects the address names; journaled before this returns."""
        async with self.caller.services.database.reading() as tx:
            study = await self.caller.study(tx, self.path("study"))
            rows = await reads.instances_of(tx, study["study_uid"], self.path("series"))
        wanted = self.path("instance")
        rows = [row for row in rows if not wanted or row["sop_uid"] == wanted]
        if not rows:
            raise reads.not_found()
        await self.caller.journal(
            action, [study["patient"]], study["id"], path=self.request.url.path
        )
        return study, rows


def dicomweb_router(services: Services, check_token: TokenCheck | None = None) -> Router:
    """The handlers of `/dicomweb`; `check_token` says whose token it is."""
    desk = Desk(services)
    base = f"{services.base_url.rstrip('/')}/dicomweb"

    def door(method: Method, paths: list[str], letter: Letter, work: Work) -> HTTPRouteHandler:
        async def handle(request: AnyRequest) -> Answer:
            try:
                check = check_token or _check_of(services)
                authorization = request.headers.get("authorization", "")
                asking = await caller(services, check, authorization, letter)
                return await work(Call(request, asking, base, desk))
            except LianeError as error:
                return _refusal(error)

        handle.__name__ = work.__name__
        return HTTPRouteHandler(
            paths, http_method=method, status_code=200, request_max_body_size=None
        )(handle)

    series = "/studies/{study:str}/series/{series:str}"
    return Router(
        path="/dicomweb",
        route_handlers=[
            door("GET", ["/studies"], "s", search_studies),
            door("GET", ["/series", "/studies/{study:str}/series"], "s", search_series),
            door("GET", ["/instances", "/studies/{study:str}/instances", f"{series}/instances"],
                 "s", search_instances),
            door("POST", ["/studies", "/studies/{study:str}"], "c", store),
            door("GET", ["/studies/{study:str}", series, _OBJECT], "r", retrieve),
            door("GET", ["/studies/{study:str}/metadata", f"{series}/metadata",
                         f"{_OBJECT}/metadata"], "r", retrieve_metadata),
            door("GET", [f"{_OBJECT}/frames/{{frames:str}}"], "r", retrieve_frames),
            door("GET", [f"{_OBJECT}/rendered", f"{_OBJECT}/thumbnail",
                         f"{_OBJECT}/frames/{{frames:str}}/rendered",
                         f"{_OBJECT}/frames/{{frames:str}}/thumbnail",
                         "/studies/{study:str}/rendered", "/studies/{study:str}/thumbnail",
                         f"{series}/rendered", f"{series}/thumbnail"], "r", retrieve_rendered),
        ],
    )  # fmt: skip


async def search_studies(call: Call) -> Answer:
    """QIDO-RS, studies."""
    return await _search(call, qido.studies, attributes.study)


async def search_series(call: Call) -> Answer:
    """QIDO-RS, series."""
    return await _search(call, qido.series, attributes.series)


async def search_instances(call: Call) -> Answer:
    """QIDO-RS, instances."""
    return await _search(call, qido.instances, attributes.instance)


async def _search(
    call: Call,
    find: Callable[..., Awaitable[list[Row]]],
    told: Callable[[Row, str], dict[str, Any]],
) -> Answer:
    asked = qido.question([*call.request.query_params.multi_items()], call.fixed)
    async with call.caller.services.database.reading() as tx:
        rows = await find(tx, call.caller, asked)
    patients: Sequence[str | None] = [row["patient"] for row in rows] or [None]
    await call.caller.journal("DICOMweb search", patients, path=call.request.url.path)
    return _json([told(row, call.base) for row in rows])


async def retrieve(call: Call) -> Answer:
    """WADO-RS: files of an examination, a series or one object."""
    _, rows = await call.rows("DICOMweb read")
    wado.check_accept(call.accept, rows)
    blobs = call.caller.services.blobs
    single = len(rows) == 1 and call.path("instance")
    if single and call.accept.startswith("application/dicom") and "json" not in call.accept:
        return Stream(blobs.stream(rows[0]["sha256"]), media_type="application/dicom")
    boundary = wado.new_boundary()
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    return Stream(wado.objects(call.caller, rows, boundary), media_type=kind)


async def retrieve_metadata(call: Call) -> Answer:
    """WADO-RS: headers in DICOM JSON."""
    _, rows = await call.rows("DICOMweb read")
    return Stream(wado.metadata(call.caller, rows, call.base), media_type=JSON)


async def retrieve_frames(call: Call) -> Answer:
    """WADO-RS: frames as stored."""
    numbers = wado.frame_numbers(call.path("frames"))
    _, rows = await call.rows("DICOMweb read")
    boundary = wado.new_boundary()
    body = await wado.frames(call.caller, rows[0], numbers, boundary)
    kind = f'multipart/related; type="application/octet-stream"; boundary={boundary}'
    return Response(body, media_type=kind)


async def retrieve_rendered(call: Call) -> Answer:
    """WADO-RS: a picture; of several objects, the middle one stands for all."""
    frame = wado.frame_numbers(call.path("frames") or "1")[0]
    _, rows = await call.rows("DICOMweb read")
    shown = [row for row in rows if row["rows"] > 0] or rows
    row = shown[(len(shown) - 1) // 2]
    query = dict(call.request.query_params.items())
    if call.request.url.path.endswith("/thumbnail"):
        query.setdefault("viewport", "256,256")
    picture = await wado.rendered(call.caller, row, frame, query, call.accept)
    return Response(picture.body, media_type=picture.media_type, headers=_PICTURE_HEADERS)


async def store(call: Call) -> Answer:
    """STOW-RS."""
    boundary = boundary_of(str(call.request.headers.get("content-type", "")))
    study = call.path("study") or None
    body = call.request.stream()
    result = await stow.take_in(call.caller, call.desk, body, boundary, study)
    await call.caller.journal(
        "DICOMweb store",
        result.patients or [None],
        stored=len(result.stored),
        failed=len(result.failed),
    )
    return _json(attributes.stored(result.stored, result.failed, call.base), result.status)


def _check_of(services: Services) -> TokenCheck:
    if services.tokens is None:
        raise Fault("dicomweb.no-tokens", "Porte fermée.", "This process checks no tokens.")
    return services.tokens.check


def _json(value: object, status: int = 200) -> Answer:
    return Response(orjson.dumps(value), status_code=status, media_type=JSON)


def _refusal(error: LianeError) -> Answer:
    headers = {"Cache-Control": "no-store"}
    if error.http_status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="Liane"'
    body = {"code": error.code, "message": error.en, "message_fr": error.fr}
    return Response(
        orjson.dumps(body),
        status_code=error.http_status,
        media_type="application/json",
        headers=headers,
    )
