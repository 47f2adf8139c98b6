"""Which addresses does the web server answer, and what runs beside them?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response
from litestar.types import ASGIApp, ControllerRouterHandler

from liane.ui.routing import Routes
from liane.ui.services import Services
from liane.web import failures
from liane.web.edge import page_handlers
from liane.web.headers import SecurityHeaders
from liane.web.live import Hub, live_handler
from liane.web.preferences import preference_handlers
from liane.web.static import static_router

Task = Callable[[], Awaitable[None]]
MAX_BODY_BYTES = 64 * 1024 * 1024


def create_app(
    services: Services,
    rooms: Sequence[Routes],
    *,
    doors: Sequence[ControllerRouterHandler] = (),
    tasks: Sequence[Task] = (),
) -> ASGIApp:
    """The web application: pages of the rooms, doors for programs, live socket, static files.

    `doors` are ready-made handlers (FHIR, DICOMweb, sign-in, identity, health); `tasks` run for as
    long as the application does.
    """
    hub = Hub(services)

    @asynccontextmanager
    async def beside(_app: Litestar) -> AsyncIterator[None]:
        running = [asyncio.ensure_future(task()) for task in (hub.run, *tasks)]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*running, return_exceptions=True)

    def failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        return failures.answer(services, request, error)

    application = Litestar(
        route_handlers=[
            *page_handlers(services, rooms),
            *preference_handlers(),
            live_handler(services, hub),
            static_router(),
            *doors,
        ],
        exception_handlers={Exception: failed},
        lifespan=[beside],
        openapi_config=None,
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
    )
    # Outside of everything, so that an unknown address carries the headers too.
    return SecurityHeaders(application)
