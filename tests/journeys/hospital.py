"""Which small hospital do the journeys walk through? Fed only through the real doors."""

from __future__ import annotations

import io
import itertools
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from reportlab.pdfgen.canvas import Canvas

from tests.running import Installation, Mllp

UNIT = "2101"
NURSE, DOCTOR, IT = "claire.essai", "nadia.essai", "dsi.essai"
OTHER_NURSE = "paul.ailleurs"


@dataclass
class Hospital:
    """What the journeys need to know."""

    installation: Installation
    passwords: dict[str, str]
    token: str
    jeanne: str
    """FHIR id of the patient with a full chart."""
    hugo: str

    def mllp(self) -> Mllp:
        return Mllp(self.installation.mllp_port)


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")


_numbers = itertools.count(1)


def control() -> str:
    return f"J{next(_numbers):06d}"


def msh(kind: str, at: datetime) -> str:
    return f"MSH|^~\\&|ESSAI|CHU|LIANE|GHT|{stamp(at)}||{kind}|{control()}|P|2.5^FRA^2.11|||||FRA|UNICODE UTF-8"


def pid(ipp: str, family: str, given: str, birth: str, sex: str, used: str = "") -> str:
    names = f"{family}^{given}^^^^^L" + (f"~{used}^{given}^^^^^D" if used else "")
    return f"PID|1||{ipp}^^^CHU&1.2.250.1.999.1.1&ISO^PI||{names}||{birth}|{sex}|||||||||||||||||||||||||VALI"


def pv1(ipp: str, place: str) -> str:
    """PV1 up to the venue number, PV1-19."""
    return f"PV1|1|I|{place}" + "|" * 16 + f"V{ipp}^^^CHU&1.2.250.1.999.2.1&ISO^VN"


def admit(
    ipp: str,
    family: str,
    given: str,
    birth: str,
    sex: str,
    room: str,
    bed: str,
    at: datetime,
    used: str = "",
) -> str:
    return "\r".join(
        [
            msh("ADT^A01^ADT_A01", at),
            f"EVN||{stamp(at)}",
            pid(ipp, family, given, birth, sex, used),
            pv1(ipp, f"{UNIT}^{room}^{bed}^CHU") + "|" * 25 + stamp(at),
            f"ZBE|M{ipp}^^CHU^1.2.250.1.999.3.1|{stamp(at)}||INSERT|N||UF^^^^^^^^^{UNIT}||HMS",
            "",
        ]
    )


def result(
    ipp: str,
    family: str,
    given: str,
    birth: str,
    sex: str,
    order: str,
    at: datetime,
    rows: list[tuple[str, str, str, str, str, str]],
    status: str = "F",
) -> str:
    lines = [
        msh("ORU^R01^ORU_R01", at),
        pid(ipp, family, given, birth, sex),
        pv1(ipp, UNIT),
        f"ORC|RE|P{order}|F{order}",
        f"OBR|1|P{order}|F{order}|IONO^Ionogramme sanguin^L|||{stamp(at)}|||||||||||||||{stamp(at)}||LAB|{status}",
    ]
    lines += [
        f"OBX|{n}|NM|{code}^{label}^LN||{value}|{unit}|{span}|{flag}|||{status}|||{stamp(at)}"
        for n, (code, label, value, unit, span, flag) in enumerate(rows, 1)
    ]
    return "\r".join([*lines, ""])


def letter_pdf(text: str) -> bytes:
    sheet = io.BytesIO()
    canvas = Canvas(sheet)
    for n, line in enumerate(text.split("\n")):
        canvas.drawString(72, 760 - 16 * n, line)
    canvas.save()
    return sheet.getvalue()


def ct_slice(folder: Path, ipp: str, name: str, study: str, number: int, at: datetime) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = folder / f"{number}.dcm"
    data = FileDataset(str(file), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    data.PatientID, data.PatientName = ipp, name
    data.IssuerOfPatientID = "CHU"
    data.StudyInstanceUID, data.SeriesInstanceUID = study, generate_uid(entropy_srcs=[study])
    data.Modality, data.StudyDescription, data.SeriesDescription = (
        "CT",
        "Scanner abdominal",
        "Axial",
    )
    data.StudyDate, data.StudyTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    data.StudyID, data.SeriesNumber, data.InstanceNumber = "1", 1, number
    data.AccessionNumber = "A1"
    rows, columns = np.mgrid[0:128, 0:128]
    disc = ((rows - 64) ** 2 / 2500 + (columns - 64) ** 2 / 3600 < 1) * 1000 + number * 10
    data.Rows, data.Columns, data.SamplesPerPixel = 128, 128, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.WindowCenter, data.WindowWidth = 500, 1200
    data.RescaleIntercept, data.RescaleSlope = 0, 1
    data.PixelData = disc.astype(np.uint16).tobytes()
    data.save_as(file, enforce_file_format=True)
    return file


def _structure(fhir: Any) -> None:
    uf = [{"coding": [{"system": "https://liane.example/fhir/unit-type", "code": "UF"}]}]
    for resource in (
        {"resourceType": "Organization", "id": "ght", "name": "GHT d'essai"},
        {
            "resourceType": "Organization",
            "id": "chu",
            "name": "CHU d'essai",
            "partOf": {"reference": "Organization/ght"},
        },
        {
            "resourceType": "Organization",
            "id": f"uf-{UNIT}",
            "name": "Médecine interne",
            "type": uf,
            "partOf": {"reference": "Organization/chu"},
        },
        {
            "resourceType": "Organization",
            "id": "uf-2202",
            "name": "Cardiologie",
            "type": uf,
            "partOf": {"reference": "Organization/chu"},
        },
    ):
        fhir.put(f"/{resource['resourceType']}/{resource['id']}", json=resource).raise_for_status()


def build(installation: Installation) -> Hospital:
    token = installation.token()
    fhir = installation.fhir(token)
    _structure(fhir)
    passwords = {
        NURSE: installation.add_user(NURSE, "ide", "chu", f"uf-{UNIT}", name="Claire Essai"),
        DOCTOR: installation.add_user(DOCTOR, "medecin", "chu", f"uf-{UNIT}", name="Nadia Essai"),
        IT: installation.add_user(IT, "dsi", "chu", name="Denis Essai", scope="group"),
        OTHER_NURSE: installation.add_user(
            OTHER_NURSE, "ide", "chu", "uf-2202", name="Paul Ailleurs"
        ),
    }
    now = datetime.now(UTC)
    mllp = Mllp(installation.mllp_port)
    jeanne = ("8001", "DUBREUIL", "Jeanne", "19480314", "F")
    hugo = ("8002", "DURAND", "Hugo", "19570217", "M")
    assert "|AA|" in mllp.send(admit(*jeanne, "312", "1", now - timedelta(days=3), used="MOREL"))
    assert "|AA|" in mllp.send(admit(*hugo, "304", "2", now - timedelta(days=1)))
    for hours, crp, potassium, flag in (
        (60, "96", "3.4", "L"),
        (36, "54", "3.9", ""),
        (6, "184", "4.1", ""),
    ):
        at = now - timedelta(hours=hours)
        rows = [
            ("1988-5", "CRP", crp, "mg/L", "0-5", "HH" if crp == "184" else "H"),
            ("2823-3", "Potassium", potassium, "mmol/L", "3.5-5.1", flag),
        ]
        assert "|AA|" in mllp.send(result(*jeanne, f"{hours}", at, rows))
    mllp.close()
    found = fhir.get("/Patient", params={"identifier": "urn:oid:1.2.250.1.999.1.1|8001"}).json()
    other = fhir.get("/Patient", params={"identifier": "urn:oid:1.2.250.1.999.1.1|8002"}).json()
    patient = found["entry"][0]["resource"]["id"]
    _clinical(fhir, patient, now)
    hospital = Hospital(
        installation, passwords, token, patient, other["entry"][0]["resource"]["id"]
    )
    send_letter(
        hospital,
        jeanne,
        "D1",
        "Lettre de liaison\nPatiente traitee pour une pyelonephrite\nSuivi en nephrologie",
    )
    send_images(hospital, jeanne, now - timedelta(hours=4))
    return hospital


def send_letter(hospital: Hospital, who: tuple[str, ...], number: str, text: str) -> None:
    import base64

    now = datetime.now(UTC)
    body = base64.b64encode(letter_pdf(text)).decode()
    mllp = hospital.mllp()
    answer = mllp.send(
        "\r".join(
            [
                msh("MDM^T02^MDM_T02", now),
                f"EVN|T02|{stamp(now)}",
                pid(*who),
                pv1(who[0], UNIT),
                f"TXA|1|11490-0^Lettre de liaison^LN|AP|{stamp(now)}||||||||{number}^^1.2.250.1.999.4^ISO|||||LA",
                f"OBX|1|ED|PDF^Lettre||^application^pdf^Base64^{body}||||||F",
                "",
            ]
        )
    )
    assert "|AA|" in answer, answer
    mllp.close()


def send_images(hospital: Hospital, who: tuple[str, ...], at: datetime) -> str:
    folder = hospital.installation.home / f"dicom-{control()}"
    folder.mkdir()
    study = generate_uid()
    files = [ct_slice(folder, who[0], f"{who[1]}^{who[2]}", study, n, at) for n in range(1, 6)]
    subprocess.run(
        [
            "/usr/bin/storescu",
            "-aet",
            "SCANNER",
            "-aec",
            "LIANE",
            "127.0.0.1",
            str(hospital.installation.dicom_port),
            *map(str, files),
        ],
        check=True,
        timeout=120,
        env={"TCP_NODELAY": "1"},
    )
    return study


def vital(
    patient: str, code: str, label: str, value: float, unit: str, at: datetime
) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "vital-signs",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": label},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": at.isoformat(timespec="seconds"),
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org"},
    }


def _clinical(fhir: Any, patient: str, now: datetime) -> None:
    subject = {"reference": f"Patient/{patient}"}
    signs = [
        vital(patient, code, label, base + drift * n, unit, now - timedelta(hours=30 - 6 * n))
        for code, label, base, drift, unit in (
            ("8867-4", "Fréquence cardiaque", 84, 5, "/min"),
            ("9279-1", "Fréquence respiratoire", 16, 1, "/min"),
            ("59408-5", "SpO2", 97, -1, "%"),
            ("8310-5", "Température", 37.2, 0.3, "Cel"),
        )
        for n in range(5)
    ]
    others: list[dict[str, Any]] = [
        {
            "resourceType": "AllergyIntolerance",
            "patient": subject,
            "criticality": "high",
            "clinicalStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                        "code": "active",
                    }
                ]
            },
            "verificationStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
                        "code": "confirmed",
                    }
                ]
            },
            "code": {"text": "Amoxicilline"},
            "reaction": [{"manifestation": [{"text": "Anaphylaxie"}]}],
            "recordedDate": "2016-05-04",
        },
        {
            "resourceType": "Condition",
            "subject": subject,
            "clinicalStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                        "code": "active",
                    }
                ]
            },
            "code": {"text": "Sepsis à point de départ urinaire"},
            "recordedDate": now.date().isoformat(),
        },
        {
            "resourceType": "MedicationRequest",
            "subject": subject,
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": "Ceftriaxone"},
            "authoredOn": (now - timedelta(days=2)).isoformat(timespec="seconds"),
            "dosageInstruction": [{"text": "2 g par jour IV", "route": {"text": "IV"}}],
        },
    ]
    for resource in [*signs, *others]:
        answer = fhir.post(f"/{resource['resourceType']}", json=resource)
        assert answer.status_code == 201, answer.text
