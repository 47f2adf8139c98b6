"""Does a message sent over a socket reach the record, safely, once and in order?"""

from __future__ import annotations

from .conftest import code
from .messages import adt, oru


async def test_an_admission_makes_a_patient_and_a_stay(running):
    async with running.client() as sender:
        ack = await sender.send(adt("A01", "c1", key="M1"))
    assert code(ack) == "AA", ack.raw.decode()
    assert ack.segment("MSA").get(2) == "c1"
    [row] = await running.rows()
    assert (row["state"], row["control_id"], row["kind"]) == ("applied", "c1", "ADT^A01")
    [patient] = await running.resources("Patient")
    assert patient["name"][0]["family"] == "HIRONDELLE"
    assert patient["birthDate"] == "1948-03-14"
    [encounter] = await running.resources("Encounter")
    assert encounter["status"] == "in-progress"
    assert f"Patient/{patient['id']}" in row["resources"]
    assert f"Encounter/{encounter['id']}" in row["resources"]


async def test_a_result_of_an_unknown_patient_makes_a_provisional_identity(running):
    async with running.client() as sender:
        assert code(await sender.send(oru("r1"))) == "AA"
    [patient] = await running.resources("Patient")
    assert {
        "url": "https://liane.example/fhir/identity-status",
        "valueCode": "provisoire",
    } in patient["extension"]
    [observation] = await running.resources("Observation")
    assert str(observation["valueQuantity"]["value"]) == "4.2"
    assert observation["valueQuantity"]["unit"] == "mmol/L"
    assert observation["code"]["coding"][0] == {
        "system": "http://loinc.org",
        "code": "2823-3",
        "display": "Potassium",
    }
    assert observation["referenceRange"][0]["text"] == "3.5 - 5.1"
    assert str(observation["referenceRange"][0]["high"]["value"]) == "5.1"
    assert observation["status"] == "final"
    assert observation["category"][0]["coding"][0]["code"] == "laboratory"
    [report] = await running.resources("DiagnosticReport")
    assert report["result"] == [{"reference": f"Observation/{observation['id']}"}]
