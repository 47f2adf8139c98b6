"""A merge moves everything and can be taken back exactly (security reference B9, F8)."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.rooms.patients.ward_people import GAM, IPP, IPP_CHG, NOW, moved, person, staff

from liane.access import writes
from liane.base.errors import Conflict, Denied
from liane.rooms import patients
from liane.rooms.patients import Identifier
from liane.store.resources import Write, read

BED = {"unit": "3101", "room": "309", "bed": "309-1"}


async def registered(house, ipp, system=IPP, **traits) -> str:
    async with house.transaction() as tx:
        done = await patients.register_identity(
            tx, GAM, person(ipp=ipp, system=system, **traits), source="GAM", at=NOW
        )
    return done.patient_id


async def observed(tx, patient, name, encounter=None) -> None:
    body = {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"text": name},
        "subject": {"reference": f"Patient/{patient}"},
        "performer": [{"reference": f"Patient/{patient}"}],
    }
    if encounter:
        body["encounter"] = {"reference": f"Encounter/{encounter}"}
    await writes.apply(tx, GAM, [Write(body, id=name)], reason="test")


async def twins(house):
    """One person registered twice: each file has a stay and results."""
    kept, gone = await registered(house, "1"), await registered(house, "77", IPP_CHG)
    stays = {}
    for patient, venue in ((kept, "V1"), (gone, "V2")):
        async with house.transaction() as tx:
            done = await patients.record_movement(
                tx, GAM, moved(patient, "A01", -5, key="1", venue=venue, **BED)
            )
            stays[patient] = done.encounter_id
            await observed(tx, patient, f"obs-{venue}", done.encounter_id)
    return kept, gone, stays


async def picture(house, *ids):
    """Everything of these patients, as text: bodies without meta, stays, ties, numbers."""
    async with house.reading() as tx:
        rows = await tx.fetch(
            "select type, id, patient, body from record.resource"
            " where patient = any($1) order by type, id", list(ids),
        )  # fmt: skip
        bodies = {}
        for row in rows:
            body = json.loads(row["body"])
            body.pop("meta", None)
            bodies[row["type"], row["id"], row["patient"]] = body
        stays = await tx.fetch("select encounter, patient from patients.stay order by 1")
        ties = await tx.fetch(
            "select patient, encounter, kind, unit from access.relation order by 1, 2"
        )
        numbers = await tx.fetch(
            "select patient, system, value from patients.identifier order by 1, 2, 3"
        )
        index = await tx.fetch("select patient, retired_into, names from patients.index order by 1")
    return bodies, *([tuple(r) for r in part] for part in (stays, ties, numbers, index))


async def merge(house, kept, gone):
    async with house.transaction() as tx:
        return await patients.merge(tx, GAM, kept, gone, source="GAM", at=NOW)


async def undo(house, merge_id):
    async with house.transaction() as tx:
        await patients.undo_merge(tx, GAM, merge_id)


async def test_a_merge_moves_everything_and_both_numbers_lead_to_the_survivor(house) -> None:
    kept, gone, stays = await twins(house)
    await merge(house, kept, gone)
    async with house.reading() as tx:
        left = await tx.fetch("select type from record.resource where patient = $1", gone)
        assert [r["type"] for r in left] == ["Patient"]
        moved_result = json.loads((await read(tx, "Observation", "obs-V2")).body)
        assert moved_result["subject"]["reference"] == f"Patient/{kept}"
        assert moved_result["performer"][0]["reference"] == f"Patient/{kept}"
        retired = json.loads((await read(tx, "Patient", gone)).body)
        assert (retired["active"], retired["link"][0]["type"]) == (False, "replaced-by")
        for system, value in ((IPP, "1"), (IPP_CHG, "77")):
            assert await patients.find_patient(tx, [Identifier(system, value)]) == kept
    async with house.transaction() as tx:
        done = await patients.record_movement(tx, GAM, moved(kept, "A03", -1, key="2", venue="V2"))
        assert done.encounter_id == stays[gone]


async def test_undoing_restores_the_earlier_state_exactly(house) -> None:
    kept, gone, _ = await twins(house)
    before = await picture(house, kept, gone)
    merge_id = await merge(house, kept, gone)
    assert await picture(house, kept, gone) != before
    await undo(house, merge_id)
    assert await picture(house, kept, gone) == before
    await undo(house, merge_id)
    assert await picture(house, kept, gone) == before


async def test_what_was_written_since_is_kept_and_follows_its_stay(house) -> None:
    kept, gone, stays = await twins(house)
    merge_id = await merge(house, kept, gone)
    async with house.transaction() as tx:
        await observed(tx, kept, "obs-later", stays[gone])
        await observed(tx, kept, "obs-own", stays[kept])
        changed = json.loads((await read(tx, "Observation", "obs-V2")).body)
        changed["status"] = "corrected"
        await writes.apply(tx, GAM, [Write(changed, id="obs-V2")], reason="test")
    await undo(house, merge_id)
    async with house.reading() as tx:
        for name, owner in (("obs-later", gone), ("obs-own", kept), ("obs-V2", gone)):
            body = json.loads((await read(tx, "Observation", name)).body)
            assert body["subject"]["reference"] == f"Patient/{owner}", name
        assert json.loads((await read(tx, "Observation", "obs-V2")).body)["status"] == "corrected"
        assert await patients.find_patient(tx, [Identifier(IPP_CHG, "77")]) == gone


async def test_repeating_a_merge_changes_nothing(house) -> None:
    kept, gone, _ = await twins(house)
    assert await merge(house, kept, gone) == await merge(house, kept, gone)


async def test_a_retired_identity_is_not_merged_elsewhere(house) -> None:
    kept, gone, _ = await twins(house)
    third = await registered(house, "3", given="Anne")
    await merge(house, kept, gone)
    with pytest.raises(Conflict):
        await merge(house, third, gone)


async def test_a_chain_of_merges_is_undone_from_its_end(house) -> None:
    kept, gone, _ = await twins(house)
    third = await registered(house, "3", given="Anne")
    before = await picture(house, kept, gone, third)
    first = await merge(house, kept, gone)
    second = await merge(house, third, kept)
    async with house.reading() as tx:
        assert await patients.find_patient(tx, [Identifier(IPP_CHG, "77")]) == third
    with pytest.raises(Conflict):
        await undo(house, first)
    await undo(house, second)
    async with house.reading() as tx:
        assert await patients.find_patient(tx, [Identifier(IPP_CHG, "77")]) == kept
    await undo(house, first)
    assert await picture(house, kept, gone, third) == before


async def test_results_filed_while_merging_are_never_orphaned(house) -> None:
    kept, gone, _ = await twins(house)

    async def file(number: int) -> None:
        async with house.transaction() as tx:
            found = await patients.find_patient(tx, [Identifier(IPP_CHG, "77")])
            await asyncio.sleep(0.01)
            await observed(tx, found, f"obs-{number}")

    merged, *_ = await asyncio.gather(merge(house, kept, gone), *(file(n) for n in range(12)))
    async with house.reading() as tx:
        rows = await tx.fetch("select patient from record.resource where type = 'Observation'")
        assert {r["patient"] for r in rows} == {kept}
        assert len(rows) == 14
    await undo(house, merged)


async def test_a_nurse_does_not_merge(house) -> None:
    kept, gone, _ = await twins(house)
    with pytest.raises(Denied):
        async with house.transaction() as tx:
            await patients.merge(tx, staff("ide", "uf-3101"), kept, gone, source="x", at=NOW)
