"""Forms of parameters, units, places, hierarchies, filters and orders, each with what it must not
find.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from liane.base.errors import Invalid
from liane.fhir.ucum import unit
from liane.store import Database
from liane.store.resources import Write, write_many
from liane.store.search import parse_query, run
from liane.store.terminology import project as project_terminology

UCUM = "http://unitsofmeasure.org"


def concept(code: str, words: str = "") -> dict[str, Any]:
    return {"coding": [{"system": "urn:s", "code": code, "display": words}]}


def observation(id_: str, **more: Any) -> dict[str, Any]:
    kept = {"resourceType": "Observation", "id": id_, "status": "final"}
    return kept | {"code": concept("A1", "Glycémie à jeun")} | more


def amount(value: str, code: str) -> dict[str, Any]:
    from decimal import Decimal

    return {"value": Decimal(value), "system": UCUM, "code": code}


RECORD: list[dict[str, Any]] = [
    observation("mg", valueQuantity=amount("500", "mg/dL"), effectiveDateTime="2026-01-02"),
    observation("g", valueQuantity=amount("5.0", "g/L"), effectiveDateTime="2026-01-01"),
    observation("cel", valueQuantity=amount("37", "Cel"), code=concept("B2", "Température")),
    observation("far", valueQuantity=amount("98.6", "[degF]"), code=concept("B2.1", "Température")),
    observation("box", valueQuantity={"value": 3, "system": "urn:box", "code": "box"}),
    observation("hg", valueQuantity=amount("120", "mm[Hg]") | {"unit": "mmHg"}),
    {"resourceType": "Organization", "id": "whole", "name": "Groupe"},
    {"resourceType": "Location", "id": "site", "name": "Site",
     "position": {"latitude": 48.8566, "longitude": 2.3522}},
    {"resourceType": "Location", "id": "ward", "name": "Été",
     "partOf": {"reference": "Location/site"},
     "position": {"latitude": 48.8600, "longitude": 2.3600}},
    {"resourceType": "Location", "id": "room", "name": "Chambre", "alias": ["b"],
     "partOf": {"reference": "Location/ward"}, "position": {"latitude": 45.76, "longitude": 4.83}},
    {"resourceType": "Encounter", "id": "here", "status": "finished", "class": {"code": "IMP"},
     "location": [{"location": {"reference": "Location/room"}}]},
    {"resourceType": "ValueSet", "id": "v1", "url": "http://a.example/sets/one", "status": "active",
     "compose": {"include": [{"system": "urn:s", "concept": [{"code": "B2"}, {"code": "B2.1"}]}]}},
    {"resourceType": "ValueSet", "id": "v2", "url": "http://a.example/sets/one/two",
     "status": "active"},
    {"resourceType": "ValueSet", "id": "v3", "url": "http://a.example/setsome", "status": "draft"},
    {"resourceType": "CodeSystem", "id": "c1", "url": "urn:s", "status": "active",
     "content": "complete", "hierarchyMeaning": "is-a",
     "concept": [{"code": "A1"}, {"code": "B2", "concept": [{"code": "B2.1"}]}]},
    {"resourceType": "Patient", "id": "p1", "name": [{"family": "Dupont", "given": ["Zoé"]}],
     "birthDate": "1950-03-01", "gender": "female", "telecom": [{"system": "phone", "value": "01"}],
     "identifier": [{"type": concept("MR"), "system": "urn:i", "value": "77"}]},
    {"resourceType": "Patient", "id": "p2", "name": [{"family": "Éluard", "given": ["Ana"]}],
     "birthDate": "1940", "gender": "male"},
    {"resourceType": "Patient", "id": "p3", "gender": "male"},
    {"resourceType": "List", "id": "l1", "status": "current", "mode": "working",
     "entry": [{"item": {"reference": "Patient/p1"}},
               {"item": {"reference": "Patient/p2"}, "deleted": True}]},
]  # fmt: skip


@pytest.fixture
async def record(database: Database, test_database: Any) -> AsyncIterator[Database]:
    opened = await Database.open(test_database.app_dsn, projections=(project_terminology,))
    async with opened.transaction() as tx:
        await write_many(tx, [Write(one) for one in RECORD])
    yield opened
    await opened.close()


async def found(database: Database, question: str) -> list[str]:
    type_, _, rest = question.partition("?")
    items = [tuple(part.split("=", 1)) for part in rest.split("&")]
    async with database.reading() as tx:
        page = await run(tx, parse_query(type_, items))  # type: ignore[arg-type]
    return [version.id for version in page.versions]


QUESTIONS = {
    f"Observation?value-quantity=5|{UCUM}|g/L": {"mg", "g"},
    f"Observation?value-quantity=gt4900|{UCUM}|mg/L": {"mg", "g"},
    "Observation?value-quantity=500||mg/dL": {"mg", "g"},
    f"Observation?value-quantity=500|{UCUM}|mg/L": set(),
    f"Observation?value-quantity=37.0|{UCUM}|Cel": {"cel", "far"},
    "Observation?value-quantity=3|urn:box|box": {"box"},
    "Observation?value-quantity=3||box": {"box"},
    "Observation?value-quantity=3|urn:other|box": set(),
    "Observation?value-quantity=120||mmHg": {"hg"},
    f"Observation?code-value-quantity=urn:s|A1$5|{UCUM}|g/L": {"mg", "g"},
    "Observation?code:text=glyc": {"mg", "g", "box", "hg"},
    "Observation?code:text=temperature": {"cel", "far"},
    "Observation?code:code-text=b2": {"cel", "far"},
    "Observation?code:in=http://a.example/sets/one": {"cel", "far"},
    "Observation?code:not-in=http://a.example/sets/one": {"mg", "g", "box", "hg"},
    "Observation?code:below=urn:s|B2": {"cel", "far"},
    "Observation?code:above=urn:s|B2.1": {"cel", "far"},
    "Observation?code:below=urn:s|B2.1": {"far"},
    "ValueSet?url:below=http://a.example/sets": {"v1", "v2"},
    "ValueSet?url:above=http://a.example/sets/one/two": {"v1", "v2"},
    "ValueSet?url=http://a.example/sets/one": {"v1"},
    "Location?near=48.8566|2.3522|1|km": {"site", "ward"},
    "Location?near=48.8566|2.3522|100|m": {"site"},
    "Location?near=48.8566|2.3522|500|km": {"site", "ward", "room"},
    "Encounter?location:below=Location/site": {"here"},
    "Encounter?location:above=Location/room": {"here"},
    "Encounter?location:below=Location/room": {"here"},
    "Encounter?location:above=Location/site": set(),
    "Patient?identifier:of-type=urn:s|MR|77": {"p1"},
    "Patient?identifier:of-type=urn:s|XX|77": set(),
    "Patient?phonetic=dupond": {"p1"},
    "Patient?gender:not=male": {"p1"},
    "Patient?_list=l1": {"p1"},
    "Patient?phone=01": {"p1"},
    "Patient?email=01": set(),
    'Patient?_filter=name eq "dupont" or birthdate lt 1945': {"p1", "p2"},
    "Patient?_filter=not (gender eq male)": {"p1"},
    "Patient?_filter=gender eq male and (name pr true)": {"p2"},
    "Patient?_filter=family ew uard": {"p2"},
    "Patient?_filter=family co upo and gender ne male": {"p1"},
    "Patient?_filter=birthdate po 1950": {"p1"},
    "Observation?_filter=code in http://a.example/sets/one": {"cel", "far"},
    "Observation?_filter=code ss urn:s|B2": {"cel", "far"},
    "Encounter?_filter=location[name eq chambre].name sw cham": {"here"},
    "Encounter?_filter=location.name eq chambre": {"here"},
    "Encounter?_filter=location[name eq site].name sw cham": set(),
}


async def test_each_form_finds_what_it_asks(record: Database) -> None:
    for question, expected in QUESTIONS.items():
        assert set(await found(record, question)) == expected, question


async def test_any_parameter_can_be_the_order(record: Database) -> None:
    for question, expected in {
        "Patient?_sort=family": ["p1", "p2", "p3"],
        "Patient?_sort=-family": ["p2", "p1", "p3"],
        "Patient?_sort=birthdate": ["p2", "p1", "p3"],
        "Patient?_sort=-birthdate": ["p1", "p2", "p3"],
        "Patient?_sort=gender,family": ["p1", "p2", "p3"],
        "Patient?_sort=-gender,-_id": ["p3", "p2", "p1"],
        "Patient?_sort=identifier,_id": ["p1", "p2", "p3"],
        "Location?_sort=name": ["room", "ward", "site"],
        "Location?_sort=partof,_id": ["ward", "room", "site"],
        "ValueSet?_sort=-url": ["v3", "v2", "v1"],
        "Observation?_sort=date&value-quantity=ge0||g/L": ["g", "mg"],
        "Observation?_sort=-date,_id": ["mg", "g", "box", "cel", "far", "hg"],
        "Observation?_sort=-value-quantity&_count=2": ["mg", "hg"],
    }.items():
        assert await found(record, question) == expected, question


async def test_what_cannot_be_asked_is_refused(record: Database) -> None:
    for question in (
        "Observation?code:in=http://a.example/unknown",
        "Observation?code:below=A1",
        "Observation?value-quantity=much",
        "Observation?code-value-quantity=A1",
        "Location?near=here",
        "Location?near=91|0",
        "Patient?_list=not an id",
        "Patient?_query=mine",
        "Patient?_contained=true",
        "Patient?_filter=name",
        "Patient?_filter=(name eq a",
        "Patient?_filter=" + "(" * 50 + "name eq a" + ")" * 50,
        "Patient?_filter=" + " or ".join(["name eq a"] * 101),
        "Patient?name=" + ",".join(["a"] * 501),
        "Patient?" + ".".join(["link"] * 9) + ".name=x",
    ):
        with pytest.raises(Invalid):
            await found(record, question)


def test_units_are_compared_in_base_units() -> None:
    from decimal import Decimal

    for one, other in (
        ("mg/dL", "10.mg/L"),
        ("mmol/L", "umol/mL"),
        ("U/L", "umol/min/L"),
        ("10*3/uL", "10*9/L"),
        ("/min", "{beats}/min"),
        ("kg/m2", "kg.m-2"),
        ("h", "60.min"),
    ):
        a, b = unit(one), unit(other)
        assert a is not None
        assert b is not None
        assert a.base == b.base, (one, other)
        assert a.of(Decimal(1)) == b.of(Decimal(1)), (one, other)
    for text in ("mmHg", "", "(", "{", "mg/", "m" * 61, "((((", "10*10*10", "/" * 30):
        assert unit(text) is None, text
