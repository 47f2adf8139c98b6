"""Is this process alive, can it serve, and does every door of the installation answer?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

Check = Callable[[], Awaitable[None]]
"""Returns when the part answers, raises when it does not."""

CHECK_SECONDS = 3.0


async def tcp_answers(host: str, port: int) -> None:
    """Return when something accepts connections at `host`:`port`."""
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _state_of(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), CHECK_SECONDS)
    except Exception as error:  # noqa: BLE001 - any failure of a part is its state
        return f"down: {type(error).__name__}"
    return "up"


async def _answer(checks: Mapping[str, Check]) -> Response[bytes]:
    states = await asyncio.gather(*(_state_of(check) for check in checks.values()))
    parts = dict(zip(checks, states, strict=True))
    healthy = all(state == "up" for state in states)
    body = {"status": "up" if healthy else "down", "parts": parts}
    return Response(
        orjson.dumps(body),
        status_code=200 if healthy else 503,
        media_type="application/json",
    )


def health_handlers(
    ready: Mapping[str, Check], doors: Mapping[str, Check]
) -> list[HTTPRouteHandler | Any]:
    """The three public addresses `/health/live`, `/health/ready` and `/health/doors`."""

    @get("/health/live", sync_to_thread=False)
    def live() -> Response[bytes]:
        return Response(b'{"status":"up"}', media_type="application/json")

    @get("/health/ready")
    async def is_ready() -> Response[bytes]:
        return await _answer(ready)

    @get("/health/doors")
    async def every_door() -> Response[bytes]:
        return await _answer({**ready, **doors})

    return [live, is_ready, every_door]
