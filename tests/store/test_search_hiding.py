"""Nobody can find, count, sort by or infer what they may not see."""

from __future__ import annotations

from typing import Any

import pytest

from liane.store import Database
from liane.store.resources import Write, write_many
from liane.store.search import Restriction, chaining, parse_query, parse_system_query, run

SHOWN = Restriction("{patient} = any({1}::text[])", (["open"],))


def sight(type_: str) -> Restriction | None:
    patientless = type_ in ("Practitioner", "Location", "Organization")
    return Restriction(SHOWN.sql, SHOWN.args, patientless)


def resources() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [
        {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Martin"}]}
    ]
    for n, (id_, name) in enumerate((("open", "Visible"), ("hidden", "Cache"))):
        subject = {"reference": f"Patient/{id_}"}
        made += [
            {"resourceType": "Patient", "id": id_, "name": [{"family": name}], "gender": "female"},
            {
                "resourceType": "Encounter",
                "id": f"stay-{id_}",
                "status": "finished",
                "class": {"code": "IMP"},
                "subject": subject,
                "participant": [{"individual": {"reference": "Practitioner/dr"}}],
            },
            {
                "resourceType": "Observation",
                "id": f"value-{id_}",
                "status": "final",
                "code": {
                    "coding": [{"code": f"only-{id_}"}, {"code": "both"}],
                    "text": f"mot {id_}",
                },
                "subject": subject,
                "encounter": {"reference": f"Encounter/stay-{id_}"},
                "performer": [{"reference": "Practitioner/dr"}],
                "effectiveDateTime": f"2026-03-0{n + 1}",
                "valueQuantity": {"value": n, "code": "g"},
            },
        ]
    entries = [{"item": {"reference": f"Observation/value-{id_}"}} for id_ in ("open", "hidden")]
    hidden_list = {"resourceType": "List", "id": "theirs", "status": "current", "mode": "working"}
    made.append(hidden_list | {"subject": {"reference": "Patient/hidden"}, "entry": entries})
    return made


@pytest.fixture(params=["few", "many"])
async def record(
    request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """With `many`, chains are tested row by row instead of being answered first."""
    if request.param == "many":
        monkeypatch.setattr(chaining, "FEW", 0)
    async with database.transaction() as tx:
        await write_many(tx, [Write(one) for one in resources()])
    return database


QUESTIONS = [
    ("Patient", "gender=female", {"open"}),
    ("Patient", "name=cache", set()),
    ("Patient", "name:contains=ach", set()),
    ("Patient", "_has:Observation:patient:code=both", {"open"}),
    ("Patient", "_has:Observation:patient:code=only-hidden", set()),
    ("Patient", "_has:Encounter:patient:_has:Observation:encounter:code=both", {"open"}),
    ("Practitioner", "_has:Observation:performer:code=only-hidden", set()),
    ("Practitioner", "_has:Observation:performer:code=only-open", {"dr"}),
    ("Practitioner", "_has:Encounter:practitioner:patient.name=cache", set()),
    ("Practitioner", "_has:Encounter:practitioner:patient.name=visible", {"dr"}),
    ("Observation", "code=both", {"value-open"}),
    ("Observation", "patient.name=cache", set()),
    ("Observation", "patient.name=visible", {"value-open"}),
    ("Observation", "encounter.patient.name=cache", set()),
    ("Observation", "encounter.patient.name=visible", {"value-open"}),
    ("Observation", "performer:Practitioner.name=martin", {"value-open"}),
    ("Observation", "encounter:Encounter.participant:Practitioner.name=martin", {"value-open"}),
    ("Observation", "_list=theirs", set()),
    ("Observation", "code:text=mot", {"value-open"}),
    ("Observation", "_filter=code eq both or code eq only-hidden", {"value-open"}),
    ("Observation", "_filter=not (code eq only-open)", set()),
    ("Observation", '_filter=patient.name co "ache"', set()),
    ("Observation", "code:not=only-open", set()),
    ("Observation", "code:missing=false", {"value-open"}),
    ("Observation", "_id=value-hidden,value-open", {"value-open"}),
    ("Observation", "value-quantity=ge0", {"value-open"}),
]


@pytest.mark.parametrize(("type_", "question", "expected"), QUESTIONS)
async def test_what_is_hidden_is_neither_found_nor_counted(
    record: Database, type_: str, question: str, expected: set[str]
) -> None:
    name, _, value = question.partition("=")
    for order in ("", "-_lastUpdated", "_id", "_profile,-_tag"):
        items = [(name, value), ("_total", "accurate"), *([("_sort", order)] if order else [])]
        async with record.reading() as tx:
            page = await run(tx, parse_query(type_, items), sight)
        assert {one.id for one in page.versions} == expected, order
        assert page.total == len(expected), order
    async with record.reading() as tx:
        counted = await run(tx, parse_query(type_, [(name, value), ("_summary", "count")]), sight)
    assert counted.total == len(expected)


async def test_neighbours_that_are_hidden_do_not_travel(record: Database) -> None:
    for type_, items, expected in (
        ("Practitioner", [("_revinclude", "*")], {"stay-open", "value-open"}),
        ("Practitioner", [("_revinclude", "Observation:performer")], {"value-open"}),
        (
            "Practitioner",
            [("_revinclude", "Encounter:practitioner"), ("_include:iterate", "Encounter:patient")],
            {"stay-open", "open"},
        ),
        ("Observation", [("_include", "*")], {"open", "stay-open", "dr"}),
    ):
        async with record.reading() as tx:
            page = await run(tx, parse_query(type_, items), sight)
        assert {one.id for one in page.included} == expected, items


async def test_whole_compartments_and_systems_hide_as_well(record: Database) -> None:
    async with record.reading() as tx:
        query = parse_system_query([("_total", "accurate"), ("_count", "100")])
        page = await run(tx, query, sight)
        assert {one.id for one in page.versions} == {"dr", "open", "stay-open", "value-open"}
        assert page.total == 4
        for id_, expected in (("hidden", 0), ("open", 3)):
            from dataclasses import replace

            compartment = replace(query, compartment=("Patient", id_))
            page = await run(tx, compartment, sight)
            assert (len(page.versions), page.total) == (expected, expected)
            one_type = replace(
                parse_query("Observation", [("_total", "accurate")]), compartment=("Patient", id_)
            )
            assert (await run(tx, one_type, sight)).total == min(expected, 1)
        by_doctor = replace(query, compartment=("Practitioner", "dr"))
        page = await run(tx, by_doctor, sight)
        assert {one.id for one in page.versions} == {"dr", "stay-open", "value-open"}
