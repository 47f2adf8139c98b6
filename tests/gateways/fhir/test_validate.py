"""Promise: `$validate` says everything that is wrong, where and by which rule; a write refuses what
its establishment blocks, and tells the rest to whoever asks."""

from __future__ import annotations

from typing import Any

import pytest

from liane.projections import PROJECTIONS
from liane.store import Database, conformance
from tests.gateways.fhir.conftest import Fhir, observation, patient

CORE = "http://hl7.org/fhir/StructureDefinition/"


@pytest.fixture
async def known(database: Database) -> Database:
    """The record with everything that follows its writes."""
    database.projections = PROJECTIONS
    return database


def issues(answer: Any) -> list[dict[str, Any]]:
    assert answer.json()["resourceType"] == "OperationOutcome"
    found: list[dict[str, Any]] = answer.json()["issue"]
    return found


def places(answer: Any, severity: str = "error") -> set[str]:
    return {
        one["expression"][0]
        for one in issues(answer)
        if one["severity"] == severity and "expression" in one
    }


async def test_a_resource_is_validated_as_it_is_or_in_parameters(fhir: Fhir) -> None:
    good = await fhir("POST", "/Patient/$validate", patient())
    assert (good.status_code, issues(good)[0]["severity"]) == (200, "information")
    wrong = patient(gender="homme", contact=[{"gender": "male"}])
    raw = await fhir("POST", "/Patient/$validate", wrong)
    assert raw.status_code == 200
    assert places(raw) == {"Patient.gender", "Patient.contact[0]"}
    inside = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "mode", "valueCode": "create"},
            {"name": "resource", "resource": wrong},
        ],
    }
    assert places(await fhir("POST", "/Patient/$validate", inside)) == places(raw)


async def test_messages_come_in_the_language_of_the_reader_with_the_rule(fhir: Fhir) -> None:
    wrong = patient(contact=[{"gender": "male"}])
    french = issues(await fhir("POST", "/Patient/$validate", wrong, Accept_Language="fr"))[0]
    english = issues(await fhir("POST", "/Patient/$validate", wrong, Accept_Language="en"))[0]
    assert french["details"]["text"] == english["details"]["text"] == "pat-1"
    assert french["diagnostics"].startswith("Patient.contact[0]: un contact")
    assert english["diagnostics"].startswith("Patient.contact[0]: a contact")


async def test_a_profile_is_checked_when_asked_or_declared(fhir: Fhir) -> None:
    vital = observation(code={"text": "pouls"})
    plain = await fhir("POST", "/Observation/$validate", vital)
    assert places(plain) == set()
    asked = await fhir("POST", f"/Observation/$validate?profile={CORE}vitalsigns", vital)
    wanted = {"Observation.category", "Observation.category:VSCat", "Observation.effective[x]"}
    assert wanted <= places(asked)
    declared = {**vital, "meta": {"profile": [f"{CORE}vitalsigns"]}}
    assert wanted <= places(await fhir("POST", "/Observation/$validate", declared))
    unknown = await fhir("POST", "/Observation/$validate?profile=http://x.org/nothing", vital)
    assert places(unknown, "warning") >= {"Observation.meta.profile"}


async def test_a_stored_resource_is_validated_for_who_may_read_it(fhir: Fhir) -> None:
    assert (await fhir("PUT", "/Patient/p1", patient(id="p1"))).status_code == 201
    assert issues(await fhir("GET", "/Patient/p1/$validate"))[0]["severity"] == "information"
    assert (await fhir("GET", "/Patient/p2/$validate")).status_code == 404
    assert (await fhir("GET", "/Patient/p1/$validate", token="reader")).status_code == 403
    assert (await fhir("GET", "/Patient/p1/$validate", token="chu")).status_code == 404


async def test_modes_look_at_the_address(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    update = "/Patient/p1/$validate?mode=update"
    assert places(await fhir("POST", update, patient(id="p1"))) == set()
    assert places(await fhir("POST", update, patient(id="p2"))) == {"Patient.id"}
    assert (await fhir("POST", "/Patient/p1/$validate?mode=delete")).status_code == 200
    assert (await fhir("POST", "/Patient/$validate?mode=delete")).status_code == 400
    assert (await fhir("POST", "/Patient/$validate?mode=zorro", patient())).status_code == 400
    assert (await fhir("POST", "/Patient/$validate")).status_code == 400
    other = await fhir("POST", "/Patient/$validate", observation())
    assert issues(other)[0]["severity"] == "error"


async def test_a_reference_to_nothing_is_told_to_who_may_know(fhir: Fhir, known: Database) -> None:
    answer = await fhir("POST", "/Observation/$validate", observation("Patient/nobody"))
    assert places(answer, "warning") == {"Observation.subject.reference"}
    hidden = await fhir(
        "POST", "/Observation/$validate", observation("Patient/nobody"), token="chu"
    )
    assert places(hidden, "warning") == set()


async def test_a_write_tells_its_warnings_only_when_asked(fhir: Fhir) -> None:
    sent = {**observation("Patient/nobody"), "meta": {"profile": [f"{CORE}vitalsigns"]}}
    silent = await fhir("POST", "/Observation", sent)
    assert silent.status_code == 201
    assert silent.json()["resourceType"] == "Observation"
    told = await fhir("POST", "/Observation", sent, Prefer="return=OperationOutcome")
    assert told.status_code == 201
    assert {"Observation.subject.reference", "Observation.effective[x]"} <= places(told, "warning")
    assert places(told) == set()


async def test_each_entry_of_a_transaction_hears_of_its_own(fhir: Fhir) -> None:
    entries = [
        {"resource": patient(), "request": {"method": "POST", "url": "Patient"}},
        {
            "resource": {**observation("Patient/nobody"), "meta": {"profile": ["http://x.org/p"]}},
            "request": {"method": "POST", "url": "Observation"},
        },
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = await fhir("POST", "/", bundle, Prefer="return=OperationOutcome")
    assert answer.status_code == 200
    told = [entry["response"]["outcome"]["issue"] for entry in answer.json()["entry"]]
    assert [one["severity"] for one in told[0]] == ["information"]
    assert {one["severity"] for one in told[1]} == {"information", "warning"}
    entries[1]["resource"]["status"] = "zzz"
    refused = await fhir("POST", "/", bundle)
    assert refused.status_code == 422
    assert places(refused) == {"Bundle.entry[1].resource.status"}


async def test_what_blocks_is_the_choice_of_the_establishment(fhir: Fhir, known: Database) -> None:
    sent = {**observation(), "meta": {"profile": [f"{CORE}vitalsigns"]}}
    assert (await fhir("POST", "/Observation", sent)).status_code == 201
    async with known.transaction() as tx:
        await conformance.choose(tx, "", "profile", "block")
    refused = await fhir("POST", "/Observation", sent)
    assert refused.status_code == 422
    assert "Observation.effective[x]" in places(refused)
    async with known.transaction() as tx:
        await conformance.choose(tx, "", "profile", None)
        await conformance.choose(tx, "", "binding", "warn")
    assert (await fhir("POST", "/Patient", patient(gender="homme"))).status_code == 201
    async with known.transaction() as tx:
        await conformance.choose(tx, "chu", "binding", "block")
    assert (await fhir("POST", "/Patient", patient(gender="homme"), token="chu")).status_code == 422
    assert (await fhir("POST", "/Patient", patient(gender="homme"))).status_code == 201


async def test_a_profile_written_to_the_record_counts_at_once(fhir: Fhir, known: Database) -> None:
    profile = {
        "resourceType": "StructureDefinition",
        "id": "dated",
        "url": "http://example.org/StructureDefinition/dated",
        "name": "Dated",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": f"{CORE}Patient",
        "derivation": "constraint",
        "differential": {
            "element": [
                {"id": "Patient", "path": "Patient"},
                {"id": "Patient.birthDate", "path": "Patient.birthDate", "min": 1},
            ]
        },
    }
    sent = {**patient(), "meta": {"profile": ["http://example.org/StructureDefinition/dated"]}}
    before = await fhir("POST", "/Patient/$validate", sent)
    assert places(before) == set()
    assert (await fhir("PUT", "/StructureDefinition/dated", profile)).status_code == 201
    after = await fhir("POST", "/Patient/$validate", sent)
    assert places(after) == {"Patient.birthDate"}
    assert (await fhir("DELETE", "/StructureDefinition/dated")).status_code == 204
    assert places(await fhir("POST", "/Patient/$validate", sent)) == set()


async def test_codes_of_a_system_in_the_record_are_looked_up(fhir: Fhir, known: Database) -> None:
    system = {
        "resourceType": "CodeSystem",
        "id": "colours",
        "url": "http://example.org/colours",
        "status": "active",
        "content": "complete",
        "concept": [{"code": "red"}, {"code": "blue"}],
    }
    values = {
        "resourceType": "ValueSet",
        "id": "warm",
        "url": "http://example.org/warm",
        "status": "active",
        "compose": {
            "include": [{"system": "http://example.org/colours", "concept": [{"code": "red"}]}]
        },
    }
    profile = {
        "resourceType": "StructureDefinition",
        "id": "coloured",
        "url": "http://example.org/StructureDefinition/coloured",
        "name": "Coloured",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Observation",
        "baseDefinition": f"{CORE}Observation",
        "derivation": "constraint",
        "differential": {
            "element": [
                {"id": "Observation", "path": "Observation"},
                {
                    "id": "Observation.code",
                    "path": "Observation.code",
                    "binding": {"strength": "required", "valueSet": "http://example.org/warm"},
                },
            ]
        },
    }
    for resource in (system, values, profile):
        path = f"/{resource['resourceType']}/{resource['id']}"
        assert (await fhir("PUT", path, resource)).status_code == 201
    url = "/Observation/$validate?profile=http://example.org/StructureDefinition/coloured"
    for code, found in (("red", set()), ("blue", {"Observation.code"})):
        coding = {"system": "http://example.org/colours", "code": code}
        answer = await fhir("POST", url, observation(code={"coding": [coding]}))
        assert places(answer) == found
