"""How does a test speak to the FHIR door over a real socket, from several threads at once?"""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from typing import Self

import uvicorn
from litestar import Litestar

from liane.access.actor import Actor
from liane.access.sessions import Limits, Sessions
from liane.gateways.fhir import fhir_router
from liane.store import Database
from liane.store.blobs import Blobs
from liane.ui.services import Services
from tests.gateways.fhir.conftest import ACTORS

TOKEN = {"Authorization": "Bearer all", "Accept-Encoding": "identity"}


class Served:
    """The FHIR door on a port of its own, in a thread with a loop of its own."""

    def __init__(self, dsn: str, home: Path) -> None:
        self.dsn = dsn
        self.home = home
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.socket.getsockname()[1]}/fhir"
        self.server: uvicorn.Server | None = None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        async with await Database.open(self.dsn, max_size=6) as database:
            services = Services(
                database=database,
                blobs=Blobs(self.home / "blobs"),
                home=self.home,
                sessions=Sessions(database, Limits()),
                base_url=self.base.removesuffix("/fhir"),
            )

            async def check(token: str) -> Actor | None:
                return ACTORS.get(token)

            app = Litestar([fhir_router(services, check)], openapi_config=None)
            config = uvicorn.Config(app, log_level="critical", lifespan="off")
            self.server = uvicorn.Server(config)
            self.ready.set()
            await self.server.serve(sockets=[self.socket])

    def __enter__(self) -> Self:
        self.thread.start()
        self.ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.server.should_exit = True
        self.thread.join(30)
