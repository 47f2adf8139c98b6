"""Whose bearer token is this, and what may it do?

Tokens are opaque: the identity application is asked (RFC 7662) and its answer kept for a few
seconds at most, so that a revoked token is dead everywhere within five seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from liane.access import staff
from liane.access.actor import Actor
from liane.access.sessions import digest
from liane.base.errors import Unavailable
from liane.base.safe_http import SafeClient
from liane.store import Database

CACHE_SECONDS = 4.0
"""Below the promised 5 s, to leave room for the question itself."""
CACHED_AT_MOST = 10_000
LONGEST_TOKEN = 512


@dataclass(frozen=True, slots=True)
class _Answer:
    described: dict[str, Any]
    good_until: float


class Tokens:
    """The bearer tokens this process has met."""

    def __init__(
        self,
        database: Database,
        base_url: str,
        client_id: str,
        client_secret: str,
        http: SafeClient | None = None,
    ) -> None:
        self._database = database
        self._url = f"{base_url.rstrip('/')}/id/o/introspect/"
        self._auth = (client_id, client_secret)
        host = urlsplit(base_url).hostname or ""
        self._http = http or SafeClient([host], plain=[host], limit_bytes=64 * 1024)
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[dict[str, Any]]] = {}

    async def check(self, token: str) -> Actor | None:
        """The program or person behind the token; None when it is not valid now.

        Raises `Unavailable` when the identity application does not answer.
        """
        if not token or len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        described = await self._described(token)
        if described.get("active") is not True:
            return None
        scopes = tuple(str(described.get("scope", "")).split())
        login = described.get("username")
        if isinstance(login, str) and login:
            return await self._person(login, scopes)
        return Actor(
            kind="client",
            id=f"client:{described.get('client_id', '')}",
            name=str(described.get("client_name") or described.get("client_id", "")),
            scopes=scopes,
            establishment=described.get("establishment"),
        )

    async def _person(self, login: str, scopes: tuple[str, ...]) -> Actor | None:
        """A person's roles are read afresh; the token's scopes can only narrow them."""
        async with self._database.reading() as tx:
            person = await staff.find(tx, login)
        if person is None or not person.active:
            return None
        return Actor(
            kind="staff",
            id=person.practitioner,
            name=person.name,
            roles=person.roles,
            scopes=scopes,
            login=login,
        )

    async def _described(self, token: str) -> dict[str, Any]:
        key = digest(token)
        known = self._answers.get(key)
        if known is not None and time.monotonic() < known.good_until:
            return known.described
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(self._ask(key, token))
            self._asking[key] = asking
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(asking)

    async def _ask(self, key: bytes, token: str) -> dict[str, Any]:
        asked_at = time.monotonic()
        answer = await self._http.request("POST", self._url, auth=self._auth, data={"token": token})
        if answer.status_code != 200:
            raise Unavailable(
                "access.introspection",
                "Le service d'identité ne peut pas vérifier le jeton.",
                "The identity service cannot check the token.",
                "Réessayez dans quelques secondes.",
                "Try again in a few seconds.",
                status=answer.status_code,
            )
        described: dict[str, Any] = answer.json()
        self._keep(key, described, asked_at)
        return described

    def _keep(self, key: bytes, described: dict[str, Any], asked_at: float) -> None:
        lasts = CACHE_SECONDS
        if described.get("active") is True:
            lasts = min(lasts, float(described.get("exp", 0)) - time.time())
        self._answers.pop(key, None)
        self._answers[key] = _Answer(described, asked_at + lasts)
        while len(self._answers) > CACHED_AT_MOST:
            self._answers.popitem(last=False)

    async def close(self) -> None:
        """Close the connections kept open."""
        await self._http.close()
