"""Run a gateway alone in a process, so that a test can kill it (`python gateway_process.py DSN HOME`)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from liane.access.sessions import Sessions
from liane.gateways.hl7v2.service import serve
from liane.rooms import imaging, patients, record
from liane.store import Database
from liane.store.blobs import Blobs
from liane.ui.services import Services


async def run(dsn: str, home: Path) -> None:
    rooms = (patients, record, imaging)
    projections = tuple(room.project for room in rooms if hasattr(room, "project"))
    database = await Database.open(dsn, max_size=6, projections=projections)
    services = Services(
        database=database, blobs=Blobs(home / "blobs"), home=home, sessions=Sessions(database)
    )
    await serve(
        services,
        "127.0.0.1",
        0,
        asyncio.Event(),
        ready=lambda port: print(port, flush=True),
    )


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], Path(sys.argv[2])))
