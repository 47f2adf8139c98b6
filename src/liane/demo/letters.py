"""How does a letter of the ward look, as a PDF and inside a CDA document?"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from html import escape
from io import BytesIO

from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas

from liane.demo.course import story_of
from liane.demo.group import Unit
from liane.demo.hl7 import ZONE, timestamp
from liane.demo.identity import INS_TEST_OID
from liane.demo.people import Person
from liane.demo.staff import Colleague, doctors_of
from liane.demo.tables import table

DOCUMENT_ARC = "1.2.250.1.999.4"
EMERGENCY_REPORT = ("59258-4", "Compte rendu de passage aux urgences")
CONSULTATION = ("11488-4", "Compte rendu de consultation")
DISCHARGE = ("11490-0", "Lettre de liaison à la sortie")
IMAGING_REPORT = ("18748-4", "Compte rendu d'imagerie")
LEFT, WIDTH, LINE = 62, 470, 14.5
FOLLOW_UP = (
    "Consultation de contrôle à prévoir avec le médecin traitant. Reconsulter en cas de fièvre,"
    " de douleur ou de gêne respiratoire."
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter: its number, kind (LOINC code and title), person, unit, time and paragraphs."""

    number: str
    kind: tuple[str, str]
    person: Person
    unit: Unit
    at: datetime
    paragraphs: tuple[tuple[str, str], ...]

    @property
    def author(self) -> Colleague:
        """The doctor who signs."""
        return doctors_of(self.unit.code)[0]

    @property
    def unique_id(self) -> str:
        """The id of the document, as an OID: digits only, no part begins with 0."""
        return f"{DOCUMENT_ARC}.{self.unit.establishment.number}.{int(self.number)}"


def story_letter(
    number: str, kind: tuple[str, str], person: Person, unit: Unit, story: str, at: datetime
) -> Letter:
    """The letter that a story calls for."""
    row = story_of(story)
    medicines = [table("medicines")[name] for name in row.get("medicines", [])]
    treatment = ", ".join(f"{one['label']} {one['dose'][0]} {one['dose'][1]}" for one in medicines)
    past = ", ".join(table("backgrounds")[key]["label"].lower() for key in person.background)
    told = (
        ("Motif", row["label"] + "."),
        ("Antécédents", f"{past[:1].upper()}{past[1:]}." if past else "Pas d'antécédent notable."),
        ("Allergies", _allergies(person)),
        ("Histoire et évolution", row["letter"]),
        ("Traitement", f"{treatment}." if treatment else "Aucun traitement."),
        (
            "Conclusion",
            FOLLOW_UP,
        ),
    )
    return Letter(number, kind, person, unit, at, told)


def pdf_of(letter: Letter) -> bytes:
    """The letter as one A4 page; the same letter gives the same bytes."""
    buffer = BytesIO()
    page = Canvas(buffer, pagesize=A4, invariant=1)
    page.setTitle(f"{letter.kind[1]} - {letter.person.family}")
    page.setAuthor(letter.author.name)
    _heading(page, letter)
    height = 640.0
    for title, text in letter.paragraphs:
        page.setFont("Helvetica-Bold", 10.5)
        page.drawString(LEFT, height, title)
        height -= LINE
        page.setFont("Helvetica", 10.5)
        for line in simpleSplit(text, "Helvetica", 10.5, WIDTH):
            page.drawString(LEFT, height, line)
            height -= LINE
        height -= 8
    page.drawString(LEFT + 280, height - 20, letter.author.name)
    page.setFont("Helvetica", 8)
    page.drawString(LEFT, 42, "Document de démonstration : personne et faits imaginaires.")
    page.showPage()
    page.save()
    return buffer.getvalue()


def _heading(page: Canvas, letter: Letter) -> None:
    person, home = letter.person, letter.unit.establishment
    page.setFont("Helvetica-Bold", 13)
    page.drawString(LEFT, 790, home.name)
    page.setFont("Helvetica", 10)
    page.drawString(LEFT, 774, letter.unit.name)
    page.drawString(LEFT, 760, f"{letter.author.name} - RPPS {letter.author.rpps}")
    page.drawRightString(LEFT + WIDTH, 774, f"{letter.at.astimezone(ZONE):%d/%m/%Y à %H:%M}")
    page.setFont("Helvetica-Bold", 15)
    page.drawString(LEFT, 716, letter.kind[1])
    page.setFont("Helvetica", 10.5)
    used = f" (nom utilisé : {person.used_family})" if person.used_family else ""
    page.drawString(LEFT, 694, f"{person.family}{used} {' '.join(person.given)}")
    ins = f" - INS {person.ins}" if person.ins else ""
    page.drawString(
        LEFT, 679, f"{person.sex} - {person.birth:%d/%m/%Y} - IPP {person.ipps[home.id]}{ins}"
    )
    page.line(LEFT, 666, LEFT + WIDTH, 666)


def _allergies(person: Person) -> str:
    if person.allergies is None:
        return "Non renseignées."
    if not person.allergies:
        return "Aucune allergie connue."
    return (
        "; ".join(f"{one.substance} ({one.reaction}, {one.year})" for one in person.allergies) + "."
    )


def cda_of(letter: Letter) -> bytes:
    """The letter as a CDA R2 document of level 1: a header, and the PDF as its body."""
    person, home, author = letter.person, letter.unit.establishment, letter.author
    root, given = "1.2.250.1.71.4.2.1", escape(person.first_name)
    ins = f'<id root="{INS_TEST_OID}" extension="{person.ins}"/>' if person.ins else ""
    content = base64.b64encode(pdf_of(letter)).decode("ascii")
    code, title = letter.kind[0], escape(letter.kind[1])
    gender = f'<administrativeGenderCode code="{person.sex}" codeSystem="2.16.840.1.113883.5.1"/>'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>
<id root="{letter.unique_id}"/>
<code code="{code}" codeSystem="2.16.840.1.113883.6.1" displayName="{title}"/>
<title>{title}</title><effectiveTime value="{timestamp(letter.at)}"/>
<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="fr-FR"/>
<recordTarget><patientRole>{ins}<id root="{home.ipp_oid}" extension="{person.ipps[home.id]}"/>
<patient><name><given>{given}</given><family qualifier="BR">{escape(person.family)}</family></name>
{gender}<birthTime value="{person.birth:%Y%m%d}"/></patient></patientRole></recordTarget>
<author><time value="{timestamp(letter.at)}"/><assignedAuthor>
<id root="{root}" extension="{author.rpps}"/><assignedPerson><name>
<given>{escape(author.given)}</given><family>{escape(author.family)}</family></name>
</assignedPerson></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization>
<id root="1.2.250.1.71.4.2.2" extension="1{home.finess}"/><name>{escape(home.name)}</name>
</representedCustodianOrganization></assignedCustodian></custodian>
<component><nonXMLBody><text mediaType="application/pdf" representation="B64">{content}</text>
</nonXMLBody></component></ClinicalDocument>
""".encode()
