"""Promise: a CDA document says whom, what, when and by whom; the French samples read in full."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from liane.base.errors import Invalid
from liane.gateways.cda import parse
from liane.gateways.cda.codec import Instance, fhir_time
from liane.gateways.cda.render import embedded_pdf
from tests.gateways.cda.samples import document, to_html

pytestmark = pytest.mark.unit


def test_header_facts() -> None:
    read = parse(document("<text><paragraph>Bonjour</paragraph></text>"))
    assert read.id is not None
    assert read.id.uri == "urn:oid:1.2.3.4^77"
    assert read.replaces == Instance("1.2.3.4", "76")
    assert read.code is not None
    assert (read.code.code, read.code.system) == ("11488-4", "http://loinc.org")
    assert (read.title, read.created) == ("Compte rendu", "2024-05-03T10:11:00+02:00")
    (patient,) = read.patients
    assert patient.identifiers[0] == Instance("1.2.250.1.213.1.4.10", "279035121518989")
    assert (patient.name.family, patient.name.given) == ("ESSAI", "ZOE MARIE")
    assert (patient.name.used_family, patient.name.used_given) == ("MODELE", "Zoé")
    assert (patient.gender, patient.birth) == ("female", "1980-01-02")
    (author,) = read.authors
    assert (author.name, author.organization) == ("Dr Paul FICTIF", "Hôpital d’essai")
    assert read.text == "Motif\nBonjour"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240503", "2024-05-03"),
        ("202405", "2024-05"),
        ("2024", "2024"),
        ("20240503101112+0200", "2024-05-03T10:11:12+02:00"),
        ("202405031011Z", "2024-05-03T10:11:00+00:00"),
        ("20240503101112.5+0200", "2024-05-03T10:11:12+02:00"),
        ("20240503101112", "2024-05-03"),
        ("20241399", ""),
        ("hier", ""),
        ("", ""),
    ],
)
def test_times(text: str, expected: str) -> None:
    assert fhir_time(text) == expected


def test_an_embedded_pdf_is_taken_out() -> None:
    pdf = base64.b64encode(b"%PDF-1.4 essai").decode()
    body = f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{pdf}</text></nonXMLBody>'
    data = document(body=body)
    assert parse(data).attachment == ("application/pdf", b"%PDF-1.4 essai")
    assert "fichier PDF" in to_html(data)
    assert embedded_pdf(data) == b"%PDF-1.4 essai"
    assert embedded_pdf(document("<text>x</text>")) is None
    assert embedded_pdf(b"nonXMLBody") is None


def test_damaged_base64_is_refused() -> None:
    body = (
        '<nonXMLBody><text mediaType="application/pdf" representation="B64">%%%</text></nonXMLBody>'
    )
    with pytest.raises(Invalid):
        parse(document(body=body))


@pytest.mark.parametrize("data", [b"", b"<a/>", b"MSH|", b"<ClinicalDocument/>"])
def test_what_is_no_cda_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse(data)
    assert "cda-unreadable" in to_html(data)


def test_a_document_within_its_own_style_sheet_is_read_and_nothing_is_run() -> None:
    inner = document("<text>Bonjour</text>").partition(b"?>")[2]
    sheet = (
        b'<?xml version="1.0"?><xsl:stylesheet version="1.0" '
        b'xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
        b"<script>x</script></xsl:template>" + inner + b"</xsl:stylesheet>"
    )
    assert parse(sheet).title == "Compte rendu"
    assert "<script" not in to_html(sheet)


def test_all_french_samples_read_in_full(shared_data: Path) -> None:
    folder = shared_data / "cda-fr-3.0"
    if not folder.is_dir():
        pytest.skip("shared data set 'cda-fr-3.0' not found")
    files = sorted(folder.rglob("*.xml"))
    for path in files:
        read = parse(path.read_bytes())
        assert read.id, path.name
        assert read.title, path.name
        assert read.created, path.name
        assert read.code, path.name
        assert read.custodian, path.name
        assert read.authors, path.name
        assert read.patients[0].name.family, path.name
        assert read.patients[0].birth, path.name
        assert read.text or read.attachment, path.name
        html = to_html(path.read_bytes())
        words = " ".join(html.split())
        assert "<script" not in words, path.name
        assert "http-equiv" not in words, path.name
    assert len(files) >= 41


@pytest.mark.parametrize("name", ["ccda-vendors", "ccda-microsoft", "ccda-hl7-examples"])
def test_american_samples_are_shown_or_said_to_be_unreadable(shared_data: Path, name: str) -> None:
    folder = shared_data / name
    if not folder.is_dir():
        pytest.skip(f"shared data set {name!r} not found")
    shown = 0
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".xml", ".ccda"):
            html = to_html(path.read_bytes())
            assert "<script" not in html, path.name
            shown += "cda-unreadable" not in html
    assert shown >= {"ccda-vendors": 16, "ccda-microsoft": 7}.get(name, 1)
