"""Is this program or this account still open? Asked often, without starting the application."""

from __future__ import annotations

from typing import Any

import asyncpg

_CLIENT = """
select allowed_scopes, establishment from identity.liane_identity_client where client_id = $1
"""
_ACCOUNT = """
select exists (select from identity.liane_identity_account where username = $1 and is_active)
"""


class Standings:
    """Reads how programs and accounts stand, over one connection, made again when it is lost."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Any = None

    async def client(self, client_id: str) -> tuple[str, str] | None:
        """The widest scopes of an API client and its establishment (empty: the whole group); None
        when it was removed.
        """
        rows = await self._ask(_CLIENT, client_id)
        return (rows[0][0], rows[0][1]) if rows else None

    async def account_is_open(self, login: str) -> bool:
        """Whether the account exists and is open."""
        return bool((await self._ask(_ACCOUNT, login))[0][0])

    async def _ask(self, question: str, name: str) -> list[Any]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._dsn, timeout=10)
        try:
            rows: list[Any] = await self._connection.fetch(question, name, timeout=10)
        except BaseException:
            # Whatever happened to it, the next question gets a fresh one.
            self._connection.terminate()
            self._connection = None
            raise
        return rows
