"""Values stay in step with the resources that state them, in the same transaction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from liane.rooms.record import reads
from liane.rooms.record.projection import project
from liane.store import Database
from liane.store.resources import Write, delete, write_many

from . import builders

NOW = datetime.now(UTC)


async def write(database: Database, *resources: dict[str, Any]) -> None:
    database.projections = (project,)
    async with database.transaction() as tx:
        await write_many(tx, [Write(r, id=r["id"]) for r in resources])


async def shown(database: Database, kind: str = "l") -> list[Any]:
    async with database.reading() as tx:
        return await reads.results_between(
            tx, "dubreuil", NOW - timedelta(days=9), NOW + timedelta(days=1), kind
        )


def potassium(value: str, **more: Any) -> dict[str, Any]:
    at = NOW - timedelta(hours=2)
    return builders.observation("k", "dubreuil", "2823-3", "Kaliémie", value, "mmol/L", at, **more)


async def test_a_result_is_there_with_every_digit(database: Database) -> None:
    await write(database, potassium("4.10", low="3.5", high="5.1", method="ISE"))
    [one] = await shown(database)
    assert (one.shown.text, one.shown.number, one.key[3]) == ("4.10", Decimal("4.10"), "ISE")


async def test_a_corrected_result_keeps_the_old_value(database: Database) -> None:
    await write(database, potassium("6.9", flag="HH"))
    await write(database, potassium("4.1", status="corrected"))
    [one] = await shown(database)
    assert (one.shown.text, one.shown.former, one.shown.severity) == ("4.1", "6.9", "")


async def test_the_same_result_again_has_no_former_value(database: Database) -> None:
    await write(database, potassium("4.1"))
    await write(database, potassium("4.1", flag="N"))
    [one] = await shown(database)
    assert one.shown.former == ""


async def test_a_deleted_result_leaves_and_a_withdrawn_one_stays_struck(database: Database) -> None:
    await write(database, potassium("4.1", status="entered-in-error"))
    [one] = await shown(database)
    assert one.shown.withdrawn
    async with database.transaction() as tx:
        await delete(tx, "Observation", "k")
    assert await shown(database) == []


async def test_components_that_are_gone_leave(database: Database) -> None:
    both = builders.pressure("bp", "dubreuil", "120", "70", NOW)
    await write(database, both)
    assert len(await shown(database, "v")) == 2
    await write(database, {**both, "component": both["component"][:1]})
    assert [one.shown.text for one in await shown(database, "v")] == ["120"]


async def test_another_patient_never_shows(database: Database) -> None:
    other = builders.observation("x", "other", "2823-3", "K", "2.0", "mmol/L", NOW)
    await write(database, other)
    assert await shown(database) == []


async def test_the_summary_of_a_patient(database: Database) -> None:
    from liane.rooms.record.reads_summary import summary

    await write(database, *builders.story(datetime.now(UTC)))
    async with database.reading() as tx:
        found = await summary(tx, "dubreuil")
        head = await reads.chart_head(tx, "dubreuil")
    assert [p.since for p in found.problems if "Hyper" in p.label] == ["2009"]
    assert found.abnormal[0].shown.severity == "critical"
    assert {t.kind for t in found.treatments} == {"active"}
    assert head.allergy_state == "listed"
    assert head.stay is not None
    assert head.stay.place == "Médecine interne · 312-1"
    assert head.round is not None
    assert head.round.news is not None
    assert head.round.news.total == 8


async def test_four_states_of_allergies(database: Database) -> None:
    none = {
        "resourceType": "AllergyIntolerance",
        "id": "none",
        "patient": {"reference": "Patient/dubreuil"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {
            "coding": [{"system": "https://liane.example/fhir/allergy", "code": "no-known-allergy"}]
        },
    }

    async def state() -> str:
        async with database.reading() as tx:
            return (await reads.chart_head(tx, "dubreuil")).allergy_state

    await write(database, builders.patient())
    assert await state() == "not_recorded"
    await write(database, none)
    assert await state() == "none_known"
    amoxicillin, iodine = builders.allergies("dubreuil")
    await write(database, iodine)
    assert await state() == "unconfirmed"
    await write(database, amoxicillin)
    assert await state() == "listed"


async def test_a_board_asks_once_for_all_its_patients(database: Database) -> None:
    from liane.rooms.record.tiles import tile_facts

    await write(database, *builders.story(datetime.now(UTC)), builders.patient("other"))
    async with database.reading() as tx:
        facts = await tile_facts(tx, ["dubreuil", "other"])
    assert (facts["dubreuil"].news2, facts["dubreuil"].news2_band) == (8, "high")
    assert facts["dubreuil"].isolated
    assert facts["dubreuil"].unread >= 4
    assert facts["other"].allergy_state == "not_recorded"
    assert facts["other"].news2 is None


async def test_the_second_scale_is_used_only_where_a_prescriber_set_it(database: Database) -> None:
    now = datetime.now(UTC)
    signs = builders.a_round("p2", "r", now - timedelta(minutes=5), fc="72", pas="120", pad="70", t="37.0", spo2="90", fr="16")  # fmt: skip
    await write(database, builders.patient("p2"), *signs)

    async def points() -> tuple[int, int]:
        async with database.reading() as tx:
            head = await reads.chart_head(tx, "p2")
        assert head.round is not None
        assert head.round.news is not None
        return head.round.news.total, head.round.news.scale

    assert await points() == (3, 1)
    flag = {
        "resourceType": "Flag",
        "id": "scale",
        "status": "active",
        "subject": {"reference": "Patient/p2"},
        "code": {
            "coding": [{"system": "https://liane.example/fhir/flag", "code": "spo2-echelle-2"}],
            "text": "SpO₂ échelle 2",
        },
    }
    await write(database, flag)
    assert await points() == (0, 2)
