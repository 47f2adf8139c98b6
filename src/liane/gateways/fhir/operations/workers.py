"""Which work of the FHIR door does the worker do, by kind of job?"""

from __future__ import annotations

from liane.gateways.fhir.asynchronous.deferring import deferred_work
from liane.gateways.fhir.asynchronous.requests import TIDY_JOB
from liane.gateways.fhir.asynchronous.running import handler, tidy_job
from liane.gateways.fhir.exchange import Choices
from liane.gateways.fhir.operations.export_job import export_work
from liane.gateways.fhir.operations.import_job import import_work
from liane.store.jobs import Handler
from liane.ui.services import Services


def job_handlers(services: Services, choices: Choices) -> dict[str, Handler]:
    """What `Prefer: respond-async` has put off."""
    home = services.home
    return {
        "fhir-export": handler(home, export_work(home)),
        "fhir-import": handler(home, import_work(services, choices)),
        "fhir-request": handler(home, deferred_work(services, choices)),
        TIDY_JOB: tidy_job(home),
    }
