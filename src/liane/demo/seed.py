"""How is an empty installation filled with the demonstration group, once?

Structure, staff and people's past come by FHIR transactions; the four hundred people present are
admitted, moved, sampled and examined by HL7 v2 and DICOM, as their own systems would. A marker
resource says which instant the story counts from and, at the end, that all is there: a loading
that was cut begins again with the same instant, writes the same things and doubles nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import partial

from liane.demo.arrival import arrival
from liane.demo.care_resources import stay_resources
from liane.demo.carrier import Carrier
from liane.demo.commands import doors_from, parser
from liane.demo.doors import Doors, FhirDoor
from liane.demo.ledger import Ledger, Parcel
from liane.demo.marker import MARKER, marker, read_marker
from liane.demo.people import Person, population, present
from liane.demo.person_resources import patient, person_resources
from liane.demo.resources import Resource
from liane.demo.structure_resources import colleagues, structure

FEWER = "LIANE_TEST_DEMO_PATIENTS"
CHUNK = 220
WRITERS = 3
LINES = 6
DOOR_OPENS_TRIES, DOOR_OPENS_SECONDS = 3, 2.5
Progress = Callable[[str, int, int], None]


async def seed(doors: Doors, progress: Progress, ledger: Ledger | None = None) -> datetime:
    """Load the group unless it is there; the instant its story counts from."""
    async with FhirDoor(doors, connections=WRITERS + 1) as fhir:
        anchor, complete = read_marker(await fhir.read("Basic", MARKER))
        if anchor is not None and complete:
            return anchor
        anchor = anchor or datetime.now(UTC).replace(microsecond=0)
        await fhir.write([marker(anchor, complete=False)])
        await _load(doors, fhir, anchor, progress, ledger)
        await fhir.write([marker(anchor, complete=True)])
    return anchor


async def _load(
    doors: Doors, fhir: FhirDoor, anchor: datetime, progress: Progress, ledger: Ledger | None
) -> None:
    day = anchor.date()
    here, everybody = _wanted(day)
    first = [*structure(here), *colleagues()]
    await _write(fhir, first, partial(progress, "structure"))
    await _write(fhir, [patient(one, anchor) for one in here], partial(progress, "patients"))
    async with Carrier(doors, lines=LINES) as carrier:
        await asyncio.gather(
            _write(fhir, _past(everybody, anchor), partial(progress, "record")),
            _arrivals(carrier, here, anchor, partial(progress, "arrivals"), ledger),
        )


def _wanted(day: date) -> tuple[tuple[Person, ...], tuple[Person, ...]]:
    """Who is in a bed, and everybody; a test may want the first few only."""
    fewer = os.environ.get(FEWER)
    if fewer:
        return (present(day)[: int(fewer)],) * 2
    return present(day), population(day)


def _past(everybody: Sequence[Person], anchor: datetime) -> list[Resource]:
    found: list[Resource] = []
    for person in everybody:
        found += person_resources(person, anchor)
        found += stay_resources(person, anchor)
    return found


async def _write(
    fhir: FhirDoor, resources: Sequence[Resource], progress: Callable[[int, int], None]
) -> None:
    """Write in transactions of `CHUNK`, a few at a time, in any order."""
    chunks = [resources[at : at + CHUNK] for at in range(0, len(resources), CHUNK)]
    todo = iter(chunks)
    done = 0

    async def writer() -> None:
        nonlocal done
        for chunk in todo:
            await fhir.write(chunk)
            done += len(chunk)
            progress(done, len(resources))

    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(writer())


async def _arrivals(
    carrier: Carrier,
    here: Iterable[Person],
    anchor: datetime,
    progress: Callable[[int, int], None],
    ledger: Ledger | None,
) -> None:
    """Hand over every arrival, several people at a time, each person's parcels in order."""
    people = list(here)
    todo = iter(people)
    done = 0

    async def porter() -> None:
        nonlocal done
        for person in todo:
            parcels = await asyncio.to_thread(arrival, person, anchor)
            if ledger:
                ledger.promise(parcels)
            answers = [(one.control_id, await _taken(carrier, one)) for one in parcels]
            if ledger:
                ledger.answered_many(answers)
            _warn(person, parcels, answers)
            done += 1
            progress(done, len(people))

    async with asyncio.TaskGroup() as group:
        for _ in range(LINES):
            group.create_task(porter())


async def _taken(carrier: Carrier, parcel: Parcel) -> str:
    """The answer; a door that does not know us yet (AR) is tried again a few times."""
    code = await carrier.deliver(parcel)
    for _ in range(DOOR_OPENS_TRIES):
        if code != "AR":
            break
        await asyncio.sleep(DOOR_OPENS_SECONDS)
        code = await carrier.deliver(parcel)
    return code


def _warn(person: Person, parcels: Sequence[Parcel], answers: Sequence[tuple[str, str]]) -> None:
    refused = [f"{control_id} {code}" for control_id, code in answers if code not in ACCEPTED]
    if refused:
        print(
            f"seed: {person.id}: {len(refused)} of {len(parcels)} refused: {refused[:4]}",
            file=sys.stderr,
            flush=True,
        )


ACCEPTED = {"AA", "CA", "0000", "201", "200"}


def main() -> int:
    """`python -m liane.demo.seed`: load the group through the doors given."""
    given = parser("Load the synthetic hospital group.").parse_args()
    ledger = Ledger(given.ledger) if given.ledger else None
    started = time.monotonic()
    shown = dict.fromkeys(("structure", "patients", "record", "arrivals"), -1)

    def progress(step: str, done: int, total: int) -> None:
        tenth = done * 4 // max(1, total)
        if tenth > shown[step]:
            shown[step] = tenth
            print(f"seed: {step} {done}/{total} ({time.monotonic() - started:.0f} s)", flush=True)

    asyncio.run(seed(doors_from(given), progress, ledger))
    return 0


if __name__ == "__main__":
    sys.exit(main())
