"""Do the public French examples give the right patient, stay, decisions and documents?

Every expected value is computed from the message itself, by splitting it here and now: no value
of the examples is written in this repository.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from liane.gateways.hl7v2 import batches

from .conftest import code
from .shared import SHARED, folder

ANS = "hl7v2-fr-ans"


def fields(data):
    """Segments of a message as {name: [fields...]}, split by hand."""
    found = {}
    for line in data.decode("utf-8-sig").replace("\r", "\n").split("\n"):
        if line:
            parts = line.split("|")
            if parts[0] == "MSH":
                parts.insert(1, "|")
            found.setdefault(parts[0], []).append(parts + [""] * 60)
    return found


def instant(text):
    at = datetime.strptime(text[:14].ljust(14, "0"), "%Y%m%d%H%M%S")
    return at.replace(tzinfo=ZoneInfo("Europe/Paris"))


def extension(resource, url):
    return [e for e in resource.get("extension", []) if e["url"] == url]


def examples(word):
    root = SHARED / ANS
    paths = (
        sorted(p for p in root.rglob("*") if p.suffix in {".er7", ".hl7"}) if root.is_dir() else []
    )
    found = [p for p in paths if word in p.name and "ack" not in p.name]
    if not found:
        why = f"shared data set '{ANS}' not found (LIANE_SHARED_DATA={SHARED})"
        return [pytest.param(None, marks=pytest.mark.skip(reason=why))]
    return [pytest.param(p, id="/".join(p.parts[-3:])[-80:]) for p in found]


@pytest.mark.parametrize("path", examples("ConsentementConsultation"))
async def test_an_admission_gives_patient_stay_movement_and_dmp_decisions(running, path):
    data = path.read_bytes()
    said = fields(data)
    pid, pv1, zbe, zfa = (said[name][0] for name in ("PID", "PV1", "ZBE", "ZFA"))
    async with running.client() as sender:
        assert code(await sender.send(data)) == "AA"

    [patient] = await running.resources("Patient")
    local, national = (repetition.split("^") for repetition in pid[3].split("~"))
    numbers = {i["type"]["coding"][0]["code"]: i for i in patient["identifier"]}
    assert numbers["PI"]["value"] == local[0]
    assert numbers["INS-NIR-TEST"]["value"] == national[0]
    assert numbers["INS-NIR-TEST"]["system"] == "urn:oid:" + national[3].split("&")[1]
    names = pid[5].split("^")
    [name] = [n for n in patient["name"] if n["use"] == "official"]
    assert (name["family"], name["given"]) == (names[0], [names[1]])
    assert name["extension"][0]["valueString"] == names[2]
    assert patient["birthDate"].replace("-", "") == pid[7]
    assert patient["gender"] == {"F": "female", "M": "male"}[pid[8]]
    home, birth = (repetition.split("^") for repetition in pid[11].split("~"))
    [address] = patient["address"]
    assert (address["line"], address["city"], address["postalCode"], address["country"]) == (
        [home[0]],
        home[2],
        home[4],
        home[5],
    )
    [place] = extension(patient, "http://hl7.org/fhir/StructureDefinition/patient-birthPlace")
    assert place["valueAddress"]["extension"][0]["valueCoding"]["code"] == birth[8]
    [status] = extension(patient, "https://liane.example/fhir/identity-status")
    assert (pid[32], status["valueCode"]) == ("VALI", "qualifiee")
    doctor = said["ROL"][0][4].split("^")
    assert patient["generalPractitioner"][0]["identifier"]["value"] == doctor[0]

    [encounter] = await running.resources("Encounter")
    assert encounter["identifier"][0]["value"] == pv1[19].split("^")[0]
    assert encounter["class"]["code"] == "IMP"
    assert encounter["status"] == "in-progress"
    assert datetime.fromisoformat(encounter["period"]["start"]) == instant(zbe[2])
    unit = zbe[8].split("^")[9]
    assert encounter["serviceProvider"]["reference"].endswith(unit.lower())
    attending = pv1[7].split("^")
    assert any(attending[1] in str(p) and attending[2] in str(p) for p in encounter["participant"])

    decisions = {
        c["category"][0]["coding"][0]["code"]: c for c in await running.resources("Consent")
    }
    for kind, told, at in (("feeding", zfa[9], zfa[10]), ("reading", zfa[11], zfa[12])):
        consent = decisions[kind]
        assert extension(consent, "https://liane.example/fhir/dmp-decision")[0]["valueCode"] == told
        assert consent["status"] == ("proposed" if told == "NA" else "active")
        if told != "NA":
            assert consent["provision"]["type"] == {"INO": "permit", "INC": "deny"}[told]
            assert datetime.fromisoformat(consent["dateTime"]) == instant(at)


def other_person(content, pid):
    """Whether the document inside names another INS than the message around it."""
    role = re.search(rb"<patientRole>(.*?)</patientRole>", content, re.DOTALL)
    if role is None:
        return False
    inside = {
        e
        for r, e in re.findall(rb'root="([\d.]+)" extension="(\w+)"', role.group(1))
        if r.startswith(b"1.2.250.1.213.1.4.")
    } | {
        e
        for e, r in re.findall(rb'extension="(\w+)" root="([\d.]+)"', role.group(1))
        if r.startswith(b"1.2.250.1.213.1.4.")
    }
    outside = {n.split("^")[0].encode() for n in pid[3].split("~")}
    return bool(inside) and not inside & outside


@pytest.mark.parametrize(
    "path", [*examples("message_MDM"), *examples("messageDocB64"), *examples("message.hl7")]
)
async def test_a_document_message_gives_the_document_bit_for_bit(running, path):
    data = path.read_bytes()
    said = fields(data)
    txa, first = said["TXA"][0], said["OBX"][0]
    event = said["MSH"][0][9].split("^")[1]
    async with running.client() as sender:
        answer = await sender.send(data)
    if event == "T04":
        assert code(answer) == "AE"
        assert answer.segment("ERR").get(3) == "900"
        return
    text = first[5].split("^")[4]
    content = base64.b64decode(text + "=" * (-len(text) % 4))
    if other_person(content, said["PID"][0]):
        assert (code(answer), answer.segment("ERR").get(3)) == ("AE", "904")
        assert await running.resources("DocumentReference") == []
        return
    assert code(answer) == "AA", answer.raw.decode()
    [document] = await running.resources("DocumentReference")
    attachment = document["content"][0]["attachment"]
    assert attachment["url"] == "blob:" + hashlib.sha256(content).hexdigest()
    assert attachment["size"] == len(content)
    assert await running.services.blobs.read(hashlib.sha256(content).hexdigest()) == content
    if content.lstrip().startswith(b"<"):
        assert attachment["contentType"] == "text/xml"
    number = txa[12].split("^")[0]
    assert document["masterIdentifier"]["value"].endswith(number)
    assert document["status"] == "current"
    assert document["type"]["coding"][0]["code"] == first[3].split("^")[0]
    hidden = {
        "MASQUE_PS": "MASQUE_PS",
        "INVISIBLE_PATIENT": "INVISIBLE_PATIENT",
        "INVISIBLE_REP_LEGAUX": "INVISIBLE_REPRESENTANTS_LEGAUX",
    }
    expected = {
        hidden[o[3].split("^")[0]]
        for o in said["OBX"]
        if o[3].split("^")[0] in hidden and o[5][0] == "Y"
    }
    assert {s["coding"][0]["code"] for s in document.get("securityLabel", [])} == expected
    wishes = {
        e["url"]: e
        for e in (extension(document, "https://liane.example/fhir/document-sharing") or [{}])[
            0
        ].get("extension", [])
    }
    for obx in said["OBX"]:
        name = obx[3].split("^")[0]
        if name in wishes and obx[2] == "CWE":
            assert wishes[name]["valueBoolean"] is (obx[5][0] == "Y")
    addresses = [p[15].split("^")[3] for p in said.get("PRT", []) if p[15]]
    told = [
        x["valueString"]
        for e in extension(document, "https://liane.example/fhir/document-participant")
        for x in e["extension"]
        if x["url"] == "address"
    ]
    assert told == addresses
    [patient] = await running.resources("Patient")
    assert patient["identifier"][0]["value"] == said["PID"][0][3].split("^")[0]
    [status] = extension(patient, "https://liane.example/fhir/identity-status")
    assert status["valueCode"] == "provisoire"


async def test_first_sending_replacement_and_deletion_of_one_report(running):
    root = folder(ANS) / "Vague 2" / "Trans_Doc-CDA-HL7V2"
    first, second, third = (
        next(p for p in sorted(root.rglob("message_MDM*")) if word in p.name)
        for word in ("INIT", "RPLC", "DEL")
    )
    async with running.client() as sender:
        for path in (first, second):
            assert code(await sender.send(path.read_bytes())) == "AA"
        documents = {
            d["masterIdentifier"]["value"]: d for d in await running.resources("DocumentReference")
        }
        numbers = [
            "urn:oid:" + fields(p.read_bytes())["TXA"][0][12].split("^")[0] for p in (first, second)
        ]
        assert documents[numbers[0]]["status"] == "superseded"
        assert documents[numbers[1]]["status"] == "current"
        assert documents[numbers[1]]["relatesTo"][0]["target"]["reference"].endswith(
            documents[numbers[0]]["id"]
        )
        # Replacing the old version again is refused with the code of the profile.
        again = second.read_bytes().replace(b"71024000082^", b"71024000099^", 1)
        refused = await sender.send(again)
        assert (code(refused), refused.segment("ERR").get(3)) == ("AE", "900")
        assert code(await sender.send(third.read_bytes())) == "AA"
    documents = {
        d["masterIdentifier"]["value"]: d for d in await running.resources("DocumentReference")
    }
    assert documents[numbers[1]]["status"] == "entered-in-error"


@pytest.mark.parametrize("path", examples("message_ORU_CR_Bio_RPLC"))
async def test_a_laboratory_report_in_two_forms_gives_two_documents(running, path):
    data = path.read_bytes()
    said = fields(data)
    async with running.client() as sender:
        assert code(await sender.send(data)) == "AA"
    documents = await running.resources("DocumentReference")
    files = [o for o in said["OBX"] if o[2] == "ED" and o[3].endswith("LN")]
    assert len(documents) == len(files) == 2
    for document in documents:
        assert document["type"]["coding"][0]["code"] == said["OBR"][0][4].split("^")[0]
        assert document["type"]["text"] == said["OBR"][0][4].split("^")[1]
    assert await running.resources("DiagnosticReport") == []


async def test_the_damaged_delimiter_loses_nothing(running):
    [path] = list(folder(ANS).rglob("message_ORU_CR_Bio_DEL*"))
    async with running.client() as sender:
        answer = await sender.send(path.read_bytes())
    assert code(answer) == "AE"  # there is no such document to delete, and it says so
    [row] = await running.rows()
    assert "delimiters-damaged" in row["flags"]
    assert bytes(row["raw"]) == path.read_bytes()
    assert batches.split(bytes(row["raw"])).messages == (path.read_bytes(),)


async def test_teleradiology_request_cancellation_and_reply(running):
    text = (folder("hl7v2-fr-teleradiologie") / "exemples.md").read_text("utf-8")
    messages = [block.split("```")[0].strip() for block in text.split("```\n")[1::2]]
    messages = [m for m in messages if m.startswith("MSH")]
    assert len(messages) >= 4
    async with running.client() as sender:
        assert code(await sender.send(messages[0])) == "AA"
        [order] = await running.resources("ServiceRequest")
        said = fields(messages[0].encode())
        assert order["identifier"][0]["value"] == said["ORC"][0][2].split("^")[0]
        assert order["status"] == "active"
        assert order["requester"]["identifier"]["value"] == said["ORC"][0][12].split("^")[0]
        assert any("170 cm" in note["text"] for note in order["note"])
        assert len(order["bodySite"]) == 2
        assert code(await sender.send(messages[1])) == "AA"
        [order] = await running.resources("ServiceRequest")
        assert order["status"] == "revoked"
        for message in messages[2:]:
            assert code(await sender.send(message)) in {"AA", "AE"}
