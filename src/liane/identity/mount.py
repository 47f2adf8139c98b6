"""How does the platform serve the identity application under `/id`?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from liane.identity.settings import PREFIX, IdentitySettings, configure

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def application(settings: IdentitySettings) -> Application:
    """The ASGI application to mount at `/id`, whether the mount keeps the prefix or cuts it."""
    configure(settings)
    from django.core.handlers.asgi import ASGIHandler

    django = ASGIHandler()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"the identity application does not speak {scope['type']}")
        inner = dict(scope)
        inner["root_path"] = PREFIX
        inner["path"] = _path(scope)
        await django(inner, receive, send)

    return serve


def _path(scope: Scope) -> str:
    """The path as the browser sent it: some mounts cut the prefix or add a final slash."""
    raw = scope.get("raw_path")
    path = unquote(raw.decode("latin-1")) if raw else str(scope.get("path", "/"))
    return path if path == PREFIX or path.startswith(f"{PREFIX}/") else PREFIX + path
