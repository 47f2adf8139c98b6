"""kill -9 of any process, again and again, under load: nothing acknowledged is lost or doubled.

Three streams run while processes die: HL7 v2 over four lines, pictures over DICOM, resources over
FHIR. Each sender writes down what it was answered; at the end the record is compared with that.
`LIANE_TEST_KILLS` says how often each process is killed (3 when nothing is said; 50 for the proof).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from liane.demo.carrier import Carrier
from liane.demo.checker import check
from liane.demo.doors import Address, Doors, FhirDoor
from liane.demo.expectations import expected_study
from liane.demo.images import study_of
from liane.demo.ledger import Ledger, Parcel
from liane.demo.load import LoadOrder, Measures, run_load
from liane.demo.people import present
from liane.demo.person_resources import patient
from liane.demo.structure_resources import structure
from tests.running import Installation

pytestmark = [pytest.mark.fault, pytest.mark.enable_socket, pytest.mark.timeout(7200)]
KILLS = int(os.environ.get("LIANE_TEST_KILLS", "3"))
RATE, LINES = 24.0, 4
ALIVE_SECONDS = (0.6, 2.2)
DEAD_SECONDS = (0.0, 0.6)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    running = Installation(tmp_path_factory.mktemp("faults") / "home")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
async def doors(installation: Installation) -> Doors:
    """The doors of an installation that knows the units and beds of the group."""
    found = Doors(
        fhir_url=f"{installation.base_url}/fhir",
        token=installation.token(),
        mllp=Address("127.0.0.1", installation.mllp_port),
        dicom=Address("127.0.0.1", installation.dicom_port),
    )
    resources = list(structure(present(datetime.now(UTC).date())))
    async with FhirDoor(found) as fhir:
        for start in range(0, len(resources), 200):
            await fhir.write(resources[start : start + 200])
    return found


@pytest.mark.parametrize("victim", ["gateway", "serve", "worker", "postgres"])
async def test_a_process_that_is_killed_loses_and_doubles_nothing(
    installation: Installation, doors: Doors, tmp_path: Path, victim: str
) -> None:
    messages, others = Ledger(tmp_path / "messages"), Ledger(tmp_path / "others")
    stop = asyncio.Event()
    load = asyncio.create_task(_load(doors, messages, stop))
    side = asyncio.create_task(_side_streams(doors, others, stop, victim))
    for _ in range(KILLS):
        await _work(messages, others)
        await asyncio.sleep(random.uniform(*ALIVE_SECONDS))
        await _kill(installation, victim)
        await asyncio.to_thread(installation.wait_for_doors)
    await _work(messages, others)
    stop.set()
    measures, _ = await asyncio.gather(load, side)
    assert set(measures.codes) == {"AA"}, measures
    for ledger in (messages, others):
        findings = await check(doors, list(ledger.lines()))
        assert findings.clean, str(findings)
        assert findings.unanswered == 0
        assert findings.acknowledged > 10 * KILLS
        assert findings.refused == 0, str(findings)
        ledger.close()


async def _work(*ledgers: Ledger) -> None:
    """Until each sender has been answered some more: a kill must fall into real work."""
    wanted = [ledger.answers() + 12 for ledger in ledgers]
    # The load writes all its messages before it sends the first: the longer the run, the longer.
    async with asyncio.timeout(120 + 12 * KILLS):
        while any(one.answers() < least for one, least in zip(ledgers, wanted, strict=True)):
            await asyncio.sleep(0.1)


async def _load(doors: Doors, ledger: Ledger, stop: asyncio.Event) -> Measures:
    return await run_load(doors, ledger, LoadOrder(RATE, LINES, 30.0 + 25 * KILLS), stop)


async def _kill(installation: Installation, victim: str) -> None:
    if victim == "postgres":
        file = installation.home / "postgres" / "data" / "postmaster.pid"
        os.kill(int(file.read_text().splitlines()[0]), signal.SIGKILL)
        await asyncio.sleep(1.0)
        return
    await asyncio.to_thread(installation.kill, victim)
    await asyncio.sleep(random.uniform(*DEAD_SECONDS))
    installation.launch(victim)


async def _side_streams(doors: Doors, ledger: Ledger, stop: asyncio.Event, run: str) -> None:
    """Pictures and resources, one after the other, each written down before it leaves."""
    async with Carrier(doors, lines=1) as carrier:
        await asyncio.gather(
            _stream(carrier, ledger, stop, _pictures(run)),
            _stream(carrier, ledger, stop, _resources(run)),
        )


async def _stream(
    carrier: Carrier, ledger: Ledger, stop: asyncio.Event, parcels: Iterator[Parcel]
) -> None:
    while not stop.is_set():
        parcel = next(parcels)
        ledger.promise([parcel])
        ledger.answered(parcel.control_id, await carrier.deliver(parcel))
        await asyncio.sleep(0.05)


def _pictures(run: str) -> Iterator[Parcel]:
    now = datetime.now(UTC)
    for number, person in enumerate(present(now.date()) * 50):
        assert person.stay is not None
        at = now - timedelta(minutes=number)
        study = study_of(person, "chest", number, at, person.stay.unit, key=run)
        yield Parcel(f"P{number}", "dicom", person.id, study.instances[0], expected_study(study))


def _resources(run: str) -> Iterator[Parcel]:
    now = datetime.now(UTC)
    for number, person in enumerate(present(now.date()) * 50):
        body = patient(person, now) | {"id": f"{run}-{number}"}
        del body["identifier"]
        payload = json.dumps([body]).encode()
        expects = {"what": "resources", "ids": [f"Patient/{body['id']}"]}
        yield Parcel(f"R{number}", "fhir", person.id, payload, expects)
