"""How many HL7 v2 messages a second does the gateway take, and how long does each wait?

Messages leave at a fixed rate, whether or not the earlier ones were answered, shared among the
connections; each connection has one message under way. Of five messages four are laboratory
reports and one is a movement. Every one is in the ledger before it leaves.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from liane.demo.adt import Move, movement_message
from liane.demo.doors import Doors, FhirDoor
from liane.demo.expectations import expected_movement, expected_report
from liane.demo.hospital import Hospital
from liane.demo.laboratory import Sample, report_message, sample_at
from liane.demo.ledger import Ledger, Parcel
from liane.demo.marker import MARKER, read_marker
from liane.demo.mllp import MllpLine
from liane.demo.people import Person, population, present

PANELS_PER_REPORT = 1
WRITE_EVERY_SECONDS = 0.2
LAST_ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """Messages a second, connections, seconds."""

    rate: float
    connections: int
    seconds: float


@dataclass(slots=True)
class Measures:
    """What came of it."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    late: float = 0.0
    left: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        """One line for people and programs."""
        waits = sorted(self.waits)
        if not waits:
            return "load: nothing was answered"
        p50, p95, p99 = (1000 * waits[int(len(waits) * part)] for part in (0.5, 0.95, 0.99))
        return (
            f"load: {len(waits)} messages in {self.seconds:.1f} s = "
            f"{len(waits) / self.seconds:.0f} messages/s; p50 {p50:.1f} ms, p95 {p95:.1f} ms, "
            f"p99 {p99:.1f} ms, longest {1000 * waits[-1]:.0f} ms; answers {self.codes}; "
            f"furthest behind schedule {self.late:.2f} s"
        )


async def run_load(doors: Doors, ledger: Ledger, order: LoadOrder, stop: asyncio.Event) -> Measures:
    """Send for the time ordered; the measures."""
    async with FhirDoor(doors) as fhir:
        anchor, _ = read_marker(await fhir.read("Basic", MARKER))
    anchor = anchor or datetime.now(UTC).replace(microsecond=0)
    if ledger.state("loaded") != anchor.isoformat():
        ledger.forget()
        ledger.promise([], {"loaded": anchor.isoformat()})
    run = f"{int(time.time()) % 10_000_000:07d}"
    parcels = _parcels(anchor, order, run)
    ledger.promise(one for lane in parcels for one in lane)
    measures, answers = Measures(), list[tuple[str, str]]()
    start = time.perf_counter() + 0.2
    writer = asyncio.create_task(_write_answers(ledger, answers))
    sending = [
        asyncio.create_task(_connection(doors, lane, start, order, measures, answers, stop))
        for lane in parcels
    ]
    await _until(stop, sending)
    measures.seconds = time.perf_counter() - start
    never_left = (
        one.control_id for lane in parcels for one in lane if one.control_id not in measures.left
    )
    ledger.withdraw(never_left)
    writer.cancel()
    ledger.answered_many(answers)
    return measures


async def _until(stop: asyncio.Event, sending: list[asyncio.Task[None]]) -> None:
    """Wait for all of `sending`; once `stop` is set, only so long as an answer may take."""
    everything = asyncio.create_task(_all(sending))
    stopped = asyncio.create_task(_set(stop))
    await asyncio.wait({everything, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    try:
        async with asyncio.timeout(LAST_ANSWER_SECONDS if stop.is_set() else None):
            await everything
    except TimeoutError:
        pass  # what was sent and not answered stays so in the ledger


async def _all(sending: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*sending)


async def _set(stop: asyncio.Event) -> None:
    await stop.wait()


async def _connection(
    doors: Doors,
    lane: list[Parcel],
    start: float,
    order: LoadOrder,
    measures: Measures,
    answers: list[tuple[str, str]],
    stop: asyncio.Event,
) -> None:
    line = MllpLine(doors.mllp.host, doors.mllp.port)
    every = order.connections / order.rate
    for index, parcel in enumerate(lane):
        due = start + index * every
        ahead = due - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        if stop.is_set():
            break
        measures.left.add(parcel.control_id)
        sent = time.perf_counter()
        measures.late = max(measures.late, sent - due)
        answer = await line.send_until_applied(parcel.payload)
        measures.waits.append(time.perf_counter() - sent)
        measures.codes[answer.code] = measures.codes.get(answer.code, 0) + 1
        answers.append((parcel.control_id, answer.code))
    await line.close()


async def _write_answers(ledger: Ledger, answers: list[tuple[str, str]]) -> None:
    while True:
        await asyncio.sleep(WRITE_EVERY_SECONDS)
        taken, answers[:] = answers[:], []
        ledger.answered_many(taken)


def _parcels(anchor: datetime, order: LoadOrder, run: str) -> list[list[Parcel]]:
    """One list for each connection; a person always speaks on the same one."""
    everybody = population(anchor.date())
    hospital = Hospital.at_the_start(everybody, anchor)
    people = [one for one in present(anchor.date()) if one.number != 12]
    total, turns = int(order.rate * order.seconds), Counter[int]()
    lanes: list[list[Parcel]] = [[] for _ in range(order.connections)]
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    for index in range(total):
        connection = index % order.connections
        group = people[connection :: order.connections]
        person = group[(index // order.connections) % len(group)]
        at = began + timedelta(seconds=index)
        stay = hospital.current_move(hospital.lodgers[person.number], at)
        move = replace(stay, venue=f"{run}{person.number:04d}")
        control_id = f"L{run}{index:06d}"
        if index // order.connections % 5 == 4:
            turns[person.number] += 1
            parcel = _movement(person, move, control_id, at, turns[person.number])
        else:
            parcel = _report(person, move, control_id, at)
        lanes[connection].append(parcel)
    return lanes


def _movement(person: Person, move: Move, control_id: str, at: datetime, turn: int) -> Parcel:
    """A transfer out of the bed or back into it, so that each is a stretch of its own."""
    step = replace(move, key=control_id, event="A02", at=at, bed=move.bed if turn % 2 else None)
    payload = movement_message(person, step, control_id, at)
    return Parcel(control_id, "hl7", person.id, payload, expected_movement(person, step))


def _report(person: Person, move: Move, control_id: str, at: datetime) -> Parcel:
    story = person.stay.story if person.stay else "chute"
    whole = sample_at(person, move, story, 24.0, control_id, taken=at)
    sample: Sample = replace(whole, panels=whole.panels[:PANELS_PER_REPORT])
    payload = report_message(sample, control_id)
    return Parcel(control_id, "hl7", person.id, payload, expected_report(sample))
