"""How does a test run the doors of the platform for real: sign-in, identity, tokens?

One server for the whole session, on a free port, over the database of the session; each test that
asks for `database` finds the record empty and the accounts as they are.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from litestar import Litestar

from liane.access.sessions import Sessions
from liane.access.tokens import Tokens
from liane.identity import IdentitySettings, application, commands
from liane.store import Database
from liane.store.blobs import Blobs
from liane.ui.services import Services
from liane.web import failures
from liane.web.doors import mounted
from liane.web.sign_in import sign_in_handlers

PASSWORD = "feuille-orage-7-lampe"


@dataclass(frozen=True)
class House:
    """A running front door."""

    base_url: str
    identity: IdentitySettings
    services: Services

    @property
    def web_secret(self) -> str:
        return commands.web_client_secret(self.identity)

    def browser(self, **options: Any) -> httpx.AsyncClient:
        """A client with cookies of its own that follows nothing by itself."""
        return httpx.AsyncClient(timeout=30, trust_env=False, **options)


@asynccontextmanager
async def running(app_dsn: str, identity_dsn: str, home: Path) -> AsyncIterator[House]:
    """Serve the doors until the end."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    identity = IdentitySettings(
        dsn=identity_dsn,
        secret_key="k" * 48,
        issuer_base=base_url,
        rsa_key_path=home / "secrets" / "oidc.pem",
        failures_per_address_per_minute=10_000,
    )
    await asyncio.to_thread(commands.migrate, identity)
    await asyncio.to_thread(commands.configure_web_client, identity)
    async with await Database.open(app_dsn) as database:
        secret = commands.web_client_secret(identity)
        services = Services(
            database=database,
            blobs=Blobs(home / "blobs"),
            home=home,
            sessions=Sessions(database),
            tokens=Tokens(database, base_url, commands.WEB_CLIENT_ID, secret),
            base_url=base_url,
        )
        server = uvicorn.Server(
            uvicorn.Config(
                _application(services, identity, secret), lifespan="off", log_config=None
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield House(base_url, identity, services)
        finally:
            server.should_exit = True
            await serving


def _application(services: Services, identity: IdentitySettings, secret: str) -> Litestar:
    def failed(request: Any, error: Exception) -> Any:
        problem = failures.as_liane_error(error)
        return failures.Response(
            failures.outcome(problem, "en"),
            status_code=problem.http_status,
            media_type="application/json",
        )

    return Litestar(
        route_handlers=[
            mounted("/id", application(identity)),
            *sign_in_handlers(services, commands.WEB_CLIENT_ID, secret),
        ],
        exception_handlers={Exception: failed},
        openapi_config=None,
        logging_config=None,
    )
