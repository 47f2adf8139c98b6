"""What do the words of one HL7 field mean in FHIR?

One function per HL7 data type (v2.5.1 chapter 2A). All pure; what cannot be understood is left
out, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from liane.base.i18n import HOSPITAL_ZONE
from liane.base.text import visible
from liane.gateways.hl7v2.codec import Repetition

Json = dict[str, Any]

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CODE_SYSTEMS = {
    "LN": LOINC,
    "LOINC": LOINC,
    "SCT": "http://snomed.info/sct",
    "SNM": "http://snomed.info/sct",
    "UCUM": UCUM,
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "CIM10": "http://hl7.org/fhir/sid/icd-10",
    "ATC": "http://www.whocc.no/atc",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "CVX": "http://hl7.org/fhir/sid/cvx",
}
"""HL7 table 0396, the ones met in hospitals."""

INS_TYPES = {
    "1.2.250.1.213.1.4.8": "INS-NIR",
    "1.2.250.1.213.1.4.9": "INS-NIA",
    "1.2.250.1.213.1.4.10": "INS-NIR-TEST",
    "1.2.250.1.213.1.4.11": "INS-NIR-DEMO",
}
_SAME_AS_MR = frozenset({"MRN", "MRNO", "PID", "EPI"})
"""What some senders write for MR, the number of the patient in the establishment."""
_DTM = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)?(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?([+-]\d{4})?"
)


@dataclass(frozen=True, slots=True)
class Source:
    """Who sends, and how its numbers are told apart from those of others."""

    application: str
    facility: str
    authorities: Mapping[str, str]
    partner: str = ""
    establishment: str = ""

    @property
    def scope(self) -> str:
        """The name under which this sender's local numbers are kept."""
        return self.facility or self.application or self.partner or "unknown"

    @property
    def sender(self) -> str:
        """The name that leads its order and result numbers."""
        return self.application or self.partner or "unknown"


_OID = re.compile(r"[0-2](\.(0|[1-9]\d{0,38})){1,60}", re.ASCII)
"""Some senders write ISO next to what is no object identifier."""


def authority(cx: Repetition, component: int, source: Source) -> str:
    """The system of a number given by an assigning authority (HD).

    A namespace that is only a local word ("MRN") belongs to the facility that wrote it: two
    hospitals that both say MRN do not share patients.
    """
    name, universal, kind = (cx.get(component, n) for n in (1, 2, 3))
    for key in (f"{name}&{universal}", name, universal):
        if key and key in source.authorities:
            return source.authorities[key]
    oid = universal.removeprefix("urn:oid:")
    if _OID.fullmatch(oid) and (kind == "ISO" or oid.count(".") > 2):
        return f"urn:oid:{oid}"
    if kind == "UUID":
        return f"urn:uuid:{universal.lower()}"
    if universal:
        return f"urn:liane:hl7v2:authority:{_token(universal)}"
    return f"urn:liane:hl7v2:authority:{_token(source.scope)}:{_token(name)}"


def _token(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:80]


def identifier(cx: Repetition, source: Source) -> Json | None:
    """CX: a number and who gave it."""
    value = visible(cx.get(1))[:200]
    if not value:
        return None
    system = authority(cx, 4, source)
    kind = INS_TYPES.get(system.removeprefix("urn:oid:")) or cx.get(5)
    kind = "MR" if kind.upper() in _SAME_AS_MR else kind
    found: Json = {"system": system, "value": value}
    if kind:
        found["type"] = {"coding": [{"system": _type_system(kind), "code": kind}]}
    if kind.startswith("INS-"):
        found["use"] = "official"
    period = {"start": fhir_date(cx.get(7)), "end": fhir_date(cx.get(8))}
    if any(period.values()):
        found["period"] = {key: value for key, value in period.items() if value}
    return found


def _type_system(kind: str) -> str:
    if kind.startswith("INS-"):
        return "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
    return "http://terminology.hl7.org/CodeSystem/v2-0203"


def entity(ei: Repetition, source: Source, fallback: str) -> Json | None:
    """EI: an order, document or appointment number. Without an authority of its own it belongs
    to the application that gave it.
    """
    value = visible(ei.get(1))[:200]
    if not value:
        return None
    universal, kind = ei.get(3), ei.get(4)
    if kind == "ISO" and _OID.fullmatch(universal):
        return {"system": f"urn:oid:{universal}", "value": value}
    return {"system": fallback, "value": f"{source.sender}|{value}"}


def human_name(xpn: Repetition, use: str, *, french: bool) -> Json | None:
    """XPN: a name. In French messages component 3 repeats all given names of the birth record."""
    family, first = visible(xpn.get(1)), visible(xpn.get(2))
    if not family and not first:
        return None
    others = visible(xpn.get(3))
    name: Json = {"use": use}
    if family:
        name["family"] = family
    given = [first] if first else []
    if others and french:
        name["extension"] = [{"url": BIRTH_GIVEN_NAMES, "valueString": others}]
    elif others:
        given.append(others)
    if given:
        name["given"] = given
    for component, part in ((5, "prefix"), (4, "suffix")):
        if text := visible(xpn.get(component)):
            name[part] = [text]
    return name


BIRTH_GIVEN_NAMES = (
    "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-birth-list-given-name"
)
_NAME_USES = {"L": "official", "D": "usual", "M": "maiden", "N": "nickname", "S": "anonymous"}


def name_use(xpn: Repetition) -> str:
    """XPN-7 as a FHIR use: L is the birth name in France, D the name of everyday life."""
    return _NAME_USES.get(xpn.get(7).upper(), "official" if not xpn.get(7) else "old")


def address(xad: Repetition) -> Json | None:
    """XAD: where somebody lives (never the place of birth, which has its own extension)."""
    lines = [visible(xad.get(n)) for n in (1, 2)]
    found: Json = {
        "line": [line for line in lines if line],
        "city": visible(xad.get(3)),
        "state": visible(xad.get(4)),
        "postalCode": visible(xad.get(5)),
        "country": visible(xad.get(6)),
    }
    found = {key: value for key, value in found.items() if value}
    if found:
        use = {"H": "home", "O": "work", "B": "work", "C": "temp", "BA": "old"}.get(xad.get(7))
        if use:
            found["use"] = use
    return found or None


def telecom(xtn: Repetition) -> Json | None:
    """XTN: a telephone number or an electronic address."""
    kind, use = xtn.get(3), xtn.get(2)
    value = visible(xtn.get(12) or xtn.get(1))
    if (mail := visible(xtn.get(4))) and (not value or kind in {"Internet", "X.400"}):
        return {"system": "email", "value": mail}
    if not value and xtn.get(7):
        value = "".join(visible(xtn.get(n)) for n in (5, 6, 7))
    if not value:
        return None
    system = {"FX": "fax", "BP": "pager", "Internet": "email"}.get(kind, "phone")
    found = {"system": system, "value": value}
    if kind == "CP":
        found["use"] = "mobile"
    elif use in {"PRN", "WPN"}:
        found["use"] = "home" if use == "PRN" else "work"
    return found


def professional(xcn: Repetition, source: Source) -> Json | None:
    """XCN: a professional, named and numbered as the sender does; a logical reference."""
    if not xcn.text:
        return None
    number, family, given = (visible(xcn.get(n)) for n in (1, 2, 3))
    display = " ".join(part for part in (visible(xcn.get(6)), given, family) if part)
    if not number and not display:
        return None
    found: Json = {}
    if number:
        found["identifier"] = {"system": authority(xcn, 9, source), "value": number}
    if display:
        found["display"] = display
    return found


def concept(cwe: Repetition, source: Source) -> Json | None:
    """CE, CNE, CWE: a code, its words, and an alternate code."""
    if not cwe.text:
        return None
    codings: list[Json] = []
    for start in (1, 4):
        code = visible(cwe.get(start))
        if code:
            text, system = visible(cwe.get(start + 1)), visible(cwe.get(start + 2))
            coding = {"system": code_system(system, source), "code": code}
            codings.append(coding | {"display": text} if text else coding)
    text = visible(cwe.get(9) or cwe.get(2) or cwe.get(5))
    found: Json = {}
    if codings:
        found["coding"] = codings
    if text:
        found["text"] = text
    elif codings:
        found["text"] = codings[0]["code"]
    return found or None


def code_system(name: str, source: Source) -> str:
    """The address of a coding system named as in HL7 table 0396; local ones by their sender."""
    known = CODE_SYSTEMS.get(name.upper())
    if known:
        return known
    if re.fullmatch(r"[0-2](\.\d+){3,}", name):
        return f"urn:oid:{name}"
    if re.fullmatch(r"HL7\d{4}", name, re.IGNORECASE):
        return f"http://terminology.hl7.org/CodeSystem/v2-{name[3:]}"
    local = _token(name) if name and not re.fullmatch(r"L|99\w{0,10}", name) else ""
    return "urn:liane:hl7v2:code:" + ":".join(filter(None, (_token(source.sender), local)))


def instant(text: str) -> datetime | None:
    """DTM as an aware instant; the hospital's time zone when the sender gives none. None when
    it is not a date, or holds less than a day.
    """
    found = _DTM.fullmatch(text.strip())
    if found is None or not found.group(3):
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        naive = datetime(  # noqa: DTZ001 - the zone is added below
            int(year), int(month), int(day), int(hour or 0), int(minute or 0),
            min(int(second or 0), 59), int((fraction or "").ljust(6, "0")),
        )  # fmt: skip
        zoned = naive.replace(tzinfo=_zone(offset) or HOSPITAL_ZONE)
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(offset: str | None) -> timezone | None:
    if not offset:
        return None
    delta = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
    return timezone(-delta if offset[0] == "-" else delta)


def fhir_datetime(text: str) -> str | None:
    """DTM as a FHIR dateTime, with the precision the sender gave."""
    found = _DTM.fullmatch(text.strip())
    if found is None:
        return None
    if not found.group(4):
        return fhir_date(text)
    at = instant(text)
    return None if at is None else fhir_instant(at)


def fhir_instant(at: datetime) -> str:
    """An aware instant as a FHIR instant, in the hospital's time."""
    local = at.astimezone(HOSPITAL_ZONE)
    return local.isoformat(timespec="milliseconds" if local.microsecond else "seconds")


def fhir_date(text: str) -> str | None:
    """DT or the day of a DTM as a FHIR date: year, month or day as far as it is known."""
    found = _DTM.fullmatch(text.strip())
    if found is None or found.group(1) == "0000":
        return None
    year, month, day = found.group(1, 2, 3)
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    return "-".join(part for part in (year, month, day) if part)


def without_empty(resource: Json) -> Json:
    """The resource without elements that say nothing."""
    return {key: value for key, value in resource.items() if value not in (None, "", [], {})}
