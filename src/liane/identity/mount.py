"""How does the platform serve the identity application under `/id`?

In front of Django stand two cheap guards: no request of these pages is larger than 1 MiB, and a
flood of passwords from one address is turned away before it costs anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from liane.identity.settings import PREFIX, IdentitySettings, configure
from liane.identity.throttle import KNOWN_DEVICE_COOKIE, throttle

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LIMIT_BYTES = 1024 * 1024
SIGN_IN_PATH = f"{PREFIX}/accounts/login/"

_TOO_LARGE = "Envoi trop volumineux. The body is too large."
_FLOOD = (
    "Trop d'essais depuis ce poste. Rien n'est verrouillé : attendez une minute, puis réessayez.\n"
    "Too many attempts from this workstation. Nothing is locked: wait a minute, then try again."
)


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
        if _declared_length(scope) > LIMIT_BYTES:
            await _refuse(send, 413, _TOO_LARGE)
        elif _is_flood(inner):
            await _refuse(send, 429, _FLOOD)
        else:
            await django(inner, _limited(receive), send)

    return serve


def _path(scope: Scope) -> str:
    """The path as the browser sent it: some mounts cut the prefix or add a final slash."""
    raw = scope.get("raw_path")
    path = unquote(raw.decode("latin-1")) if raw else str(scope.get("path", "/"))
    return path if path == PREFIX or path.startswith(f"{PREFIX}/") else PREFIX + path


def _header(scope: Scope, name: bytes) -> bytes:
    return next((bytes(value) for key, value in scope["headers"] if key == name), b"")


def _declared_length(scope: Scope) -> int:
    text = _header(scope, b"content-length")
    return int(text) if text.isdigit() else 0


def _limited(receive: Receive) -> Receive:
    """Django keeps a whole body before it looks: one without an end is cut off here."""
    seen = 0

    async def receive_some() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return message if seen <= LIMIT_BYTES else {"type": "http.disconnect"}

    return receive_some


def _is_flood(scope: Scope) -> bool:
    """A password from an address that used up its failures, on a device nobody signed in from."""
    if scope["method"] != "POST" or scope["path"] != SIGN_IN_PATH:
        return False
    client = scope.get("client")
    if client is None or KNOWN_DEVICE_COOKIE.encode() in _header(scope, b"cookie"):
        return False
    return throttle().address_refused(str(client[0]))


async def _refuse(send: Send, status: int, words: str) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
        (b"retry-after", b"60"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words.encode()})
