"""How does the platform call another server without being led elsewhere?

Only hosts on the list are called, whatever a document, a redirect or a name server says; answers
are limited in size and time; no proxy setting of the environment is believed.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any, Self

import httpx

from liane.base.errors import Denied, Unavailable

LIMIT_BYTES = 16 * 1024 * 1024
TIMEOUT_SECONDS = 10.0


class SafeClient:
    """An HTTP client bound to a list of `host` or `host:port` names.

    Redirects are not followed. Plain `http` is only for loopback addresses and for hosts named
    in `plain`.
    """

    def __init__(
        self,
        allowed: Iterable[str],
        *,
        plain: Iterable[str] = (),
        limit_bytes: int = LIMIT_BYTES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._allowed = {name.lower() for name in allowed}
        self._plain = {name.lower() for name in plain} | {"127.0.0.1", "localhost", "[::1]"}
        self._limit_bytes = limit_bytes
        self._client = httpx.AsyncClient(
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=False,
            verify=verify,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections kept open."""
        await self._client.aclose()

    async def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """One request; the whole answer is read, up to the limit.

        Raises `Denied` for a host that is not on the list, `Unavailable` when the host does not
        answer in time or answers more than the limit. A timeout means "unknown", never "failed".
        """
        target = self._check(url)
        try:
            async with self._client.stream(method, target, **options) as answer:
                content = await self._read(answer)
        except httpx.HTTPError as problem:
            raise _unreachable(target, type(problem).__name__) from problem
        headers = [
            (name, value)
            for name, value in answer.headers.multi_items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        return httpx.Response(
            answer.status_code, headers=headers, content=content, request=answer.request
        )

    async def stream(self, url: str) -> AsyncIterator[bytes]:
        """The content at `url`, part by part, up to the limit; for files larger than the memory.

        Raises as `request` does, and `Unavailable` for any status but 200.
        """
        target = self._check(url)
        try:
            async with self._client.stream("GET", target) as answer:
                if answer.status_code != 200:
                    raise _unreachable(target, f"HTTP {answer.status_code}")
                size = 0
                async for part in answer.aiter_bytes(65536):
                    size += len(part)
                    if size > self._limit_bytes:
                        raise self._too_large()
                    yield part
        except httpx.HTTPError as problem:
            raise _unreachable(target, type(problem).__name__) from problem

    def _check(self, url: str) -> httpx.URL:
        try:
            target = httpx.URL(url)
        except httpx.InvalidURL:
            target = httpx.URL("")
        host = target.host.lower()
        named = f"{host}:{target.port}" if target.port else host
        known = host in self._allowed or named in self._allowed
        secure = target.scheme == "https" or (target.scheme == "http" and host in self._plain)
        if not (known and secure) or target.userinfo:
            raise Denied(
                "peer-not-allowed",
                f"L’appel de « {host[:80]} » n’est pas autorisé.",
                f"Calling '{host[:80]}' is not allowed.",
                "L’administrateur peut ajouter ce serveur à la liste.",
                "The administrator may add this server to the list.",
            )
        return target

    async def _read(self, answer: httpx.Response) -> bytes:
        parts = []
        size = 0
        async for part in answer.aiter_bytes(65536):
            size += len(part)
            if size > self._limit_bytes:
                raise self._too_large()
            parts.append(part)
        return b"".join(parts)

    def _too_large(self) -> Unavailable:
        return Unavailable(
            "peer-answer-too-large",
            f"La réponse dépasse la limite de {self._limit_bytes} octets.",
            f"The answer is larger than the limit of {self._limit_bytes} bytes.",
        )


def _unreachable(target: httpx.URL, cause: str) -> Unavailable:
    return Unavailable(
        "peer-unreachable",
        f"Le serveur {target.host} ne répond pas ({cause}).",
        f"The server {target.host} does not answer ({cause}).",
        "Vérifier qu’il est en marche ; l’issue de la demande est inconnue.",
        "Check that it is running; the outcome of the request is unknown.",
        cause=cause,
    )
