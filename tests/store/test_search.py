"""Every question finds exactly what it asks for, whatever the form of the value."""

from __future__ import annotations

from typing import Any

import pytest

from liane.base.errors import Invalid
from liane.fhir import json as fhir_json
from liane.store import Database
from liane.store.resources import Write, put, write_many
from liane.store.search import Restriction, find_for_condition, parse_query, run

LOINC = "http://loinc.org"


def observation(id_: str, loinc: str, day: str, patient: str = "p1", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": loinc}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": day,
        **more,
    }


def quantity(value: str, unit: str = "mmol/L") -> dict[str, Any]:
    text = '{"value":%s,"unit":"%s","system":"http://unitsofmeasure.org","code":"%s"}'
    return fhir_json.loads(text % (value, unit, unit))


RECORD: list[dict[str, Any]] = [
    {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [
            {"system": "urn:oid:1.2.250.1.999.1.1", "value": "1001"},
            {"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "148031234567890"},
        ],
        "name": [{"family": "Lefèvre-Noël", "given": ["Œdipe", "Jean"]}],
        "gender": "male",
        "birthDate": "1948-03-14",
        "active": True,
    },
    {
        "resourceType": "Patient",
        "id": "p2",
        "name": [{"family": "Lefebvre", "given": ["Zoé"]}],
        "gender": "female",
        "birthDate": "1990",
    },
    {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Martin"}]},
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2026-01-10T10:00:00Z", "end": "2026-03-20T10:00:00Z"},
        "participant": [{"individual": {"reference": "Practitioner/dr"}}],
    },
    {
        "resourceType": "Encounter",
        "id": "e2",
        "status": "in-progress",
        "class": {"code": "EMER"},
        "subject": {"reference": "Patient/p2"},
        "period": {"start": "2026-03-01T10:00:00Z"},
    },
    observation("o1", "718-7", "2026-03-01T08:00:00Z", valueQuantity=quantity("120", "g/L")),
    observation(
        "o2",
        "718-7",
        "2026-03-02T08:00:00Z",
        valueQuantity=quantity("5.40"),
        encounter={"reference": "Encounter/e1"},
    ),
    observation("o3", "2823-3", "2026-03-03T08:00:00Z", valueQuantity=quantity("5.4")),
    observation("o4", "2823-3", "2026-03-04T08:00:00Z", "p2", valueQuantity=quantity("3.1")),
    observation(
        "o5",
        "first",
        "2026-03-05",
        "p2",
        code={"coding": [{"system": LOINC, "code": "first"}, {"code": "local-2"}]},
        valueQuantity=quantity("5", "mmol/L") | {"comparator": "<"},
    ),
    observation(
        "o6",
        "85354-9",
        "2026-03-06T08:00:00Z",
        status="preliminary",
        component=[
            {
                "code": {"coding": [{"system": LOINC, "code": "8480-6"}]},
                "valueQuantity": quantity("135", "mm[Hg]"),
            }
        ],
    ),
    {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "subject": {"reference": "Patient/p1"},
        "date": "2026-03-01T08:00:00Z",
        "description": "Compte rendu : fractures du fémur, contrôle à l'été",
        "content": [{"attachment": {"contentType": "text/plain"}}],
    },
]


@pytest.fixture
async def record(database: Database) -> Database:
    async with database.transaction() as tx:
        await write_many(tx, [Write(resource) for resource in RECORD])
    return database


async def ids(database: Database, type_: str, question: str, **more: Any) -> list[str]:
    items = [tuple(part.split("=", 1)) for part in question.split("&") if part]
    async with database.reading() as tx:
        page = await run(tx, parse_query(type_, items), **more)  # type: ignore[arg-type]
    return [version.id for version in page.versions]


@pytest.mark.parametrize(
    ("type_", "question", "expected"),
    [
        # tokens
        ("Observation", f"code={LOINC}|718-7", "o2 o1"),
        ("Observation", "code=718-7", "o2 o1"),
        ("Observation", "code=http://other|718-7", ""),
        ("Observation", "code=local-2", "o5"),
        ("Observation", "code=|local-2", "o5"),
        ("Observation", f"code={LOINC}|local-2", ""),
        ("Observation", f"code={LOINC}|", "o6 o5 o4 o3 o2 o1"),
        ("Observation", "code=718-7,2823-3", "o4 o3 o2 o1"),
        ("Observation", "code=718-7&status=final", "o2 o1"),
        ("Observation", "status:not=final", "o6"),
        ("Observation", "status=preliminary", "o6"),
        ("Observation", "combo-code=8480-6", "o6"),
        ("Observation", "component-code=8480-6", "o6"),
        ("Observation", "encounter:missing=false", "o2"),
        ("Observation", "patient=p1&encounter:missing=true", "o6 o3 o1"),
        ("Patient", "identifier=1001", "p1"),
        ("Patient", "identifier=urn:oid:1.2.250.1.999.1.1|1001", "p1"),
        ("Patient", "identifier=urn:oid:1.2.250.1.213.1.4.10|1001", ""),
        ("Patient", "active=true", "p1"),
        ("Patient", "gender=male,female&_sort=_id", "p1 p2"),
        # strings
        ("Patient", "name=lefe", "p2 p1"),
        ("Patient", "family=LEFEVRE NOEL", "p1"),
        ("Patient", "family=lefevre-n", "p1"),
        ("Patient", "given=oedipe", "p1"),
        ("Patient", "name:contains=noel", "p1"),
        ("Patient", "name:contains=%", ""),
        ("Patient", "family:exact=Lefebvre", "p2"),
        ("Patient", "family:exact=lefebvre", ""),
        ("Patient", "name=lefe&gender=female", "p2"),
        # references
        ("Observation", "subject=Patient/p2", "o5 o4"),
        ("Observation", "patient=p2", "o5 o4"),
        ("Observation", "subject=p2", "o5 o4"),
        ("Observation", "subject:Patient=p2", "o5 o4"),
        ("Observation", "patient=p1,p2&code=2823-3", "o4 o3"),
        ("Observation", "encounter=Encounter/e1", "o2"),
        ("Observation", "encounter=e1", "o2"),
        ("Encounter", "participant=dr", "e1"),
        # dates
        ("Observation", "date=2026-03-02", "o2"),
        ("Observation", "date=2026-03", "o6 o5 o4 o3 o2 o1"),
        ("Observation", "date=ge2026-03-05", "o6 o5"),
        ("Observation", "date=gt2026-03-05", "o6"),
        ("Observation", "date=sa2026-03-04", "o6 o5"),
        ("Observation", "date=lt2026-03-02", "o1"),
        ("Observation", "date=le2026-03-02", "o2 o1"),
        ("Observation", "date=eb2026-03-02", "o1"),
        ("Observation", "date=ge2026-03-02&date=lt2026-03-04", "o3 o2"),
        ("Observation", "patient=p1&date=ge2026-03-02&date=lt2026-03-04", "o3 o2"),
        ("Observation", "patient=p2&date=2026-03-05", "o5"),
        ("Encounter", "date=ge2026-03-15", "e2 e1"),
        ("Encounter", "date=gt2026-03-25", "e2"),
        ("Encounter", "date=2026-02-01", ""),
        ("Patient", "birthdate=ap1950", "p1"),
        ("Encounter", "patient=p1&date=ge2026-03-15", "e1"),
        ("Patient", "birthdate=1948-03-14", "p1"),
        ("Patient", "birthdate=lt1950", "p1"),
        ("Patient", "birthdate=ge1990", "p2"),
        ("Observation", "_lastUpdated=ge2000&code=718-7", "o2 o1"),
        ("Observation", "_lastUpdated=lt2000", ""),
        # numbers and composites
        ("Observation", "value-quantity=5.4", "o3 o2"),
        ("Observation", "value-quantity=5.40", "o3 o2"),
        ("Observation", "value-quantity=gt5.3", "o3 o2 o1"),
        ("Observation", "value-quantity=lt4", "o5 o4"),
        ("Observation", "value-quantity=5.4|http://unitsofmeasure.org|mmol/L", "o3 o2"),
        ("Observation", "value-quantity=gt100||g/L", "o1"),
        ("Observation", "value-quantity=gt100||mmol/L", ""),
        ("Observation", f"code-value-quantity={LOINC}|718-7$gt100", "o1"),
        ("Observation", "code-value-quantity=718-7$5.4", "o2"),
        ("Observation", "code-value-quantity=http://other|718-7$5.4", ""),
        ("Observation", "combo-code-value-quantity=8480-6$ge135", "o6"),
        ("Observation", "combo-value-quantity=gt130", "o6"),
        # words
        ("DocumentReference", "_content=fracture femur", "d1"),
        ("DocumentReference", "_content=été", "d1"),
        ("DocumentReference", "_content=fracture tibia", ""),
        ("DocumentReference", "patient=p1&_content=controle", "d1"),
        # chains
        ("Observation", "patient.name=lefebvre", "o5 o4"),
        ("Observation", "subject:Patient.identifier=1001&code=2823-3", "o3"),
        ("Encounter", "participant:Practitioner.name=martin", "e1"),
        ("Observation", "patient.name=nobody", ""),
        ("Patient", "_has:Observation:patient:code=local-2", "p2"),
        ("Practitioner", "_has:Encounter:participant:status=finished", "dr"),
        # ids and orders
        ("Observation", "_id=o1,o4", "o4 o1"),
        ("Observation", "_sort=date&code=718-7", "o1 o2"),
        ("Observation", "_sort=-_id&patient=p2", "o5 o4"),
        ("Patient", "", "p2 p1"),
    ],
)
async def test_a_question_finds_what_it_asks_for(
    record: Database, type_: str, question: str, expected: str
) -> None:
    found = await ids(record, type_, question)
    if "_sort" in question or type_ == "Observation":
        assert " ".join(found) == expected
    else:
        assert sorted(found) == sorted(expected.split())


async def test_what_is_not_understood_is_refused_by_name_unless_lenient(record: Database) -> None:
    for name in ("colour", "code:near", "patient.colour", "_has:Observation:colour:code", "name:x"):
        with pytest.raises(Invalid) as refusal:
            parse_query("Patient", [(name, "x")])
        assert "birthdate" in refusal.value.en or "Accepted" in refusal.value.en
    lenient = parse_query("Patient", [("colour", "x"), ("name", "y")], lenient=True)
    assert lenient.ignored == ("colour",)
    assert lenient.used == (("name", "y"),)
    for question in ("date=yesterday", "value-quantity=much"):
        with pytest.raises(Invalid):
            await ids(record, "Observation", question)


async def test_pages_follow_each_other_without_gap_or_double_while_others_write(
    database: Database,
) -> None:
    days = [f"2026-03-{day:02d}T08:00:00Z" for day in range(1, 21)]
    async with database.transaction() as tx:
        await write_many(
            tx,
            [Write(observation(f"o{n}", "718-7", days[n // 2])) for n in range(40)]
            + [Write({"resourceType": "Observation", "id": f"u{n}"}) for n in range(3)],
        )
    for question in (
        "code=718-7", "patient=p1", "", "code=718-7&_sort=date", "patient=p1&_sort=date",
        "_sort=_lastUpdated", "_sort=-_id", "code=718-7,x", "_sort=date", "_sort=-_lastUpdated",
    ):  # fmt: skip
        whole = await ids(database, "Observation", question + "&_count=100")
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            items = [tuple(p.split("=", 1)) for p in question.split("&") if p]
            items += [("_count", "7")] + ([("_cursor", cursor)] if cursor else [])
            async with database.transaction() as tx:
                page = await run(tx, parse_query("Observation", items))  # type: ignore[arg-type]
                late = observation(f"late{len(seen)}", "718-7", "2027-01-01")
                if question == "code=718-7":
                    await put(tx, late)
            seen += [v.id for v in page.versions]
            cursor = page.next_cursor
        assert seen == whole
        assert len(seen) == len(set(seen)) >= 40


async def test_totals_are_exact(record: Database) -> None:
    for question, total in (("code=718-7", 2), ("patient=p1", 4), ("", 6), ("status=final", 5)):
        items = [tuple(p.split("=", 1)) for p in question.split("&") if p]
        items += [("_total", "accurate"), ("_count", "1")]
        async with record.reading() as tx:
            page = await run(tx, parse_query("Observation", items))  # type: ignore[arg-type]
            assert page.total == total
            assert len(page.versions) == 1
            counted = await run(tx, parse_query("Observation", [*items, ("_summary", "count")]))  # type: ignore[arg-type]
            assert (counted.total, counted.versions) == (total, [])


async def test_a_restriction_hides_other_patients_everywhere(record: Database) -> None:
    mine = Restriction("{patient} = any({1}::text[])", (["p2"],), patientless=True)
    closed = Restriction("{patient} = any({1}::text[])", (["p2"],), patientless=False)
    assert await ids(record, "Observation", "", restriction=mine) == ["o5", "o4"]
    assert await ids(record, "Observation", "code=718-7", restriction=mine) == []
    assert await ids(record, "Observation", "patient=p1", restriction=mine) == []
    assert await ids(record, "Observation", "_id=o1,o4", restriction=mine) == ["o4"]
    assert await ids(record, "Patient", "", restriction=mine) == ["p2"]
    assert await ids(record, "Practitioner", "", restriction=mine) == ["dr"]
    assert await ids(record, "Practitioner", "", restriction=closed) == []
    chained = "_has:Encounter:participant:status=finished"
    assert await ids(record, "Practitioner", chained, restriction=mine) == []
    async with record.reading() as tx:
        query = parse_query("Encounter", [("_revinclude", "Observation:encounter"), ("_id", "e1")])
        assert (await run(tx, query, mine)).included == []
        query = parse_query("Practitioner", [("_revinclude", "Encounter:participant")])
        assert (await run(tx, query, mine)).included == []
        query = parse_query("Observation", [("code", "718-7"), ("_total", "accurate")])
        assert (await run(tx, query, mine)).total == 0


async def test_neighbours_travel_with_the_answer(record: Database) -> None:
    async def included(type_: str, *items: tuple[str, str]) -> set[str]:
        async with record.reading() as tx:
            page = await run(tx, parse_query(type_, items))
        return {version.reference for version in page.included}

    assert await included(
        "Observation", ("_id", "o2"), ("_include", "Observation:subject"),
        ("_include", "Observation:encounter"), ("_include:iterate", "Encounter:participant"),
    ) == {"Patient/p1", "Encounter/e1", "Practitioner/dr"}  # fmt: skip
    assert await included("Observation", ("_id", "o2"), ("_include", "*")) == {
        "Patient/p1",
        "Encounter/e1",
    }
    assert await included("Patient", ("_id", "p2"), ("_revinclude", "Observation:patient")) == {
        "Observation/o4",
        "Observation/o5",
    }
    assert await included("Encounter", ("_id", "e1"), ("_revinclude", "Observation:encounter")) == {
        "Observation/o2"
    }


async def test_two_writers_with_the_same_condition_make_one_resource(database: Database) -> None:
    import asyncio

    async def create_once(n: int) -> None:
        async with database.transaction() as tx:
            if not await find_for_condition(tx, "Patient", [("identifier", "urn:x|42")]):
                patient = {
                    "resourceType": "Patient",
                    "identifier": [{"system": "urn:x", "value": "42"}],
                }
                await write_many(tx, [Write(patient)])

    await asyncio.gather(*(create_once(n) for n in range(8)))
    assert len(await ids(database, "Patient", "identifier=42")) == 1
