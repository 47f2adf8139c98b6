"""A person is found by name, birth date, number or bed, misspelt too, by those who may see them."""

from __future__ import annotations

import time

import asyncpg
import pytest
from tests.rooms.patients.ward_people import staff

from liane.rooms.patients.reads.search import search
from liane.rooms.patients.rules.searching import understood

NURSE = staff("ide", "uf-3101")


@pytest.mark.parametrize(
    ("typed", "words", "births", "number"),
    [
        ("dubreuil 14/03/1948", ("dubreuil",), ("1948-03-14",), ""),
        ("DUBREUIL Jeanne 14031948", ("dubreuil", "jeanne"), ("1948-03-14",), ""),
        ("morel 1950", ("morel",), ("1950-%",), ""),
        ("14/03", (), ("%-03-14",), ""),
        ("14/03/48", (), ("%48-03-14",), ""),
        ("312-1", (), (), "312-1"),
        ("2 50 02 75 112 345 60", (), (), "250027511234560"),
        ("250027511234560", (), (), "250027511234560"),
        ("80001234", (), (), "80001234"),
        ("d’Été-Bœuf", ("boeuf", "ete", "d"), (), ""),
        ("%_\\", (), (), ""),
    ],
)
@pytest.mark.unit
def test_a_question_is_taken_apart(typed, words, births, number) -> None:
    question = understood(typed)
    assert (question.words, question.births, question.number) == (words, births, number)


@pytest.fixture
async def ward(admit):
    await admit(
        "80000001", "309-1", family="DUBREUIL", given="Jeanne", used="MOREL", birth="1948-03-14"
    )
    await admit("80000002", "309-2", family="MOREL", given="Jeanne", birth="1950-02-02")
    await admit("80000003", "310", family="HÉLÈNE-ŒUVRARD", given="Élise", birth="1987-05-12")
    await admit(
        "90000004",
        "401-1",
        unit="3102",
        family="DUBREUIL",
        given="Paul",
        birth="1948-03-14",
        sex="male",
    )


async def found(house, text, actor=NURSE):
    async with house.reading() as tx:
        return [f"{h.person.family} {h.person.given}" for h in await search(tx, actor, text)]


JEANNE, MOREL, ELISE = "DUBREUIL Jeanne", "MOREL Jeanne", "HÉLÈNE-ŒUVRARD Élise"


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("dubreuil", JEANNE),
        ("DUBR", JEANNE),
        ("dubrueil", JEANNE),
        ("dubreuille", JEANNE),
        ("jeane dubreuil", JEANNE),
        ("morel jeanne 1948", JEANNE),
        ("14/03/1948", JEANNE),
        ("helene", ELISE),
        ("oeuvrard", ELISE),
        ("elise", ELISE),
        ("309-1", JEANNE),
        ("80000002", MOREL),
        ("80000003", ELISE),
        ("morel 309-2", MOREL),
    ],
)
async def test_people_are_found_as_they_are_asked_for(house, ward, typed, first) -> None:
    assert (await found(house, typed))[:1] == [first]


async def test_nobody_finds_a_patient_of_another_unit(house, ward) -> None:
    assert await found(house, "dubreuil paul") == []
    assert await found(house, "90000004") == []
    assert await found(house, "401-1") == []
    assert await found(house, "dubreuil paul", staff("secretaire", "uf-3101")) == ["DUBREUIL Paul"]
    assert await found(house, "dubreuil", staff("dsi", "uf-3101")) == []


async def test_people_who_could_be_mistaken_are_marked(house, ward) -> None:
    async with house.reading() as tx:
        hits = await search(tx, NURSE, "morel jeanne")
    assert {h.person.family: h.namesake for h in hits} == {"DUBREUIL": True, "MOREL": True}
    assert {h.bed for h in hits} == {"309-1", "309-2"}


async def test_nothing_is_found_for_nothing(house, ward) -> None:
    for text in ("", " ", "%", "_", "'; drop table patients.index; --", "x" * 500, "\u0000"):
        assert await found(house, text) == []


async def test_an_answer_takes_less_than_a_tenth_of_a_second_among_twenty_thousand(
    house, ward, test_database
) -> None:
    owner = await asyncpg.connect(test_database.owner_dsn)
    await owner.execute(
        "insert into patients.index (tenant, patient, birth_name, given, birth_date, names, sounds)"
        " select 1, 'p' || n, 'NOM' || (n % 977), 'Prenom' || (n % 331), '1950-01-01',"
        " ' nom' || (n % 977) || ' prenom' || (n % 331) || ' ', array['NM' || (n % 977)]"
        " from generate_series(1, 20000) n"
    )
    await owner.execute("analyze patients.index")
    await owner.close()
    doctor = staff("medecin", "uf-3101", scope="group")
    for text in ("dubrueil jeanne", "dubreuil", "14/03/1948", "309-1", "80000002"):
        taken = []
        for _ in range(5):
            begun = time.perf_counter()
            assert await found(house, text, doctor)
            taken.append(time.perf_counter() - begun)
        assert min(taken) < 0.1, (text, taken)
