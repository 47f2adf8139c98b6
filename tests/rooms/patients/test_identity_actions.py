"""An identity is found by its numbers, corrected by those who may, and never overwritten unseen."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from tests.rooms.patients.ward_people import GAM, INS, IPP, IPP_CHG, NOW, STATUS, person, staff

from liane.access import writes
from liane.base.errors import Conflict, Denied, Invalid
from liane.rooms import patients
from liane.rooms.patients import Identifier
from liane.store.resources import Write, read
from liane.store.together import CannotShare, Rounds, together

INS_JEANNE = "250027511234560"


def key(matricule: str) -> str:
    return matricule + f"{97 - int(matricule) % 97:02d}"


INS_1, INS_2 = key("2500275112345"), key("2480375112345")


async def register(house, body, *, source="GAM", at=NOW, provisional=False):
    async with house.transaction() as tx:
        return await patients.register_identity(
            tx, GAM, body, source=source, at=at, provisional=provisional
        )


async def patient_of(house, id_):
    async with house.reading() as tx:
        return json.loads((await read(tx, "Patient", id_)).body)


async def open_discrepancies(house):
    async with house.reading() as tx:
        return await tx.fetch("select trait, kept, proposed, source from patients.discrepancy")


async def test_the_same_number_is_the_same_person(house) -> None:
    first = await register(house, person(status="validee"))
    again = await register(house, person(status="validee"))
    assert (first.created, again.created) == (True, False)
    assert first.patient_id == again.patient_id
    async with house.reading() as tx:
        assert await patients.find_patient(tx, [Identifier(IPP, "1")]) == first.patient_id
        assert await patients.find_patient(tx, [Identifier(IPP, "2")]) is None
        assert (await read(tx, "Patient", first.patient_id)).version == 1


async def test_messages_about_one_person_never_share_a_transaction(house) -> None:
    """Locks keep apart transactions, not those who share one: whoever comes second goes alone."""
    known = await register(house, person(ins=INS_1, status="validee"))

    def find(number: Identifier):
        async def piece(tx):
            return await patients.find_patient(tx, [number])

        return piece

    by_ipp, by_ins = find(Identifier(IPP, "1")), find(Identifier(INS, INS_1))
    with pytest.raises(CannotShare):
        await together(house, [by_ipp, by_ins])
    with pytest.raises(CannotShare):
        await together(house, [find(Identifier(IPP, "77")), find(Identifier(IPP, "77"))])
    rounds = Rounds(house)
    found = await asyncio.gather(*(rounds.run(piece) for piece in (by_ipp, by_ins) * 5))
    assert set(found) == {known.patient_id}


async def test_messages_that_share_transactions_make_and_find_each_their_own(house) -> None:
    rounds = Rounds(house)

    def registration(number: int):
        async def piece(tx):
            body = person(ipp=str(number // 2), status="validee")
            return await patients.register_identity(tx, GAM, body, source="GAM", at=NOW)

        return piece

    done = await asyncio.gather(*(rounds.run(registration(n)) for n in range(24)))
    assert len({d.patient_id for d in done}) == 12
    assert sum(d.created for d in done) == 12
    assert [d.patient_id for d in done[::2]] == [d.patient_id for d in done[1::2]]


async def test_two_messages_at_once_make_one_person(house) -> None:
    done = await asyncio.gather(*(register(house, person(status="validee")) for _ in range(6)))
    assert len({d.patient_id for d in done}) == 1
    assert sum(d.created for d in done) == 1


async def test_an_unknown_sender_makes_a_provisional_identity(house) -> None:
    done = await register(house, person(status="validee"), provisional=True)
    assert done.status == "provisoire"


async def test_a_person_without_any_number_is_refused(house) -> None:
    with pytest.raises(Invalid):
        await register(house, person(ipp=None))


async def test_a_nurse_does_not_create_identities(house) -> None:
    with pytest.raises(Denied):
        async with house.transaction() as tx:
            await patients.register_identity(
                tx, staff("ide", "uf-3101"), person(), source="x", at=NOW
            )


async def test_a_less_trusted_source_never_overwrites_a_validated_identity(house) -> None:
    done = await register(house, person(status="validee"))
    said = person(family="MOUREL", birth="1950-02-20")
    said["telecom"] = [{"system": "phone", "value": "0100000000"}]
    after = await register(house, said, source="LABO", at=NOW + timedelta(hours=1))
    kept = await patient_of(house, done.patient_id)
    assert (kept["name"][0]["family"], kept["birthDate"]) == ("MOREL", "1950-02-02")
    assert kept["telecom"][0]["value"] == "0100000000"
    assert after.warnings == ("discrepancy",)
    found = {(r["trait"], r["proposed"]) for r in await open_discrepancies(house)}
    assert found == {("birth_name", "MOUREL"), ("birth_date", "1950-02-20")}
    await register(house, said | {"active": True}, source="LABO", at=NOW + timedelta(hours=2))
    assert len(await open_discrepancies(house)) == 2


async def test_the_source_of_the_traits_may_correct_itself(house) -> None:
    done = await register(house, person(status="validee"))
    corrected = person(family="MOURELLE", status="validee")
    after = await register(house, corrected, at=NOW + timedelta(hours=1))
    assert (await patient_of(house, done.patient_id))["name"][0]["family"] == "MOURELLE"
    assert (after.status, after.warnings) == ("validee", ())


async def test_a_laboratory_that_once_agreed_does_not_own_the_traits(house) -> None:
    async with house.transaction() as tx:
        body = {**person(status="qualifiee", ins=INS_1), "id": "from-fhir"}
        await writes.apply(tx, GAM, [Write(body, id="from-fhir")], reason="test")
    await register(house, person(), source="LABO")
    after = await register(
        house, person(family="AUTRE"), source="LABO", at=NOW + timedelta(hours=1)
    )
    assert after.warnings == ("discrepancy",)
    assert (await patient_of(house, "from-fhir"))["name"][0]["family"] == "MOREL"


async def test_an_older_message_of_the_same_source_changes_nothing(house) -> None:
    done = await register(house, person(status="validee"))
    await register(house, person(family="ANCIEN", status="validee"), at=NOW - timedelta(days=1))
    assert (await patient_of(house, done.patient_id))["name"][0]["family"] == "MOREL"
    assert not await open_discrepancies(house)


async def test_changing_a_strict_trait_takes_the_qualification_away(house) -> None:
    done = await register(house, person(ins=INS_1, status="qualifiee"))
    assert done.status == "qualifiee"
    after = await register(house, person(birth="1950-02-03"), at=NOW + timedelta(hours=1))
    body = await patient_of(house, done.patient_id)
    assert after.warnings == ("qualification-lost",)
    assert after.status == "provisoire"
    assert [i["use"] for i in body["identifier"] if i["system"] == INS] == ["old"]
    async with house.reading() as tx:
        assert await patients.find_patient(tx, [Identifier(INS, INS_1, "INS")]) is None


async def test_an_ins_with_a_wrong_key_never_qualifies(house) -> None:
    done = await register(house, person(ins="250027511234500", status="qualifiee"))
    assert done.status == "validee"
    assert "ins-key-wrong" in done.warnings


async def test_the_ins_joins_two_establishments_when_every_trait_agrees(house) -> None:
    here = await register(house, person(ins=INS_1, status="qualifiee"))
    there = await register(
        house, person(ipp="77", system=IPP_CHG, ins=INS_1, status="qualifiee"), source="GAM-CHG"
    )
    assert there.patient_id == here.patient_id
    async with house.reading() as tx:
        assert await patients.find_patient(tx, [Identifier(IPP_CHG, "77")]) == here.patient_id


async def test_the_ins_of_another_person_is_not_given_twice(house) -> None:
    here = await register(house, person(ins=INS_1, status="qualifiee"))
    twin = await register(
        house,
        person(given="Jacqueline", ipp="77", system=IPP_CHG, ins=INS_1, status="qualifiee"),
        source="GAM-CHG",
    )
    assert twin.patient_id != here.patient_id
    assert "ins-of-another" in twin.warnings
    assert twin.status == "validee"


async def test_numbers_that_name_two_people_are_refused(house) -> None:
    await register(house, person(ins=INS_1, status="qualifiee"))
    await register(house, person(ipp="2", given="Paul", ins=INS_2, status="qualifiee"))
    async with house.reading() as tx:
        with pytest.raises(Conflict):
            await patients.find_patient(tx, [Identifier(IPP, "1"), Identifier(INS, INS_2, "INS")])


async def test_a_changed_number_finds_the_same_person(house) -> None:
    done = await register(house, person())
    async with house.transaction() as tx:
        await patients.change_identifier(
            tx, GAM, done.patient_id, Identifier(IPP, "1"), Identifier(IPP, "900")
        )
    async with house.reading() as tx:
        for number in ("1", "900"):
            assert await patients.find_patient(tx, [Identifier(IPP, number)]) == done.patient_id
    other = await register(house, person(ipp="5", given="Anne"))
    with pytest.raises(Conflict):
        async with house.transaction() as tx:
            await patients.change_identifier(
                tx, GAM, other.patient_id, Identifier(IPP, "5"), Identifier(IPP, "900")
            )


async def test_a_protected_identity_is_known_as_such(house) -> None:
    body = person()
    body["meta"] = {"security": [{"code": "R"}]}
    done = await register(house, body)
    async with house.reading() as tx:
        assert await tx.fetchval(
            "select protected from patients.index where patient = $1", done.patient_id
        )


def test_the_statuses_have_one_address() -> None:
    assert STATUS.startswith("https://liane.example/fhir/")
