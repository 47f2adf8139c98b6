"""A movement message brings stay, Encounter, ties and beds to one state, in any order."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from tests.rooms.patients.ward_people import GAM, NOW, moved, person

from liane.access.relations import facts_of
from liane.base.errors import Conflict
from liane.rooms import patients
from liane.store.resources import read

BED_1 = {"unit": "3101", "room": "309", "bed": "309-1"}
BED_2 = {"unit": "3102", "room": "401", "bed": "1"}


async def registered(house, ipp="1", **traits) -> str:
    async with house.transaction() as tx:
        done = await patients.register_identity(
            tx, GAM, person(ipp=ipp, **traits), source="GAM", at=NOW
        )
    return done.patient_id


async def record(house, movement):
    async with house.transaction() as tx:
        return await patients.record_movement(tx, GAM, movement)


async def state(house, encounter):
    async with house.reading() as tx:
        body = json.loads((await read(tx, "Encounter", encounter)).body)
        stay = dict(
            await tx.fetchrow("select * from patients.stay where encounter = $1", encounter)
        )
        ties = await tx.fetch(
            "select kind, unit, establishment, starts, ends from access.relation"
            " where encounter = $1 order by kind, starts, unit", encounter,
        )  # fmt: skip
    return body, stay, [tuple(t) for t in ties]


async def test_every_order_of_arrival_gives_the_same_encounter(house) -> None:
    movements = [
        ("A01", -5, {"key": "1", **BED_1}),
        ("A02", -3, {"key": "2", **BED_2}),
        ("Z99", -4, {"key": "2", "action": "UPDATE", "original_event": "A02", "said": -2, **BED_2}),
        ("A03", -1, {"key": "3"}),
    ]
    seen = []
    for number, order in enumerate(itertools.permutations(movements)):
        patient = await registered(house, str(number), given=f"P{number}")
        for event, hour, more in order:
            done = await record(house, moved(patient, event, hour, venue=f"V{number}", **more))
        body, stay, ties = await state(house, done.encounter_id)
        kept = {k: body[k] for k in ("status", "class", "period", "location", "serviceProvider")}
        seen.append((kept, stay["status"], stay["unit"], stay["bed"], ties))
    assert all(one == seen[0] for one in seen)
    assert seen[0][0]["status"] == "finished"
    assert len(seen[0][0]["location"]) == 2


async def test_a_repeated_message_makes_no_new_version(house) -> None:
    patient = await registered(house)
    first = await record(house, moved(patient, "A01", -5, key="1", **BED_1))
    again = await record(house, moved(patient, "A01", -5, key="1", **BED_1))
    assert (first.changed, again.changed) == (True, False)
    async with house.reading() as tx:
        assert (await read(tx, "Encounter", first.encounter_id)).version == 1


async def test_ten_messages_at_once_make_one_stay(house) -> None:
    patient = await registered(house)
    done = await asyncio.gather(
        *(record(house, moved(patient, "A02", -5 + n / 10, key=str(n), **BED_1)) for n in range(8))
    )
    assert len({d.encounter_id for d in done}) == 1
    async with house.reading() as tx:
        assert await tx.fetchval("select count(*) from patients.movement") == 8


async def test_the_unit_reaches_the_patient_from_admission_and_a_week_after(house) -> None:
    patient = await registered(house)
    await record(house, moved(patient, "A01", -5, key="1", **BED_1))
    async with house.reading() as tx:
        facts = await facts_of(tx, patient)
    assert [(r.kind, r.unit, r.establishment) for r in facts.relations] == [
        ("present", "uf-3101", "chu")
    ]
    await record(house, moved(patient, "A02", -3, key="2", **BED_2))
    async with house.reading() as tx:
        facts = await facts_of(tx, patient)
    assert {(r.kind, r.unit) for r in facts.relations} == {
        ("recent", "uf-3101"),
        ("present", "uf-3102"),
    }


async def test_an_announced_patient_is_expected_by_the_unit(house) -> None:
    patient = await registered(house)
    done = await record(house, moved(patient, "A05", 20, key="1", said=-1, **BED_1))
    body, stay, ties = await state(house, done.encounter_id)
    assert (body["status"], stay["status"], ties[0][:2]) == (
        "planned",
        "planned",
        ("expected", "uf-3101"),
    )
    await record(house, moved(patient, "A38", 20, key="1", said=0, action="CANCEL"))
    body, stay, ties = await state(house, done.encounter_id)
    assert (body["status"], ties) == ("cancelled", [])


async def test_the_bed_left_waits_for_cleaning_and_the_bed_entered_is_in_use(house) -> None:
    patient = await registered(house)
    await record(house, moved(patient, "A01", -5, key="1", **BED_1))
    await record(house, moved(patient, "A02", -3, key="2", **BED_2))
    async with house.reading() as tx:
        beds = {
            r["label"]: r["state"] for r in await tx.fetch("select label, state from patients.bed")
        }
    assert beds == {"309-1": "K", "401-1": "U"}
    other = await registered(house, "2", given="Paul")
    await record(house, moved(other, "A01", -2, key="9", venue="V2", **BED_1))
    async with house.reading() as tx:
        assert await tx.fetchval("select state from patients.bed where label = '309-1'") == "U"


async def test_a_stay_loaded_long_after_it_ended_sends_no_bed_to_cleaning(house) -> None:
    patient = await registered(house)
    await record(house, moved(patient, "A01", -500, key="1", **BED_1))
    await record(house, moved(patient, "A03", -400, key="2"))
    async with house.reading() as tx:
        assert await tx.fetchval("select state from patients.bed") == "U"


async def test_the_venue_of_another_patient_is_refused(house) -> None:
    jeanne, paul = await registered(house), await registered(house, "2", given="Paul")
    await record(house, moved(jeanne, "A01", -5, key="1", **BED_1))
    with pytest.raises(Conflict):
        await record(house, moved(paul, "A02", -4, key="2", **BED_1))


async def test_a_place_nobody_declared_is_learnt(house) -> None:
    patient = await registered(house)
    await record(house, moved(patient, "A01", -5, key="1", unit="Chir V", room="12", bed="A"))
    async with house.reading() as tx:
        unit = json.loads((await read(tx, "Organization", "uf-chir-v")).body)
        bed = json.loads((await read(tx, "Location", "loc-chir-v-12-a-lit")).body)
    assert unit["extension"][0]["url"].endswith("learnt-from-messages")
    assert (bed["name"], bed["partOf"]["reference"]) == ("12-A", "Location/loc-chir-v-12")
