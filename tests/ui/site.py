"""A real web server on a free port, with pages of the record and a signed-in reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn

from liane.access import staff
from liane.access.relations import RelationRow, replace_for_encounter
from liane.access.sessions import Sessions
from liane.base.i18n import load_catalogues
from liane.rooms.record import pages as record_pages
from liane.rooms.record.projection import project
from liane.rooms.record.tiles import tile_facts
from liane.store import Database, sequencer
from liane.store.blobs import Blobs
from liane.store.resources import Write, write_many
from liane.ui import styleguide
from liane.ui.routing import Routes
from liane.ui.services import Services
from liane.ui.templating import Templates
from liane.web.application import create_app

UNIT = "uf-3nord"
PACKAGES = ("liane.ui", "liane.rooms.record")


@dataclass
class Site:
    """Where the server answers, and the secret of the signed-in reader's cookie."""

    url: str
    token: str
    services: Services

    async def write(self, resources: Sequence[dict[str, Any]]) -> None:
        """Store resources as any room would: projections and change feed included."""
        async with self.services.database.transaction() as tx:
            await write_many(tx, [Write(r, id=r.get("id")) for r in resources])

    async def admit(self, patient: str, unit: str = UNIT) -> None:
        """Tie a patient to the unit of the reader, as a movement would."""
        async with self.services.database.transaction() as tx:
            tie = RelationRow("present", tx.now - timedelta(days=1), unit=unit, establishment="chu")
            await replace_for_encounter(tx, patient, f"{patient}-stay", [tie])


@asynccontextmanager
async def site(
    database: Database,
    home: Path,
    rooms: Sequence[Routes] = (),
    packages: Sequence[str] = (),
    role: str = "medecin",
) -> AsyncIterator[Site]:
    """Serve until the block ends."""
    database.projections = (project,)
    names = (*PACKAGES, *packages)
    services = Services(
        database=database,
        blobs=Blobs(home / "blobs"),
        home=home,
        sessions=Sessions(database),
        catalogues=load_catalogues(names),
        templates=Templates(names),
        tile_facts=tile_facts,
    )
    async with database.transaction() as tx:
        await staff.enrol(tx, "claire", "Claire Renard", role, "chu", [UNIT])
        await staff.enrol(tx, "claire", "Claire Renard", "dsi", "chu")
    async with database.transaction() as tx:
        person = await staff.find(tx, "claire")
        assert person is not None
        token = await services.sessions.start(tx, person)
    stop = asyncio.Event()

    async def sequence() -> None:
        await sequencer.run(database.dsn, stop)

    app = create_app(services, [record_pages.routes, styleguide.routes, *rooms], tasks=[sequence])
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="warning", ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Site(f"http://127.0.0.1:{port}", token, services)
    finally:
        stop.set()
        server.should_exit = True
        await running
