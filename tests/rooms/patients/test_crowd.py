"""Eight lines at once, beds exchanged, messages shuffled and repeated: nothing waits for ever."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

from tests.rooms.patients.ward_people import GAM, NOW, moved, person

from liane.rooms import patients

EVENTS = ("A01", "A02", "A02", "A03")


async def test_many_senders_at_once_give_every_patient_one_stay(house) -> None:
    async def one(number: int, step: int, event: str) -> None:
        async with house.transaction() as tx:
            said = person(ipp=f"5{number}", given=f"P{number % 7}", status="validee")
            at = NOW + timedelta(seconds=step)
            known = await patients.register_identity(tx, GAM, said, source="GAM", at=at)
            place = {
                "unit": f"31{number % 3:02d}",
                "room": f"{step}",
                "bed": f"{(number + step) % 5}",
            }
            await patients.record_movement(
                tx,
                GAM,
                moved(
                    known.patient_id,
                    event,
                    -5 + step / 2,
                    venue=f"V{number}",
                    key=str(step),
                    **place,
                ),
            )

    messages = [
        (number, step, event) for number in range(24) for step, event in enumerate(EVENTS)
    ] * 2
    random.Random(7).shuffle(messages)
    todo = iter(messages)

    async def line() -> None:
        for message in todo:
            await one(*message)

    await asyncio.wait_for(asyncio.gather(*(line() for _ in range(8))), timeout=120)
    async with house.reading() as tx:
        assert await tx.fetchval("select count(*) from patients.index") == 24
        stays = await tx.fetch("select status, count(*) as number from patients.stay group by 1")
        assert [(r["status"], r["number"]) for r in stays] == [("finished", 24)]
        assert await tx.fetchval("select count(*) from patients.movement") == 24 * len(EVENTS)
        assert (
            await tx.fetchval("select count(*) from record.resource where type = 'Encounter'") == 24
        )
