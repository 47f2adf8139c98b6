"""Does each kind of message have the effect its sender meant? Invented people, written by hand."""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
from datetime import datetime

import pytest

from .conftest import code
from .messages import INS, IPP, adt, msh, oru, pid


async def applied(running, *messages):
    async with running.client() as sender:
        for message in messages:
            ack = await sender.send(message)
            assert code(ack) == "AA", ack.raw.decode()


def at(text):
    return datetime.fromisoformat(text)


STAY = [
    adt("A01", "m1", key="K1", at="20260301100000", unit="3111", bed="12"),
    adt("A02", "m2", key="K2", at="20260302090000", unit="3222", bed="7"),
    adt("A02", "m3", key="K3", at="20260303090000", unit="3333", bed="3"),
    adt(
        "A02",
        "m4",
        key="K2",
        at="20260302100000",
        unit="3222",
        bed="8",
        action="UPDATE",
        said="20260304080000",
    ),
    adt(
        "A12",
        "m5",
        key="K3",
        at="20260303090000",
        unit="3333",
        bed="3",
        action="CANCEL",
        said="20260304090000",
    ),
    adt("A03", "m6", key="K4", at="20260305110000", unit="3222", bed="8"),
]


async def test_any_order_of_the_movements_gives_the_same_stay(running):
    expected = None
    orders = list(itertools.permutations(range(len(STAY))))
    random.Random(7).shuffle(orders)
    for number, order in enumerate([tuple(range(len(STAY))), *orders[:5]]):
        venue = f"V{number}"
        patient = pid(f"8100{number}")
        await applied(
            running,
            *(
                STAY[i]
                .replace("|V1^", f"|{venue}^")
                .replace(pid(), patient)
                .replace("|K", f"|{venue}K")
                .replace(f"|m{i + 1}|", f"|m{number}-{i}|")
                for i in order
            ),
        )
        [encounter] = [
            e for e in await running.resources("Encounter") if e["identifier"][0]["value"] == venue
        ]
        told = (
            encounter["status"],
            encounter["period"],
            [(place["location"]["reference"], place["period"]) for place in encounter["location"]],
        )
        expected = expected or told
        assert told == expected, order
    assert expected[0] == "finished"
    assert at(expected[1]["end"]) == at("2026-03-05T11:00:00+01:00")
    assert [reference.split("-")[1] for reference, _ in expected[2]] == ["3111", "3222"]
    assert at(expected[2][1][1]["start"]) == at("2026-03-02T10:00:00+01:00")


@pytest.mark.parametrize(
    ("events", "status"),
    [
        (("A05",), "planned"),
        (("A05", "A38"), "cancelled"),
        (("A05", "A01"), "in-progress"),
        (("A04",), "in-progress"),
        (("A01", "A11"), "cancelled"),
        (("A01", "A03"), "finished"),
        (("A01", "A03", "A13"), "in-progress"),
        (("A01", "A21"), "onleave"),
        (("A01", "A21", "A22"), "in-progress"),
        (("A01", "A21", "A52"), "in-progress"),
        (("A04", "A06"), "in-progress"),
        (("A01", "A07"), "in-progress"),
        (("A01", "A54"), "in-progress"),
        (("A01", "A54", "A55"), "in-progress"),
    ],
)
async def test_a_sequence_without_movement_numbers(running, events, status):
    await applied(
        running,
        *(adt(event, f"{event}{n}", at=f"2026030{n + 1}100000") for n, event in enumerate(events)),
    )
    [encounter] = await running.resources("Encounter")
    assert encounter["status"] == status
    if "A06" in events:
        assert encounter["class"]["code"] == "IMP"


async def test_an_identity_is_created_and_corrected(running):
    await applied(
        running,
        msh("ADT^A28", "p1") + "\rEVN||20260301\r" + pid(ins=INS) + "||||||||||||||||||||N|VALI\r",
        msh("ADT^A31", "p2", at="20260302101500")
        + "\rEVN||20260302\r"
        + pid(ins=INS, given="Zoé")
        + "||||||||||||||||||||N|VALI\r",
    )
    [patient] = await running.resources("Patient")
    assert patient["name"][0]["given"] == ["Zoé"]
    assert {i["type"]["coding"][0]["code"] for i in patient["identifier"]} == {"PI", "INS-NIR-TEST"}
    statuses = [
        e["valueCode"] for e in patient["extension"] if e["url"].endswith("identity-status")
    ]
    assert statuses == ["qualifiee"]
    assert await running.resources("Encounter") == []


async def test_a_merge_moves_everything_and_what_comes_later_finds_the_survivor(running):
    await applied(
        running,
        adt("A01", "f1", key="K1"),
        adt("A01", "f2", venue="V2", key="K2", patient=pid("80002", given="Zelie")),
        oru("f3", ipp="80002", order="L2"),
        msh("ADT^A40^ADT_A39", "f4")
        + "\rEVN||20260301120000\r"
        + pid()
        + f"\rMRG|80002^^^{IPP}^PI\r",
        oru("f5", ipp="80002", order="L3"),
    )
    patients = {p["identifier"][0]["value"]: p for p in await running.resources("Patient")}
    survivor = patients["80001"]["id"]
    assert patients["80002"]["active"] is False
    subjects = {o["subject"]["reference"] for o in await running.resources("Observation")}
    subjects |= {e["subject"]["reference"] for e in await running.resources("Encounter")}
    assert subjects == {f"Patient/{survivor}"}


async def test_a_merge_of_an_identity_never_seen_keeps_its_number(running):
    merge = msh("ADT^A40", "g1") + "\rEVN||20260301120000\r" + pid() + f"\rMRG|80777^^^{IPP}^PI\r"
    await applied(running, merge, oru("g2", ipp="80777"))
    [observation] = await running.resources("Observation")
    [survivor] = [p for p in await running.resources("Patient") if p.get("active", True)]
    assert observation["subject"]["reference"] == f"Patient/{survivor['id']}"


async def test_a_number_change_keeps_the_patient(running):
    change = (
        msh("ADT^A47", "n2")
        + "\rEVN||20260301120000\r"
        + pid("80555")
        + f"\rMRG|80001^^^{IPP}^PI\r"
    )
    await applied(running, adt("A01", "n1", key="K1"), change, oru("n3", ipp="80555"))
    [patient] = await running.resources("Patient")
    uses = {i["value"]: i.get("use") for i in patient["identifier"]}
    assert uses["80001"] == "old"
    assert uses["80555"] != "old"
    [observation] = await running.resources("Observation")
    assert observation["subject"]["reference"] == f"Patient/{patient['id']}"


async def test_a_correction_and_a_deletion_keep_the_history(running):
    await applied(
        running,
        oru("c1", value="4.20", said="20260301110000"),
        oru("c2", value="5.60", status="C", said="20260301120000"),
    )
    [observation] = await running.resources("Observation")
    assert (str(observation["valueQuantity"]["value"]), observation["status"]) == (
        "5.60",
        "corrected",
    )
    # An older message that arrives late changes nothing.
    await applied(running, oru("c0", value="1.00", said="20260301100000"))
    [observation] = await running.resources("Observation")
    assert str(observation["valueQuantity"]["value"]) == "5.60"
    await applied(running, oru("c3", value="5.60", status="D", said="20260301130000"))
    [observation] = await running.resources("Observation")
    assert observation["status"] == "entered-in-error"
    async with running.database.reading() as tx:
        bodies = await tx.fetch(
            "select body from record.history where type = 'Observation' order by version"
        )
    assert ['"value":4.20' in b["body"].replace(" ", "") for b in bodies] == [True, False]


async def test_every_kind_of_value(running):
    lines = [
        "OBX|1|NM|1-1^Nombre^LN||72.50|kg^kilogramme^UCUM|<80|H~N|||F|||20260301110000",
        "NTE|1||Première note",
        "NTE|2||Seconde note",
        "OBX|2|SN|2-1^Borne^LN||>^100|mg/L||A|||F",
        "OBX|3|SN|3-1^Titre^LN||^1^:^128||||||F",
        "OBX|4|CWE|4-1^Germe^LN||112283007^Escherichia coli^SCT||||||F",
        "OBX|5|TX|5-1^Conclusion^LN||Première ligne||||||F",
        "OBX|6|TX|5-1^Conclusion^LN||Seconde ligne||||||F",
        "OBX|7|NM|7-1^Fait main^L||<5|mg/L|||||F",
        "OBX|8|NM|8-1^Illisible^L||hémolysé|mg/L|||||F",
        "OBX|9|NM|9-1^Non fait^LN|||mg/L|||||X",
        "OBX|10|DT|10-1^Date^LN||20260228||||||F",
        "OBX|11|NM|11-1^Virgule^LN||5,3|g/L|4,0 - 6,0||||P",
        "OBX|12|NM|12-1^Répété^LN||1|g/L|||||F|||20260301100000",
        "OBX|13|NM|12-1^Répété^LN||2|g/L|||||F|||20260301110000",
    ]
    head = (
        msh("ORU^R01", "v1", app="SIL")
        + "\r"
        + pid()
        + "\rORC|RE||L1^SIL\rOBR|1||L1^SIL|B^Bilan^L|||20260301100000||||||||Sang&Sang total\r"
    )
    await applied(
        running,
        head
        + "\r".join(lines)
        + "\rOBR|2||L1^SIL|C^Autre^L|||20260301100000\rOBX|1|NM|1-1^Nombre^LN|2|3|kg|||||F\r",
    )
    found = {}
    for observation in await running.resources("Observation"):
        found.setdefault(observation["identifier"][0]["value"].split("|")[2], []).append(
            observation
        )
    weight = next(o for o in found["1-1"] if "note" in o)
    assert str(weight["valueQuantity"]["value"]) == "72.50"
    assert weight["valueQuantity"]["system"] == "http://unitsofmeasure.org"
    assert [n["text"] for n in weight["note"]] == ["Première note", "Seconde note"]
    assert [i["coding"][0]["code"] for i in weight["interpretation"]] == ["H", "N"]
    assert str(weight["referenceRange"][0]["high"]["value"]) == "80"
    assert found["2-1"][0]["valueQuantity"]["comparator"] == ">"
    assert found["3-1"][0]["valueRatio"]["denominator"]["value"] == 128
    assert (
        found["4-1"][0]["valueCodeableConcept"]["coding"][0]["system"] == "http://snomed.info/sct"
    )
    assert found["5-1"][0]["valueString"] == "Première ligne\nSeconde ligne"
    assert found["7-1"][0]["valueQuantity"]["comparator"] == "<"
    assert found["8-1"][0]["valueString"] == "hémolysé"
    assert found["9-1"][0]["status"] == "cancelled"
    assert "dataAbsentReason" in found["9-1"][0]
    assert found["10-1"][0]["valueDateTime"] == "2026-02-28"
    assert str(found["11-1"][0]["valueQuantity"]["value"]) == "5.3"
    assert found["11-1"][0]["status"] == "preliminary"
    assert str(found["11-1"][0]["referenceRange"][0]["low"]["value"]) == "4.0"
    assert len(found["12-1"]) == 2
    assert len(await running.resources("DiagnosticReport")) == 2


async def test_blood_pressure_is_one_measurement(running):
    lines = "OBX|1|NM|8480-6^Systolique^LN||132|mmHg|||||F|||20260301110000\rOBX|2|NM|8462-4^Diastolique^LN||78|mmHg|||||F|||20260301110000\r"
    await applied(
        running,
        msh("ORU^R01", "b1")
        + "\r"
        + pid()
        + "\rOBR|1||T1^MON|VS^Constantes^L|||20260301110000\r"
        + lines,
    )
    [panel] = await running.resources("Observation")
    assert panel["code"]["coding"][0]["code"] == "85354-9"
    assert panel["category"][0]["coding"][0]["code"] == "vital-signs"
    assert [str(c["valueQuantity"]["value"]) for c in panel["component"]] == ["132", "78"]


async def test_a_pdf_in_a_result_message_is_a_document(running):
    pdf = b"%PDF-1.4\n%essai\n"
    line = f"OBX|1|ED|11502-2^Compte rendu^LN||^Application^PDF^Base64^{base64.b64encode(pdf).decode()}||||||F\r"
    await applied(
        running,
        msh("ORU^R01", "d1")
        + "\r"
        + pid()
        + "\rOBR|1||D1^SIL|11502-2^Compte rendu^LN|||20260301110000\r"
        + line,
    )
    [document] = await running.resources("DocumentReference")
    attachment = document["content"][0]["attachment"]
    assert attachment["contentType"] == "application/pdf"
    assert attachment["url"] == "blob:" + hashlib.sha256(pdf).hexdigest()


def mdm(event, control, number="1.2.3.4.5", parent="", text="Madame va bien.", status="LA"):
    return (
        msh(f"MDM^{event}^MDM_T02", control)
        + "\rEVN||20260301120000\r"
        + pid()
        + "\rPV1|1|I|3111\r"
        + f"TXA|1|11490-0^Lettre de sortie^LN|TX|20260301120000|||||801^MERLE^Ada|||{number}|{parent}||||{status}\r"
        + f"OBX|1|TX|11490-0^Lettre de sortie^LN||{text}||||||F\r"
    )


async def test_a_letter_is_filed_replaced_and_cancelled(running):
    await applied(
        running,
        mdm("T02", "l1"),
        mdm("T10", "l2", number="1.2.3.4.6", parent="1.2.3.4.5", text="Madame va mieux."),
        mdm("T11", "l3", number="1.2.3.4.6"),
    )
    documents = {
        d["masterIdentifier"]["value"]: d for d in await running.resources("DocumentReference")
    }
    assert documents["urn:oid:1.2.3.4.5"]["status"] == "superseded"
    assert documents["urn:oid:1.2.3.4.6"]["status"] == "entered-in-error"
    assert "Madame va bien." in documents["urn:oid:1.2.3.4.5"]["text"]["div"]
    assert documents["urn:oid:1.2.3.4.5"]["type"]["coding"][0]["code"] == "11490-0"


async def test_a_laboratory_order_is_placed_changed_and_cancelled(running):
    def order(control, action, status=""):
        return (
            msh("OML^O21^OML_O21", control)
            + "\r"
            + pid()
            + f"\rORC|{action}|P77^DPI|||{status}||||20260301090000|||801^MERLE^Ada\r"
            + "TQ1|1||||||20260301100000||S\rOBR|1|P77^DPI||718-7^Hémoglobine^LN|||||||||saigne\rSPM|1|||BLD^Sang\r"
        )

    await applied(running, order("o1", "NW"))
    [request] = await running.resources("ServiceRequest")
    assert (request["status"], request["priority"]) == ("active", "stat")
    assert request["code"]["coding"][0]["code"] == "718-7"
    assert at(request["occurrenceDateTime"]) == at("2026-03-01T10:00:00+01:00")
    assert request["reasonCode"][0]["text"] == "saigne"
    await applied(running, order("o2", "SC", "CM"))
    [request] = await running.resources("ServiceRequest")
    assert request["status"] == "completed"
    await applied(running, order("o3", "CA"))
    [request] = await running.resources("ServiceRequest")
    assert request["status"] == "revoked"


async def test_an_appointment_is_booked_moved_cancelled_and_missed(running):
    def siu(event, control, start="20260310090000"):
        return (
            msh(f"SIU^{event}^SIU_S12", control)
            + f"\rSCH|D1^DPI|A1^AGENDA||||R^Motif|CONS^Consultation||20|MIN|^^^{start}\r"
            + pid()
            + "\rRGS|1\rAIL|1||CS1^BOX^2\rAIP|1||801^MERLE^Ada\rNTE|1||À jeun\r"
        )

    states = []
    for n, event in enumerate(("S12", "S13", "S14", "S26", "S15", "S17")):
        await applied(running, siu(event, f"s{n}", "20260311100000" if n else "20260310090000"))
        [booked] = await running.resources("Appointment")
        states.append(booked["status"])
    assert states == ["booked", "booked", "booked", "noshow", "cancelled", "entered-in-error"]
    assert at(booked["start"]) == at("2026-03-11T10:00:00+01:00")
    assert booked["minutesDuration"] == 20
    assert booked["comment"] == "À jeun"
    assert len(booked["participant"]) == 3


async def test_a_movement_without_visit_number_says_so(running):
    async with running.client() as sender:
        ack = await sender.send(
            adt("A02", "x1", venue="").replace("^^^CHU&1.2.250.1.999.2.1&ISO^VN", "")
        )
    assert code(ack) == "AE"
    assert ack.segment("ERR").get(2, 3) == "19"


async def test_resources_are_valid_fhir(running):
    from liane.fhir.validation import validate

    await applied(running, *STAY[:2], oru("z1"), mdm("T02", "z2"))
    for kind in ("Patient", "Encounter", "Observation", "DiagnosticReport", "DocumentReference"):
        for resource in await running.resources(kind):
            assert [i for i in validate(resource) if i.severity in ("fatal", "error")] == [], kind
