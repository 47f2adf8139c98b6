"""Which work of the FHIR door does the worker do, by kind of job?"""

from __future__ import annotations

from collections.abc import Mapping

from liane.gateways.fhir.asynchronous.deferring import bundle_work, deferred_work
from liane.gateways.fhir.asynchronous.requests import TIDY_JOB
from liane.gateways.fhir.asynchronous.running import handler, tidy_job
from liane.gateways.fhir.exchange import Choices, WriteMany
from liane.gateways.fhir.operations.export_job import export_work
from liane.gateways.fhir.operations.import_job import import_work
from liane.store.jobs import Handler
from liane.ui.services import Services


def job_handlers(
    services: Services, choices: Choices, writers: Mapping[str, WriteMany] | None = None
) -> dict[str, Handler]:
    """What `Prefer: respond-async` has put off; `writers` as those of the web nodes."""
    home = services.home
    return {
        "fhir-export": handler(home, export_work(home)),
        "fhir-import": handler(home, import_work(services, choices, writers)),
        "fhir-request": handler(home, deferred_work(services, choices, writers)),
        "fhir-bundle": handler(home, bundle_work(services, choices, writers)),
        TIDY_JOB: tidy_job(home),
    }
