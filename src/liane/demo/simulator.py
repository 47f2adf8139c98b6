"""How does the demonstration hospital live, hour after hour, at any speed?

Arrivals, transfers, exits, samples, letters, images and vital signs happen as often as in a
hospital of this size, more by day than by night. What happens is written to the ledger first and
handed over afterwards, person by person in order, so that neither a killed simulator nor a killed
platform loses or doubles anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from liane.demo import happenings
from liane.demo.carrier import Carrier
from liane.demo.chance import chance
from liane.demo.commands import doors_from, parser
from liane.demo.doors import Doors, FhirDoor
from liane.demo.hl7 import ZONE
from liane.demo.hospital import Hospital
from liane.demo.ledger import Ledger, Parcel
from liane.demo.load import LoadOrder, run_load
from liane.demo.marker import MARKER, read_marker
from liane.demo.people import population
from liane.demo.seed import ACCEPTED

LINES = 4
TICK_SECONDS = 0.25
LONGEST_STEP_HOURS = 0.5
WAITING_LIMIT = 400
ALREADY_PLAYING = 75
LAST_WORDS_SECONDS = 3.0
Happening = Callable[[Hospital, Random, datetime], list[Parcel]]

RATES: tuple[tuple[float, Happening], ...] = (
    (4.5, happenings.emergency_arrival),
    (1.6, happenings.planned_arrival),
    (0.7, happenings.change_of_bed),
    (1.2, happenings.examination),
)
"""How often each thing happens, per hour, on average over the day."""

MONITOR_EVERY_HOURS = 1 / 12


@dataclass(slots=True)
class Tally:
    """What was handed over so far, for the line printed now and then."""

    accepted: int = 0
    refused: int = 0


class Simulator:
    """The life of the hospital, written down as it happens."""

    def __init__(self, doors: Doors, ledger: Ledger, anchor: datetime, speed: float) -> None:
        self._doors, self._ledger, self._speed = doors, ledger, speed
        self._hospital = _remembered(ledger, anchor)
        self._queues: list[asyncio.Queue[Parcel]] = [asyncio.Queue() for _ in range(LINES)]
        self._monitored_at = self._hospital.hours
        self.tally = Tally()

    async def run(self, stop: asyncio.Event, *, seconds: float | None = None) -> None:
        """Live until `stop`, or for so many seconds; then hand over what is left."""
        ends = time.monotonic() + (seconds if seconds is not None else float("inf"))
        async with Carrier(self._doors, lines=LINES) as carrier:
            for parcel in self._ledger.waiting():
                self._enqueue(parcel)
            porters = [asyncio.create_task(self._carry(carrier, one)) for one in self._queues]
            last = time.monotonic()
            while not stop.is_set() and time.monotonic() < ends:
                await _pause(stop, TICK_SECONDS)
                now = time.monotonic()
                if self._waiting() < WAITING_LIMIT:
                    self._advance((now - last) * self._speed / 3600)
                last = now
            if not stop.is_set():
                await asyncio.gather(*(queue.join() for queue in self._queues))
            for porter in porters:
                porter.cancel()
            await asyncio.gather(*porters, return_exceptions=True)

    def _advance(self, hours: float) -> None:
        """Let `hours` of the simulated clock pass, in steps short enough to keep the order."""
        while hours > 0:
            step = min(hours, LONGEST_STEP_HOURS)
            hours -= step
            self._hospital.hours += step
            now = datetime.now(UTC)
            parcels = [*self._by_chance(step, now), *self._what_is_due(now)]
            if parcels:
                self._ledger.promise(parcels, self._hospital.changes())
                for parcel in parcels:
                    self._enqueue(parcel)

    def _by_chance(self, hours: float, now: datetime) -> list[Parcel]:
        found: list[Parcel] = []
        daily = 1.55 if 7 <= now.astimezone(ZONE).hour < 20 else 0.4
        for rate, happening in RATES:
            draw = chance("event", happening.__name__, round(self._hospital.hours * 3600, 2))
            expected = rate * daily * hours
            times = int(expected) + (draw.random() < expected % 1)
            for _ in range(times):
                found += happening(self._hospital, draw, now)
        return found

    def _what_is_due(self, now: datetime) -> list[Parcel]:
        hospital = self._hospital
        found = happenings.housekeeping(hospital)
        for number in list(hospital.lodgers):
            lodger = hospital.lodgers[number]
            draw = chance("due", number, round(hospital.hours * 3600, 2))
            if lodger.sampled <= hospital.hours:
                found += happenings.blood_sample(hospital, lodger, draw, now)
            if lodger.rounded <= hospital.hours:
                found += happenings.round_of_signs(hospital, hospital.lodgers[number], draw, now)
            if lodger.leaves <= hospital.hours:
                found += happenings.end_of_stage(hospital, hospital.lodgers[number], draw, now)
        if hospital.hours - self._monitored_at >= MONITOR_EVERY_HOURS:
            self._monitored_at = hospital.hours
            for lodger in happenings.monitored(hospital):
                draw = chance("monitor", lodger.person, hospital.hours)
                device = f"Moniteur {lodger.place[0].name}"
                found += happenings.round_of_signs(hospital, lodger, draw, now, device=device)
        return found

    def _enqueue(self, parcel: Parcel) -> None:
        self._queues[hash(parcel.lane) % LINES].put_nowait(parcel)

    def _waiting(self) -> int:
        return sum(queue.qsize() for queue in self._queues)

    async def _carry(self, carrier: Carrier, queue: asyncio.Queue[Parcel]) -> None:
        while True:
            parcel = await queue.get()
            code = await self._handed_over(carrier, parcel)
            self._ledger.answered(parcel.control_id, code)
            if code in ACCEPTED:
                self.tally.accepted += 1
            else:
                self.tally.refused += 1
                print(f"simulator: {parcel.control_id} was answered {code}", flush=True)
            queue.task_done()

    @staticmethod
    async def _handed_over(carrier: Carrier, parcel: Parcel) -> str:
        """The answer; a refusal over FHIR is an answer too, and must not stop the others."""
        try:
            return await carrier.deliver(parcel)
        except Exception as error:  # noqa: BLE001 (one parcel must not end the simulation)
            return f"{type(error).__name__}: {error}"[:200]


def _remembered(ledger: Ledger, anchor: datetime) -> Hospital:
    """The hospital of the ledger when it tells of this installation; otherwise a new one."""
    people = population(anchor.date())
    if ledger.state("anchor") == anchor.isoformat():
        return Hospital.from_state(people, ledger.states())
    ledger.forget()
    hospital = Hospital.at_the_start(people, anchor)
    ledger.promise([], {"anchor": anchor.isoformat(), **hospital.changes()})
    return hospital


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _anchor(doors: Doors, stop: asyncio.Event) -> datetime | None:
    """When the story began, as the loading left it; waits until it is complete."""
    async with FhirDoor(doors) as fhir:
        while not stop.is_set():
            anchor, complete = read_marker(await fhir.read("Basic", MARKER))
            if anchor is not None and complete:
                return anchor
            await _pause(stop, 2)
    return None


async def simulate(
    doors: Doors,
    ledger: Ledger,
    speed: float,
    stop: asyncio.Event,
    *,
    seconds: float | None = None,
) -> Tally:
    """Play the hospital at `speed` (1: real time) until `stop` or for so many seconds."""
    anchor = await _anchor(doors, stop)
    if anchor is None:
        return Tally()
    simulator = Simulator(doors, ledger, anchor, speed)
    await simulator.run(stop, seconds=seconds)
    return simulator.tally


def main() -> int:
    """`python -m liane.demo.simulator`: play, or load the gateway with `--load`."""
    made = parser("Play a hospital on the real doors.")
    made.add_argument("--speed", type=float, default=1.0, help="1 = real time")
    made.add_argument("--seconds", type=float, help="stop after this long; default: never")
    made.add_argument("--load", type=float, help="only send HL7 v2, this many messages a second")
    made.add_argument("--connections", type=int, default=8, help="MLLP connections of --load")
    given = made.parse_args()
    order = _order(given)
    file = given.ledger or Path("demo-simulator.ledger")
    file = load_ledger(file) if order else file
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"simulator: another one is writing {file}; give --ledger", file=sys.stderr)
            return ALREADY_PLAYING
        return asyncio.run(
            _main(given.speed, given.seconds, Ledger(file), doors_from(given), order)
        )


def load_ledger(file: Path) -> Path:
    """Where a load run writes, so that it never disturbs the ledger of the hospital's life."""
    return file.with_name(f"{file.stem}-load{file.suffix}")


def _order(given: object) -> LoadOrder | None:
    rate = getattr(given, "load", None)
    if not rate:
        return None
    seconds = getattr(given, "seconds", None) or 30.0
    return LoadOrder(float(rate), int(getattr(given, "connections", 8)), float(seconds))


async def _main(
    speed: float, seconds: float | None, ledger: Ledger, doors: Doors, order: LoadOrder | None
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if order is not None:
        print(await run_load(doors, ledger, order, stop))
        return 0
    playing = asyncio.create_task(simulate(doors, ledger, speed, stop, seconds=seconds))
    asked = asyncio.create_task(_asked(stop))
    await asyncio.wait({playing, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    try:
        async with asyncio.timeout(LAST_WORDS_SECONDS if stop.is_set() else None):
            tally = await playing
    except TimeoutError:
        return 0  # what was not answered waits in the ledger
    print(f"simulator: {tally.accepted} accepted, {tally.refused} refused", flush=True)
    return 0 if tally.refused == 0 else 1


async def _asked(stop: asyncio.Event) -> Tally:
    await stop.wait()
    return Tally()


if __name__ == "__main__":
    sys.exit(main())
