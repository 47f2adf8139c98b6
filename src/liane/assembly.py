"""Which parts make this installation, and how are they put together in each process?

The one place that knows every room, gateway, panel and projection.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import uvicorn
import uvloop
from litestar.types import ASGIApp, ControllerRouterHandler

from liane import notifying
from liane.access import sealing, upkeep
from liane.access.sessions import Limits, Sessions
from liane.access.tokens import Tokens
from liane.base import heap
from liane.base.errors import Unavailable
from liane.base.i18n import load_catalogues
from liane.gateways.cda import render as cda_render
from liane.gateways.dicom import pages as dicom_pages
from liane.gateways.dicom import service as dicom_service
from liane.gateways.dicomweb import dicomweb_router
from liane.gateways.fhir import fhir_router
from liane.gateways.fhir.exchange import Choices
from liane.gateways.fhir.operations.workers import job_handlers as fhir_job_handlers
from liane.gateways.hl7v2 import pages as hl7v2_pages
from liane.gateways.hl7v2 import service as hl7v2_service
from liane.gateways.subscriptions import pages as subscription_pages
from liane.gateways.subscriptions import serve as serve_subscriptions
from liane.identity import application as identity_application
from liane.identity.commands import WEB_CLIENT_ID, clear_expired, web_client_secret
from liane.importing.words import words_of
from liane.installation import Dsns, data_home, database_running, identity_settings
from liane.projections import PROJECTIONS
from liane.rooms.imaging import pages as imaging_pages
from liane.rooms.imaging import waiting as imaging_waiting
from liane.rooms.patients import pages as patients_pages
from liane.rooms.record import pages as record_pages
from liane.rooms.record.agents import WORDS_JOB, words_job
from liane.rooms.record.tiles import tile_facts
from liane.settings import Settings
from liane.store import Database, jobs, sequencer
from liane.store.blobs import Blobs
from liane.store.jobs import Handler
from liane.store.search import indexing
from liane.ui import styleguide
from liane.ui.routing import Routes
from liane.ui.services import Services
from liane.ui.templating import Templates
from liane.web.application import create_app
from liane.web.doors import health_doors, mounted
from liane.web.sign_in import sign_in_handlers

log = logging.getLogger("liane")

PACKAGES = (
    "liane.ui",
    "liane.rooms.patients",
    "liane.rooms.record",
    "liane.rooms.imaging",
    "liane.gateways.hl7v2",
    "liane.gateways.dicom",
    "liane.gateways.cda",
    "liane.gateways.subscriptions",
)
"""Packages with words (`messages/`) and templates."""

ROUTES: tuple[Routes, ...] = (
    styleguide.routes,
    patients_pages.routes,
    record_pages.routes,
    imaging_pages.routes,
    imaging_waiting.routes,
    hl7v2_pages.routes,
    dicom_pages.routes,
    subscription_pages.routes,
)

Stop = asyncio.Event

SOMEONE_LEADS = (
    "select exists (select from pg_locks where locktype = 'advisory' and objid = $1 and granted)"
)
"""Whether some process gives the changes their places (the lock of the sequencer)."""


async def open_services(settings: Settings, dsns: Dsns) -> Services:
    """The parts of one process, connected."""
    database = await Database.open(
        dsns.app,
        tenant=settings.tenant,
        max_size=settings.database_pool,
        projections=PROJECTIONS,
    )
    home = data_home(settings)
    return Services(
        database=database,
        blobs=Blobs(home / "blobs"),
        home=home,
        sessions=Sessions(
            database,
            Limits(
                idle=timedelta(hours=settings.session_idle_hours),
                absolute=timedelta(hours=settings.session_absolute_hours),
            ),
        ),
        tokens=Tokens(
            database,
            settings.base_url,
            WEB_CLIENT_ID,
            web_client_secret(identity_settings(settings, dsns)),
        ),
        catalogues=load_catalogues(PACKAGES),
        templates=Templates(PACKAGES),
        render_cda=cda_render.to_html,
        cda_pdf=cda_render.embedded_pdf,
        tile_facts=tile_facts,
        base_url=settings.base_url,
        ae_title=settings.dicom_ae_title,
    )


@asynccontextmanager
async def services_open(settings: Settings, dsns: Dsns) -> AsyncIterator[Services]:
    """The services of one process, closed at the end."""
    services = await open_services(settings, dsns)
    try:
        yield services
    finally:
        await services.database.close()


def web_application(settings: Settings, dsns: Dsns, services: Services) -> ASGIApp:
    """The web server's application."""
    stop = asyncio.Event()

    async def sequence() -> None:
        await sequencer.run(services.database.dsn, stop)

    async def seal() -> None:
        await sealing.run(services.database, services.home, stop)

    async def tidy() -> None:
        await upkeep.run(services.database, services.sessions, partial(clear_expired, identity))

    identity = identity_settings(settings, dsns)
    sockets = notifying.sockets(settings, dsns.identity, services)
    return create_app(
        services,
        ROUTES,
        doors=[
            sockets.handler(),
            fhir_router(
                services,
                writers=notifying.writers(settings),
                choices=_fhir_choices(settings),
            ),
            dicomweb_router(services),
            *_own_doors(settings, dsns, services),
        ],
        tasks=[sequence, seal, tidy, sockets.run],
    )


def _fhir_choices(settings: Settings) -> Choices:
    """What R4 leaves to the house, as the house has set it."""
    return Choices(
        update_create=bool(settings.fhir_update_create),
        delete_many=bool(settings.fhir_delete_many),
        import_hosts=tuple(settings.fhir_import_hosts.split()),
    )


def _own_doors(settings: Settings, dsns: Dsns, services: Services) -> list[ControllerRouterHandler]:
    identity = identity_settings(settings, dsns)
    gateways = {
        "hl7v2": (settings.mllp_host, settings.mllp_port),
        "dicom": (settings.dicom_host, settings.dicom_port),
    }

    async def worker_answers() -> None:
        async with services.database.reading() as tx:
            if not await tx.fetchval(SOMEONE_LEADS, sequencer.LEADER_LOCK):
                raise Unavailable("worker.absent", "Aucun séquenceur.", "No sequencer leads.")

    return [
        mounted("/id", identity_application(identity)),
        *sign_in_handlers(services, WEB_CLIENT_ID, web_client_secret(identity)),
        *health_doors(services, gateways, worker_answers),
    ]


def run_web(settings: Settings) -> int:
    """`liane serve`: until told to stop."""
    _prepare_logging(settings)
    with database_running(settings) as dsns:

        async def serve() -> None:
            async with services_open(settings, dsns) as services:
                config = uvicorn.Config(
                    web_application(settings, dsns, services),
                    host=settings.http_host,
                    port=settings.http_port,
                    loop="uvloop",
                    http="httptools",
                    ws="websockets-sansio",
                    lifespan="on",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    timeout_graceful_shutdown=3,
                    timeout_keep_alive=30,
                    ws_max_size=64 * 1024,
                )
                heap.settle()
                await uvicorn.Server(config).serve()

        uvloop.run(serve())
    return 0


def run_gateway(settings: Settings) -> int:
    """`liane gateway`: the sockets of machines, until told to stop."""
    _limit_memory(settings.gateway_memory_mib)

    async def serve(services: Services, _dsns: Dsns, stop: Stop) -> None:
        await asyncio.gather(
            hl7v2_service.serve(
                services,
                settings.mllp_host,
                settings.mllp_port,
                stop,
                tls_certificate=_path(settings.mllp_tls_certificate),
                tls_authority=_path(settings.mllp_tls_authority),
            ),
            dicom_service.serve(
                services,
                settings.dicom_host,
                settings.dicom_port,
                settings.dicom_ae_title,
                stop,
            ),
        )

    return _run_until_stopped(settings, serve)


def job_handlers(settings: Settings, services: Services) -> dict[str, Handler]:
    """What the worker does after commits, by kind of job."""
    return {
        WORDS_JOB: words_job(services.blobs, words_of),
        **indexing.HANDLERS,
        **fhir_job_handlers(services, _fhir_choices(settings), notifying.writers(settings)),
    }


def run_worker(settings: Settings) -> int:
    """`liane worker`: sequencer, sealer, jobs and notifications, until told to stop."""

    async def work(services: Services, dsns: Dsns, stop: Stop) -> None:
        await asyncio.gather(
            sequencer.run(services.database.dsn, stop),
            sealing.run(services.database, services.home, stop),
            jobs.work(services.database, job_handlers(settings, services), stop),
            serve_subscriptions(
                services.database,
                notifying.policy_of(settings),
                notifying.standing_of(dsns.identity),
                stop,
            ),
        )

    return _run_until_stopped(settings, work)


def _run_until_stopped(
    settings: Settings, work: Callable[[Services, Dsns, Stop], Awaitable[None]]
) -> int:
    _prepare_logging(settings)
    with database_running(settings) as dsns:

        async def run() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
            async with services_open(settings, dsns) as services:
                heap.settle()
                await work(services, dsns, stop)

        uvloop.run(run())
    return 0


def _limit_memory(mebibytes: int) -> None:
    if mebibytes:
        limit = mebibytes * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _prepare_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
