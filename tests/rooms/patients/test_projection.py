"""What is written as FHIR resources shows on boards and in search like what came as messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.rooms.patients.ward_people import GAM, IPP, NOW, VENUE, moved, person, staff

from liane.access import writes
from liane.access.relations import facts_of
from liane.rooms import patients
from liane.rooms.patients import Identifier
from liane.rooms.patients.reads.board import read_board
from liane.rooms.patients.reads.search import search
from liane.store.resources import Write
from liane.ui.services import no_tile_facts

UF = [{"coding": [{"system": "https://liane.example/fhir/unit-type", "code": "UF"}]}]
NURSE = staff("ide", "uf-2101")


def location(
    id_: str, kind: str, name: str, inside: str | None = None, state: str | None = None
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "resourceType": "Location",
        "id": id_,
        "name": name,
        "status": "active",
        "physicalType": {"coding": [{"code": kind}]},
    }
    if kind == "wa":
        body["managingOrganization"] = {"reference": "Organization/uf-2101"}
    if inside:
        body["partOf"] = {"reference": f"Location/{inside}"}
    if state:
        body["operationalStatus"] = {"code": state}
    return body


HOUSE = [
    {"resourceType": "Organization", "id": "chu", "name": "CHU"},
    {"resourceType": "Organization", "id": "uf-2101", "name": "Médecine", "type": UF, "partOf": {"reference": "Organization/chu"}},
    location("loc-2101", "wa", "Médecine"),
    location("room-312", "ro", "Chambre 312", "loc-2101"),
    location("our-bed-a", "bd", "312-1", "room-312", "U"),
    location("our-bed-b", "bd", "312-2", "room-312", "K"),
]  # fmt: skip


async def write(house, *resources, deletes=False) -> None:
    async with house.transaction() as tx:
        changes = [Write(r, id=r["id"], deletes=deletes) for r in resources]
        await writes.apply(tx, GAM, changes, reason="test")


async def board(house):
    async with house.reading() as tx:
        return await read_board(tx, NURSE, "uf-2101", no_tile_facts)


def encounter(status: str = "in-progress", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": "stay-1",
        "status": status,
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/jeanne"},
        "identifier": [{"system": VENUE, "value": "V9", "type": {"coding": [{"code": "VN"}]}}],
        "serviceProvider": {"reference": "Organization/uf-2101"},
        "period": {"start": (NOW - timedelta(hours=4)).isoformat()},
        "location": [{"location": {"reference": "Location/our-bed-a"}, "status": "active"}],
    } | more


async def test_beds_declared_as_locations_stand_on_the_board_with_their_states(house) -> None:
    await write(house, *HOUSE)
    found = await board(house)
    assert [(t.bed.label, t.bed.state) for t in found.tiles] == [("312-1", "U"), ("312-2", "K")]
    await write(house, location("our-bed-b", "bd", "312-2", "room-312", "U"))
    assert (await board(house)).counts["free"] == 2
    await write(house, HOUSE[5], deletes=True)
    assert len((await board(house)).tiles) == 1


async def test_a_message_finds_the_declared_bed_by_its_label(house) -> None:
    await write(house, *HOUSE, person() | {"id": "jeanne"})
    async with house.transaction() as tx:
        place = {"unit": "2101", "room": "312", "bed": "1"}
        await patients.record_movement(tx, GAM, moved("jeanne", "A01", -1, key="1", **place))
    found = await board(house)
    assert [(t.bed.label, t.person.id if t.person else "") for t in found.tiles] == [
        ("312-1", "jeanne"),
        ("312-2", ""),
    ]


async def test_an_encounter_written_as_such_places_the_patient_and_opens_the_chart(house) -> None:
    await write(house, *HOUSE, person() | {"id": "jeanne"}, encounter())
    tile = (await board(house)).tiles[0]
    assert tile.person is not None
    assert tile.person.family == "MOREL"
    async with house.reading() as tx:
        assert [(r.kind, r.unit) for r in (await facts_of(tx, "jeanne")).relations] == [
            ("present", "uf-2101")
        ]
        assert await patients.find_patient(tx, [Identifier(IPP, "1")]) == "jeanne"
        assert (await search(tx, NURSE, "morel"))[0].bed == "312-1"
    await write(
        house,
        encounter(
            "finished",
            period={"start": (NOW - timedelta(hours=4)).isoformat(), "end": NOW.isoformat()},
        ),
    )
    assert not (await board(house)).tiles[0].occupied


async def test_a_deleted_encounter_closes_the_chart(house) -> None:
    await write(house, *HOUSE, person() | {"id": "jeanne"}, encounter())
    await write(house, encounter(), deletes=True)
    async with house.reading() as tx:
        assert not (await facts_of(tx, "jeanne")).relations
    assert not (await board(house)).tiles[0].occupied


async def test_a_deleted_patient_is_no_longer_found(house) -> None:
    await write(house, person() | {"id": "jeanne"})
    await write(house, person() | {"id": "jeanne"}, deletes=True)
    async with house.reading() as tx:
        assert await patients.find_patient(tx, [Identifier(IPP, "1")]) is None
        assert await search(tx, staff("secretaire", "uf-2101"), "morel") == []


async def test_movements_keep_the_last_word_over_a_stay_they_tell(house) -> None:
    await write(house, *HOUSE, person() | {"id": "jeanne"}, encounter())
    async with house.transaction() as tx:
        place = {"unit": "2101", "room": "312", "bed": "2"}
        done = await patients.record_movement(
            tx, GAM, moved("jeanne", "A02", -1, key="1", venue="V9", **place)
        )
    assert done.encounter_id == "stay-1"
    await write(house, encounter())
    assert [t.person is not None for t in (await board(house)).tiles] == [False, True]


async def test_an_encounter_long_over_is_left_to_the_record(house) -> None:
    long_ago = {"start": "2019-01-01", "end": "2019-01-05"}
    await write(house, person() | {"id": "jeanne"}, encounter("finished", period=long_ago))
    async with house.reading() as tx:
        assert await tx.fetchval("select count(*) from patients.stay") == 0


async def test_two_encounters_with_one_venue_number_are_both_kept(house) -> None:
    await write(
        house, *HOUSE, person() | {"id": "jeanne"}, encounter(), encounter() | {"id": "stay-2"}
    )
    async with house.reading() as tx:
        rows = await tx.fetch("select encounter, venue_system from patients.stay order by 1")
    assert {r["encounter"] for r in rows} == {"stay-1", "stay-2"}
    assert sorted(r["venue_system"] for r in rows) == sorted(["encounter", VENUE])
