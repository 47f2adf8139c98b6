"""What does a CDA document say of itself: which one, about whom, by whom, when, with what inside?

CDA Release 2 header and body (CI-SIS structuration minimale). Missing parts are empty: an old or
foreign document is read as far as it goes, and refused only when it is no CDA at all.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lxml.etree import _Element as Element

from liane.base import safe_xml
from liane.base.errors import Invalid
from liane.base.text import visible

NS = "{urn:hl7-org:v3}"
_XSLT = "{http://www.w3.org/1999/XSL/Transform}"
LIMIT_BYTES = 64 * 1024 * 1024
LIMIT_TEXT_CHARACTERS = 200_000
_TIME = re.compile(
    r"(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:\.(\d{1,6})\d*)?([+-]\d{4}|Z)?"
)
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance identifier: root OID (or UUID) and extension."""

    root: str
    extension: str

    @property
    def uri(self) -> str:
        """`urn:oid:root`, or `urn:oid:root^extension`, as a document's unique identifier."""
        return f"urn:oid:{self.root}" + (f"^{self.extension}" if self.extension else "")


@dataclass(frozen=True, slots=True)
class PersonName:
    """The names of a person; for a French patient, birth name and used name apart."""

    family: str = ""
    given: str = ""
    used_family: str = ""
    used_given: str = ""
    prefix: str = ""

    @property
    def shown(self) -> str:
        """As one line: title, given names, family name."""
        parts = (self.prefix, self.used_given or self.given, self.used_family or self.family)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Patient:
    """The record target: whom the document is about."""

    identifiers: tuple[Instance, ...]
    name: PersonName
    gender: str
    """`male`, `female`, `other` or empty."""
    birth: str
    """FHIR date, possibly partial."""
    birth_place: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote it, where, when (FHIR dateTime)."""

    name: str
    organization: str
    time: str


@dataclass(frozen=True, slots=True)
class Code:
    """A code with its system as URI (`http://loinc.org` for LOINC) and words."""

    code: str
    system: str
    display: str


@dataclass(frozen=True, slots=True)
class ClinicalDocument:
    """One document taken apart. `root` is the parsed tree, for rendering."""

    root: Element
    id: Instance | None
    set_id: Instance | None
    version: str
    replaces: Instance | None
    code: Code | None
    title: str
    created: str
    confidentiality: str
    language: str
    patients: tuple[Patient, ...]
    authors: tuple[Author, ...]
    custodian: str
    serviced: tuple[str, str]
    """Start and end of the act documented (FHIR dateTimes, possibly empty)."""
    attachment: tuple[str, bytes] | None
    """Media type and bytes of a body that is not XML."""

    @property
    def text(self) -> str:
        """The words of the body, for search."""
        body = self.root.find(f"{NS}component/{NS}structuredBody")
        if body is None:
            return ""
        pieces = (spaced("".join(e.itertext())) for e in body.iter(f"{NS}title", f"{NS}text"))
        return "\n".join(piece for piece in pieces if piece)[:LIMIT_TEXT_CHARACTERS]


def looks_like_cda(data: bytes) -> bool:
    """Whether the bytes begin like an XML ClinicalDocument."""
    head = data[:8192].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and b"ClinicalDocument" in head


def parse(data: bytes, *, limit_bytes: int = LIMIT_BYTES) -> ClinicalDocument:
    """Take a document apart. Raises `Invalid` for hostile or malformed XML and for other XML."""
    root = safe_xml.parse(data, limit_bytes=limit_bytes, style_sheets=True)
    if root.tag == f"{_XSLT}stylesheet":
        inside = root.find(f".//{NS}ClinicalDocument")
        root = root if inside is None else inside
    if root.tag != f"{NS}ClinicalDocument":
        raise Invalid(
            "cda.not-a-document",
            "Ce fichier XML n’est pas un document CDA.",
            "This XML file is not a CDA document.",
        )
    return ClinicalDocument(
        root=root,
        id=_instance(root.find(f"{NS}id")),
        set_id=_instance(root.find(f"{NS}setId")),
        version=_attribute(root.find(f"{NS}versionNumber"), "value"),
        replaces=_replaced(root),
        code=_code(root.find(f"{NS}code")),
        title=_words(root, "title"),
        created=fhir_time(_attribute(root.find(f"{NS}effectiveTime"), "value")),
        confidentiality=_attribute(root.find(f"{NS}confidentialityCode"), "code"),
        language=_attribute(root.find(f"{NS}languageCode"), "code"),
        patients=tuple(map(_patient, root.iterfind(f"{NS}recordTarget/{NS}patientRole"))),
        authors=tuple(map(_author, root.iterfind(f"{NS}author"))),
        custodian=_custodian(root),
        serviced=_serviced(root),
        attachment=_attachment(root),
    )


def spaced(text: str) -> str:
    """One line of visible characters."""
    return _BLANKS.sub(" ", visible(text)).strip()


def fhir_time(text: str) -> str:
    """An HL7 timestamp (TS) as a FHIR date or dateTime; empty when it is none.

    A time without a zone loses its time of day: FHIR has no dateTime without a zone.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return ""
    year, month, day, hour, minute, second, _, zone = match.groups()
    date = "-".join(part for part in (year, month, day) if part)
    zone = "+0000" if zone == "Z" else zone
    if not (day and hour and minute and zone):
        return date if _is_real(date) else ""
    told = f"{date}T{hour}:{minute}:{second or '00'}{zone[:3]}:{zone[3:]}"
    return told if _is_real(told) else ""


def _is_real(text: str) -> bool:
    try:
        datetime.fromisoformat((text + "-01-01")[:10] if len(text) < 10 else text)
    except ValueError:
        return False
    return True


def _attribute(element: Element | None, name: str) -> str:
    return "" if element is None else spaced(element.get(name) or "")


def _words(element: Element | None, path: str) -> str:
    found = None if element is None else element.find("/".join(NS + p for p in path.split("/")))
    return "" if found is None else spaced("".join(found.itertext()))


def _instance(element: Element | None) -> Instance | None:
    root = _attribute(element, "root").removeprefix("urn:oid:")
    return Instance(root, _attribute(element, "extension")) if root else None


_SYSTEMS = {"2.16.840.1.113883.6.1": "http://loinc.org", "2.16.840.1.113883.6.96": "http://snomed.info/sct"}  # fmt: skip  # noqa: E501


def _code(element: Element | None) -> Code | None:
    code = _attribute(element, "code")
    system = _attribute(element, "codeSystem")
    if not code:
        return None
    uri = _SYSTEMS.get(system, f"urn:oid:{system}" if system else "")
    return Code(code, uri, _attribute(element, "displayName"))


def _replaced(root: Element) -> Instance | None:
    for related in root.iterfind(f"{NS}relatedDocument"):
        if related.get("typeCode") == "RPLC":
            return _instance(related.find(f"{NS}parentDocument/{NS}id"))
    return None


_GENDERS = {"M": "male", "F": "female", "UN": "other", "U": "unknown"}


def _patient(role: Element) -> Patient:
    person = role.find(f"{NS}patient")
    gender = None if person is None else person.find(f"{NS}administrativeGenderCode")
    birth = None if person is None else person.find(f"{NS}birthTime")
    found = (_instance(element) for element in role.iterfind(f"{NS}id"))
    return Patient(
        identifiers=tuple(one for one in found if one is not None and one.extension),
        name=_name(None if person is None else person.find(f"{NS}name")),
        gender=_GENDERS.get(_attribute(gender, "code"), ""),
        birth=fhir_time(_attribute(birth, "value"))[:10],
        birth_place=_words(person, "birthplace/place/addr/city"),
    )


def _name(element: Element | None) -> PersonName:
    if element is None:
        return PersonName()
    parts: dict[str, str] = {}
    for child in element:
        kind = str(child.tag).removeprefix(NS)
        qualifiers = (child.get("qualifier") or "").split()
        words = spaced("".join(str(t) for t in child.itertext()))
        if kind in ("family", "given") and "CL" in qualifiers:
            parts.setdefault(f"used_{kind}", words)
        elif kind == "given" and "BR" in qualifiers:
            parts.setdefault("first_given", words)
        elif kind == "given":
            parts["given"] = f"{parts.get('given', '')} {words}".strip()
        else:
            parts.setdefault(kind, words)
    parts.setdefault("given", parts.get("first_given", ""))
    known = {key: parts.get(key, "") for key in PersonName.__slots__}
    if not any(known.values()):
        known["family"] = spaced("".join(element.itertext()))
    return PersonName(**known)


def _author(element: Element) -> Author:
    assigned = element.find(f"{NS}assignedAuthor")
    person = None if assigned is None else assigned.find(f"{NS}assignedPerson/{NS}name")
    device = _words(assigned, "assignedAuthoringDevice/softwareName")
    return Author(
        name=_name(person).shown or device,
        organization=_words(assigned, "representedOrganization/name"),
        time=fhir_time(_attribute(element.find(f"{NS}time"), "value")),
    )


def _custodian(root: Element) -> str:
    path = "custodian/assignedCustodian/representedCustodianOrganization/name"
    return _words(root, path)


def _serviced(root: Element) -> tuple[str, str]:
    time = root.find(f"{NS}documentationOf/{NS}serviceEvent/{NS}effectiveTime")
    if time is None:
        return "", ""
    low = _attribute(time.find(f"{NS}low"), "value") or _attribute(time, "value")
    return fhir_time(low), fhir_time(_attribute(time.find(f"{NS}high"), "value"))


def _attachment(root: Element) -> tuple[str, bytes] | None:
    text = root.find(f"{NS}component/{NS}nonXMLBody/{NS}text")
    if text is None:
        return None
    media = _attribute(text, "mediaType") or "text/plain"
    content = "".join(_strings(text))
    if (text.get("representation") or "").upper() != "B64":
        return media, content.encode()
    return media, decoded(content)


def decoded(text: str) -> bytes:
    """Base64 as CDA carries it, blanks allowed. Raises `Invalid`."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(
            "cda.base64",
            "Le contenu joint de ce document est abîmé (base64).",
            "The content attached to this document is damaged (base64).",
        ) from None


def _strings(element: Element) -> Iterator[str]:
    for piece in element.itertext():
        yield str(piece)
