"""Does a received result take its place: first, corrected, repeated, late?"""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from liane.access.actor import partner
from liane.base.errors import Conflict, Invalid
from liane.fhir.json import dumps
from liane.rooms.record import actions, rules
from liane.store import Database
from liane.store.blobs import Blobs
from liane.store.resources import Version, history, put, read

LABORATORY = partner("laboratory", "chu")
REPORT = {
    "resourceType": "DiagnosticReport",
    "identifier": [{"system": "urn:liane:hl7v2:obr", "value": "lab|1001|IONO"}],
    "status": "final",
    "code": {"text": "Ionogramme"},
    "issued": "2026-11-20T08:00:00+01:00",
}


def potassium(
    value: str, status: str = "final", issued: str = "2026-11-20T08:00:00+01:00"
) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:liane:hl7v2:obx", "value": "lab|1001|2823-3|1"}],
        "status": status,
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "effectiveDateTime": "2026-11-20T07:30:00+01:00",
        "issued": issued,
        "valueQuantity": {"value": Decimal(value), "unit": "mmol/L"},
    }


async def a_patient(database: Database, name: str = "p1") -> str:
    async with database.transaction() as tx:
        await put(tx, {"resourceType": "Patient", "id": name, "name": [{"family": "ESSAI"}]})
    return name


async def file(database: Database, patient: str, *observations: dict[str, Any]) -> list[Any]:
    async with database.transaction() as tx:
        return await actions.file_report(
            tx,
            LABORATORY,
            patient,
            deepcopy(REPORT),
            deepcopy(list(observations)),
            reason="ORU R01",
        )


async def test_a_first_result_is_stored_with_its_decimals(database: Database) -> None:
    patient = await a_patient(database)
    versions = await file(database, patient, potassium("4.10"))
    assert [version.type for version in versions] == ["DiagnosticReport", "Observation"]
    assert '"value":4.10' in versions[1].body
    assert f'"Patient/{patient}"' in versions[1].body


async def test_a_correction_keeps_the_old_value_in_the_history(database: Database) -> None:
    patient = await a_patient(database)
    first = (await file(database, patient, potassium("5.9")))[1]
    await file(database, patient, potassium("4.1", "corrected", "2026-11-20T09:00:00+01:00"))
    async with database.reading() as tx:
        versions = await history(tx, "Observation", first.id)
    assert [version.version for version in versions] == [2, 1]
    assert '"value":4.1' in versions[0].body
    assert '"value":5.9' in versions[1].body


async def test_the_same_message_again_changes_nothing(database: Database) -> None:
    patient = await a_patient(database)
    once = await file(database, patient, potassium("4.1"))
    again = await file(database, patient, potassium("4.1"))
    assert [version.version for version in again] == [version.version for version in once]


async def test_an_older_message_never_overwrites_a_newer_one(database: Database) -> None:
    patient = await a_patient(database)
    newer = potassium("4.1", "corrected", "2026-11-20T09:00:00+01:00")
    identity = (await file(database, patient, newer))[1].id
    await file(database, patient, potassium("5.9"))
    async with database.reading() as tx:
        version = await read(tx, "Observation", identity)
    assert version is not None
    assert '"value":4.1' in version.body


async def test_a_number_used_again_for_another_patient_makes_another_result(
    database: Database,
) -> None:
    one, two = await a_patient(database, "p1"), await a_patient(database, "p2")
    first = (await file(database, one, potassium("4.1")))[1]
    second = (await file(database, two, potassium("6.2")))[1]
    assert first.id != second.id


async def test_a_second_message_does_not_withdraw_the_results_of_the_first(
    database: Database,
) -> None:
    patient = await a_patient(database)
    await file(database, patient, potassium("4.1"))
    sodium = potassium("140")
    sodium["identifier"][0]["value"] = "lab|1001|2951-2|2"
    report = (await file(database, patient, sodium))[0]
    assert len(rules.parsed(report)["result"]) == 2


def letter(number: str) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": number},
        "type": {"text": "Lettre de liaison"},
    }


async def test_a_document_replaced_stays_readable_and_is_superseded(
    database: Database, blobs: Blobs
) -> None:
    patient = await a_patient(database)
    async with database.transaction() as tx:
        first = await actions.file_document(
            tx,
            LABORATORY,
            blobs,
            patient,
            letter("1.2.3"),
            b"%PDF-1",
            "application/pdf",
            reason="MDM T02",
        )
        second = await actions.file_document(
            tx,
            LABORATORY,
            blobs,
            patient,
            letter("1.2.4"),
            b"%PDF-2",
            "application/pdf",
            reason="MDM T10",
            replaces="1.2.3",
        )
    async with database.reading() as tx:
        former = await read(tx, "DocumentReference", first.id)
    assert former is not None
    assert rules.parsed(former)["status"] == "superseded"
    assert (
        rules.parsed(second)["relatesTo"][0]["target"]["reference"]
        == f"DocumentReference/{first.id}"
    )
    address = rules.parsed(former)["content"][0]["attachment"]["url"]
    assert await blobs.read(address.removeprefix("blob:")) == b"%PDF-1"


async def test_replacing_an_unknown_document_is_refused_and_stores_nothing(
    database: Database, blobs: Blobs
) -> None:
    patient = await a_patient(database)
    with pytest.raises(Conflict):
        async with database.transaction() as tx:
            await actions.file_document(
                tx,
                LABORATORY,
                blobs,
                patient,
                letter("1.2.4"),
                b"x",
                "text/plain",
                reason="T10",
                replaces="9.9",
            )
    async with database.reading() as tx:
        assert await read(tx, "DocumentReference", rules.document_id(patient, "1.2.4")) is None


async def test_a_withdrawn_document_is_marked_not_erased(database: Database, blobs: Blobs) -> None:
    patient = await a_patient(database)
    async with database.transaction() as tx:
        await actions.file_document(
            tx, LABORATORY, blobs, patient, letter("1.2.3"), b"x", "text/plain", reason="T02"
        )
        gone = await actions.withdraw_document(tx, LABORATORY, patient, "1.2.3", reason="T04")
    assert rules.parsed(gone)["status"] == "entered-in-error"
    assert gone.version == 2


@pytest.mark.unit
def test_a_result_without_number_is_refused_with_advice() -> None:
    nameless = potassium("4.1")
    del nameless["identifier"]
    with pytest.raises(Invalid) as refusal:
        rules.place_in_record(nameless, "p1")
    assert refusal.value.advice_fr


@pytest.mark.unit
def test_damaged_base64_is_refused() -> None:
    with pytest.raises(Invalid):
        rules.decoded_base64("%%%", 1000)
    with pytest.raises(Invalid):
        rules.decoded_base64("QUJD" * 1000, 100)
    assert rules.decoded_base64("QU JD\r\n", 100) == b"ABC"


@pytest.mark.unit
def test_only_a_strictly_older_issue_time_with_a_zone_makes_a_result_stale() -> None:
    held = Version(
        "Observation", "o1", 1, datetime(2026, 11, 20, tzinfo=UTC), False, dumps(potassium("4.1"))
    )
    assert rules.is_stale(potassium("5", issued="2026-11-20T06:59:00+00:00"), held)
    assert not rules.is_stale(potassium("5", issued="2026-11-20T07:00:00+00:00"), held)
    assert not rules.is_stale(potassium("5", issued="2026-11-19T07:00:00"), held)
    assert not rules.is_stale(potassium("5"), None)
