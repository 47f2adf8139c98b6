"""Promise: files of the past come in once, whatever is repeated, and every refusal says why."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from liane.access.sessions import Limits, Sessions
from liane.base.errors import Invalid, NotFound
from liane.importing import import_paths
from liane.importing.progress import for_terminal
from liane.importing.recognising import kind_of
from liane.importing.words import tesseract
from liane.rooms import imaging, patients
from liane.store import Database, resources
from liane.store.blobs import Blobs
from liane.ui.services import Services
from tests.gateways.cda.samples import document

IPP = "urn:oid:1.2.250.1.999.1.1"


@pytest.fixture
async def services(
    database: Database, test_database: Any, blobs: Blobs, tmp_path: Path
) -> AsyncIterator[Services]:
    """The house with its lean tables, over a record that the fixture `database` has emptied."""
    projections = (patients.project, imaging.project)
    house = await Database.open(test_database.app_dsn, max_size=4, projections=projections)
    yield Services(
        database=house,
        blobs=blobs,
        home=tmp_path / "home",
        sessions=Sessions(house, Limits()),
    )
    await house.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    return made


async def count(test_database: Any) -> Counter[str]:
    owner = await asyncpg.connect(test_database.owner_dsn)
    rows = await owner.fetch("select type, count(*) as n from record.resource group by type")
    await owner.close()
    return Counter({row["type"]: row["n"] for row in rows})


def patient(id_: str = "p1", ipp: str = "42") -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": id_,
        "identifier": [
            {
                "system": IPP,
                "value": ipp,
                "type": {
                    "coding": [
                        {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PI"}
                    ]
                },
            }
        ],
        "name": [{"use": "official", "family": "ESSAI", "given": ["Zoé"]}],
        "birthDate": "1980-01-02",
    }


def bundle() -> dict[str, Any]:
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "K"},
        "subject": {"reference": "urn:uuid:a"},
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:a",
                "resource": patient(),
                "request": {"method": "POST", "url": "Patient"},
            },
            {"resource": observation, "request": {"method": "POST", "url": "Observation"}},
            {
                "resource": {**observation, "status": "zzz"},
                "request": {"method": "POST", "url": "Observation"},
            },
        ],
    }


async def test_a_bundle_keeps_its_ids_and_links_and_says_what_is_refused(
    services: Services, folder: Path, test_database: Any
) -> None:
    (folder / "a.json").write_text(json.dumps(bundle()))
    report = await import_paths(services, [folder])
    assert report.stored == {"Patient": 1, "Observation": 1}
    (refusal,) = report.refused
    assert refusal.place == "entrée 3"
    assert "Observation.status" in refusal.reason
    async with services.database.reading() as tx:
        version = await resources.read(tx, "Patient", "p1")
        assert version is not None
        (kept,) = [v for v in await resources.history(tx, "Observation") if not v.deleted]
    assert kept.resource["subject"]["reference"] == "Patient/p1"
    again = await import_paths(services, [folder])
    assert (again.stored.total(), again.skipped, len(again.refused)) == (0, 2, 1)
    assert await count(test_database) == {"Patient": 1, "Observation": 1}


async def test_lines_compressed_and_single_resources(services: Services, folder: Path) -> None:
    lines = "\n".join(json.dumps(patient(f"p{n}", f"{n}")) for n in range(3))
    (folder / "a.ndjson.gz").write_bytes(gzip.compress((lines + "\n{broken\n").encode()))
    (folder / "b.json").write_text(json.dumps(patient("p9", "9")))
    report = await import_paths(services, [folder])
    assert report.stored == {"Patient": 4}
    assert [refusal.place for refusal in report.refused] == ["ligne 4"]


async def test_a_file_that_came_in_whole_is_passed_by(services: Services, folder: Path) -> None:
    (folder / "b.json").write_text(json.dumps(patient()))
    await import_paths(services, [folder])
    again = await import_paths(services, [folder])
    assert (again.files, again.known_files, again.skipped) == (1, 1, 1)
    assert "déjà importés" in again.as_text()


HL7 = (
    "MSH|^~\\&|GAM|CHU|LIANE|CHU|20240503101112||ADT^A28^ADT_A05|{n}|P|2.5|||||FRA|8859/1\r"
    "EVN||20240503101112\r"
    "PID|||77^^^GAM&1.2.250.1.999.1.1&ISO^PI||ESSAI^PAUL^^^^^D||19700101|M\r"
    "PV1||N\r"
)


async def test_messages_are_applied_once(
    services: Services, folder: Path, test_database: Any
) -> None:
    (folder / "a.hl7").write_text(HL7.format(n=1) + HL7.format(n=2).replace("77^", "78^"))
    report = await import_paths(services, [folder])
    assert report.refused == []
    assert report.stored["HL7 v2"] == 2
    assert (await count(test_database))["Patient"] == 2
    (folder / "b.hl7").write_text(HL7.format(n=1))
    again = await import_paths(services, [folder])
    assert again.stored.total() == 0


async def test_a_document_finds_or_makes_its_patient(
    services: Services, folder: Path, test_database: Any
) -> None:
    (folder / "a.xml").write_bytes(document("<text><paragraph>Fièvre</paragraph></text>"))
    report = await import_paths(services, [folder])
    assert report.stored == {"document CDA": 1}
    other = document("<text>Toux</text>").replace(b'extension="77"', b'extension="78"')
    (folder / "b.xml").write_bytes(other)
    await import_paths(services, [folder])
    assert await count(test_database) == {"Patient": 1, "DocumentReference": 2}
    async with services.database.reading() as tx:
        versions = await resources.history(tx, "DocumentReference")
    card = next(v.resource for v in versions if "Fièvre" in v.body)
    attachment = card["content"][0]["attachment"]
    stored = await services.blobs.read(attachment["url"].removeprefix("blob:"))
    assert stored == (folder / "a.xml").read_bytes()


def pdf(text: str) -> bytes:
    from reportlab.pdfgen import canvas

    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, invariant=True)
    page.drawString(72, 700, text)
    page.save()
    return buffer.getvalue()


MAPPING = f"""
identifier_system = "{IPP}"

[pdf]
pattern = '(?P<patient>\\d+)_(?P<date>\\d{{8}})_(?P<title>.+)'
type = "11488-4"

[[csv]]
files = "identites*.csv"
holds = "patients"
[csv.columns]
patient = "IPP"
family = "NOM"
given = "PRENOM"
birth_date = "NAISSANCE"
gender = "SEXE"

[[csv]]
files = "resultats*.csv"
holds = "results"
encoding = "iso-8859-1"
date_form = "%d/%m/%Y %H:%M"
code_system = "http://loinc.org"
[csv.columns]
patient = "IPP"
date = "DATE"
label = "ANALYSE"
code = "LOINC"
value = "VALEUR"
unit = "UNITE"
low = "MIN"
high = "MAX"
"""


async def test_a_legacy_folder_with_its_mapping(
    services: Services, folder: Path, tmp_path: Path, test_database: Any
) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING)
    (folder / "42_20240503_Lettre_de_sortie.pdf").write_bytes(
        pdf("Insuffisance cardiaque gauche, suivi en consultation")
    )
    (folder / "99_20240503_Autre.pdf").write_bytes(pdf("x"))
    (folder / "divers.pdf").write_bytes(pdf("y"))
    (folder / "identites.csv").write_text(
        "IPP;NOM;PRENOM;NAISSANCE;SEXE\n42;ESSAI;ZOE;02/01/1980;F\n43;;;30/02/1980;F\n"
    )
    (folder / "resultats.csv").write_bytes(
        "IPP;DATE;ANALYSE;LOINC;VALEUR;UNITE;MIN;MAX\n"
        "42;03/05/2024 08:30;Kaliémie;2823-3;4,10;mmol/L;3,5;4,5\n"
        "42;03/05/2024 08:30;Aspect;;trouble;;;\n"
        "98;03/05/2024 08:30;Kaliémie;2823-3;4,10;mmol/L;3,5;4,5\n".encode("iso-8859-1")
    )
    first = await import_paths(services, [folder / "identites.csv"], mapping)
    assert first.stored == {"Patient": 1}
    assert "date illisible" in first.refused[0].reason
    report = await import_paths(services, [folder], mapping)
    assert report.stored == {"document": 1, "Observation": 2}
    reasons = {Path(r.file).name + r.place: r.reason for r in report.refused}
    assert "Aucun patient" in reasons["99_20240503_Autre.pdf"]
    assert "pdf.pattern" in reasons["divers.pdf"]
    assert "Aucun patient" in reasons["resultats.csvligne 4"]
    before = await count(test_database)
    again = await import_paths(services, [folder], mapping)
    assert again.stored.total() == 0
    assert await count(test_database) == before
    async with services.database.reading() as tx:
        results = [v.resource for v in await resources.history(tx, "Observation")]
        (letter,) = [v.resource for v in await resources.history(tx, "DocumentReference")]
    potassium = next(r for r in results if r["code"]["text"] == "Kaliémie")
    assert str(potassium["valueQuantity"]["value"]) == "4.10"
    assert potassium["effectiveDateTime"] == "2024-05-03T08:30:00+02:00"
    assert next(r for r in results if r["code"]["text"] == "Aspect")["valueString"] == "trouble"
    assert letter["description"] == "Lettre de sortie"
    assert "Insuffisance cardiaque" in letter["text"]["div"]


@pytest.mark.skipif(tesseract() is None, reason="tesseract is not installed")
async def test_a_scan_becomes_searchable(services: Services, folder: Path, tmp_path: Path) -> None:
    from PIL import Image, ImageDraw, ImageFont

    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING)
    (folder / "a.json").write_text(json.dumps(patient()))
    await import_paths(services, [folder])
    sheet = Image.new("L", (1200, 300), 255)
    font = ImageFont.load_default(60)
    ImageDraw.Draw(sheet).text((40, 100), "Embolie pulmonaire", fill=0, font=font)
    sheet.save(folder / "42_20240503_Scan.png")
    report = await import_paths(services, [folder / "42_20240503_Scan.png"], mapping)
    assert report.stored == {"document": 1}
    async with services.database.reading() as tx:
        (scan,) = [v.resource for v in await resources.history(tx, "DocumentReference")]
    assert "pulmonaire" in scan["text"]["div"].lower()


@pytest.mark.parametrize(
    "wrong",
    [
        "nonsense",
        "identifier_system = 'x'\nzorro = 1",
        "identifier_system = 'x'\n[pdf]\npattern = '('",
        "identifier_system = 'x'\n[pdf]\npattern = 'x'",
        "identifier_system = 'x'\n[[csv]]\nfiles='*'\nholds='zorro'",
        "identifier_system = 'x'\n[[csv]]\nfiles='*'\nholds='patients'\n[csv.columns]\npatient='A'",
        "identifier_system = 'x'\n[[csv]]\nfiles='*'\nholds='patients'\n[csv.columns]\nzorro='A'",
        "[pdf]\npattern = '(?P<patient>x)'",
    ],
)
async def test_a_wrong_mapping_is_refused_as_a_whole(
    services: Services, folder: Path, tmp_path: Path, wrong: str
) -> None:
    (tmp_path / "m.toml").write_text(wrong)
    with pytest.raises(Invalid, match="mapping file"):
        await import_paths(services, [folder], tmp_path / "m.toml")


async def test_unknown_and_damaged_files_are_named(services: Services, folder: Path) -> None:
    (folder / "a.hl7").write_bytes(b"\x00\x01\x02")
    (folder / "README.md").write_text("notes")
    (folder / "b.json.gz").write_bytes(gzip.compress(b'{"resourceType":"Patient"}')[:15])
    (folder / "c.json").write_text('{"resourceType":"Zorro"}')
    (folder / "d.xml").write_text("<ClinicalDocument>")
    (folder / "e.dcm").write_bytes(bytes(128) + b"DICM" + b"x")
    (folder / "f.gz").write_bytes(gzip.compress(bytes(300_000_000)))
    report = await import_paths(services, [folder])
    assert report.stored.total() == 0
    assert [Path(refusal.file).name for refusal in report.refused] == [
        "a.hl7", "b.json.gz", "c.json", "d.xml", "e.dcm", "f.gz",
    ]  # fmt: skip
    assert all(refusal.reason for refusal in report.refused)
    assert [Path(name).name for name in report.unrecognised] == ["README.md"]
    assert "README.md" in report.as_text()


async def test_a_path_that_does_not_exist_is_said(services: Services, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await import_paths(services, [tmp_path / "nowhere"])


@pytest.mark.unit
@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a", bytes(128) + b"DICM", "dicom"),
        ("a", b"MSH|^~\\&|", "hl7v2"),
        ("a", b"\xef\xbb\xbfMSH|", "hl7v2"),
        ("a", b"\n\nFHS|", "hl7v2"),
        ("a.json", b' {"a"', "fhir"),
        ("a.ndjson.gz", b'{"a"', "ndjson"),
        ("a", b"%PDF-1.4", "pdf"),
        ("a.xml", b"<?xml?><ClinicalDocument", "cda"),
        ("a.xml", b"<other", "unknown"),
        ("A.CSV", b"a;b", "csv"),
    ],
)
def test_the_first_bytes_say_what_a_file_is(name: str, head: bytes, kind: str) -> None:
    assert kind_of(name, head) == kind


@pytest.mark.unit
def test_progress_is_shown_without_a_terminal() -> None:
    out = io.StringIO()
    show = for_terminal(out)
    show(0, 2, "a")
    show(2, 2, "")
    assert "2/2" in out.getvalue()


async def test_synthea_comes_in_once_with_its_ids(
    services: Services, shared_data: Path, test_database: Any
) -> None:
    folder = shared_data / "synthea-r4"
    if not folder.is_dir():
        pytest.skip("shared data set 'synthea-r4' not found")
    paths = sorted(folder.glob("*.json.gz"))[:4]
    wanted: dict[tuple[str, str], None] = {}
    for path in paths:
        for entry in json.loads(gzip.decompress(path.read_bytes()))["entry"]:
            wanted[entry["resource"]["resourceType"], entry["resource"]["id"]] = None
    report = await import_paths(services, paths)
    assert report.refused == []
    assert await count(test_database) == Counter(type_ for type_, _ in wanted)
    assert report.stored.total() == len(wanted)
    again = await import_paths(services, paths)
    assert (again.stored.total(), again.known_files) == (0, 4)


async def test_an_interrupted_file_goes_on_where_it_stopped(
    services: Services, folder: Path, test_database: Any
) -> None:
    """Half of a file was stored when the machine went down; the second run stores the rest."""
    half = [json.dumps(patient(f"p{n}", f"{n}")) for n in range(5)]
    whole = [json.dumps(patient(f"p{n}", f"{n}")) for n in range(10)]
    (folder / "half.ndjson").write_text("\n".join(half))
    await import_paths(services, [folder])
    (folder / "half.ndjson").unlink()
    (folder / "whole.ndjson").write_text("\n".join(whole))
    report = await import_paths(services, [folder])
    assert (report.stored["Patient"], report.skipped) == (5, 5)
    assert await count(test_database) == {"Patient": 10}
    async with services.database.reading() as tx:
        versions = await resources.history(tx, "Patient")
    assert {version.version for version in versions} == {1}


async def test_a_corrected_line_replaces_the_earlier_one(
    services: Services, folder: Path, tmp_path: Path
) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        MAPPING.replace('patient = "IPP"\ndate', 'number = "NUM"\npatient = "IPP"\ndate')
    )
    (folder / "a.json").write_text(json.dumps(patient()))
    head = "NUM;IPP;DATE;ANALYSE;LOINC;VALEUR;UNITE;MIN;MAX\n"
    line = "7;42;03/05/2024 08:30;K;2823-3;{};mmol/L;3,5;4,5\n"
    (folder / "resultats1.csv").write_text(head + line.format("4,1"))
    (folder / "resultats2.csv").write_text(head + line.format("5,2"))
    report = await import_paths(services, [folder], mapping)
    assert report.refused == []
    async with services.database.reading() as tx:
        versions = await resources.history(tx, "Observation")
    assert [str(v.resource["valueQuantity"]["value"]) for v in versions] == ["5.2", "4.1"]
