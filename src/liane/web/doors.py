"""Which addresses belong to the platform itself: health, sign-in, identity?"""

from __future__ import annotations

from typing import Any

from litestar import asgi
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from liane.ui.services import Services
from liane.web.health import Check, health_handlers, tcp_answers


def health_doors(
    services: Services, gateways: dict[str, tuple[str, int]], worker: Check
) -> list[ControllerRouterHandler]:
    """`/health/*`. `gateways` names each machine door with its host and port."""

    async def database() -> None:
        async with services.database.reading() as tx:
            await tx.fetchval("select count(*) from record.change where batch < 0")

    def door(host: str, port: int) -> Check:
        async def answers() -> None:
            await tcp_answers(host, port)

        return answers

    doors = {name: door(*address) for name, address in gateways.items()}
    return health_handlers({"database": database}, {**doors, "worker": worker})


def mounted(path: str, application: Any) -> ControllerRouterHandler:
    """Another ASGI application below `path`."""

    @asgi(path, is_mount=True, copy_scope=True)
    async def mount(scope: Scope, receive: Receive, send: Send) -> None:
        await application(scope, receive, send)

    return mount
