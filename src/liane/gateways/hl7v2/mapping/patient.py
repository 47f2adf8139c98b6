"""Who is the patient this message speaks of (PID, PD1, NK1, ROL, ZFD)?"""

from __future__ import annotations

from typing import Any

from liane.base.text import visible
from liane.gateways.hl7v2.codec import Message, Repetition, Segment
from liane.gateways.hl7v2.mapping.datatypes import (
    INS_TYPES,
    Source,
    address,
    fhir_date,
    fhir_datetime,
    human_name,
    identifier,
    name_use,
    professional,
    telecom,
    without_empty,
)
from liane.rooms.patients import Identifier

Json = dict[str, Any]

STATUS = "https://liane.example/fhir/identity-status"
ATTRIBUTE = "https://liane.example/fhir/identity-attribute"
PROTECTED = "https://liane.example/fhir/protected-identity"
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
INSEE_CODE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
COG = "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
LUNAR = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-lunar-date"
INS_OIDS = frozenset(INS_TYPES)
MATCHING_TYPES = frozenset({"", "PI", "MR", "PT", "PE", "IPP", "INS"})
"""Kinds of number that belong to one person for ever (HL7 table 0203)."""
_GENDERS = {"F": "female", "M": "male", "O": "other", "A": "other", "U": "unknown", "N": "other"}
_MARITAL = {"S": "S", "M": "M", "D": "D", "W": "W", "A": "L", "C": "L", "P": "T", "U": "UNK"}
_STATUSES = {"VALI": "validee", "PROV": "provisoire", "RECD": "recuperee", "QUAL": "qualifiee"}
_ATTRIBUTES = {"DOUB": "douteuse", "DOUT": "douteuse", "FICT": "fictive", "HOMD": "homonyme",
               "HOMA": "homonyme", "HOMO": "homonyme"}  # fmt: skip


def identifiers(pid: Segment, source: Source) -> list[Json]:
    """Every number of PID-3, or of PID-2 in older messages."""
    found = [identifier(cx, source) for cx in pid.repetitions(3)]
    if not any(found):
        found = [identifier(cx, source) for cx in pid.repetitions(2)]
    unique = {(i["system"], i["value"]): i for i in found if i}
    return list(unique.values())


def matching(numbers: list[Json]) -> list[Identifier]:
    """The numbers that may tell which patient this is."""
    return [
        Identifier(number["system"], number["value"], _type_of(number) or "PI")
        for number in numbers
        if _type_of(number) in MATCHING_TYPES or _type_of(number).startswith("INS-")
    ]


def _type_of(number: Json) -> str:
    codings = number.get("type", {}).get("coding", [])
    return str(codings[0]["code"]) if codings else ""


def patient(message: Message, pid: Segment, source: Source) -> Json:
    """The Patient resource that PID and its neighbours describe."""
    numbers = identifiers(pid, source)
    french = message.header.get(17) == "FRA" or source.establishment != ""
    resource: Json = {
        "resourceType": "Patient",
        "identifier": [_ranked(number) for number in numbers],
        "name": _names(pid, french=french),
        "gender": _GENDERS.get(pid.get(8).upper()),
        "birthDate": fhir_date(pid.get(7)[:8]),
        "address": _present(address(x) for x in pid.repetitions(11) if not _is_birth_place(x)),
        "telecom": _present(telecom(x) for n in (13, 14, 40) for x in pid.repetitions(n)),
        "maritalStatus": _marital(pid.get(16)),
        "generalPractitioner": _general_practitioners(message, source),
        "contact": _contacts(message),
        "extension": _extensions(message, pid, numbers),
    }
    resource.update(_death(pid))
    resource.update(_multiple_birth(pid))
    pd1 = message.segment("PD1")
    if pd1 is not None and pd1.get(12) == "Y":
        resource["meta"] = {"security": [_restricted()]}
        resource["extension"].append({"url": PROTECTED, "valueBoolean": True})
    return without_empty(resource)


def _ranked(number: Json) -> Json:
    """Numbers that name a stay or a card are kept but never used to find a person."""
    kind = _type_of(number)
    known = kind in MATCHING_TYPES or kind.startswith("INS-")
    return number if known else {**number, "use": "secondary"}


def _restricted() -> Json:
    return {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}


def _present(items: Any) -> list[Json]:
    return [item for item in items if item]


def _names(pid: Segment, *, french: bool) -> list[Json]:
    names: dict[str, Json] = {}
    for xpn in pid.repetitions(5):
        use = name_use(xpn)
        name = human_name(xpn, use, french=french)
        if name:
            names.setdefault(use, name)
    return list(names.values())


def _is_birth_place(xad: Repetition) -> bool:
    return xad.get(7).upper() in {"BDL", "N", "BR"}


def _marital(code: str) -> Json | None:
    known = _MARITAL.get(code.upper())
    if known is None:
        return {"text": visible(code)} if code else None
    system = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
    if known == "UNK":
        system = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
    return {"coding": [{"system": system, "code": known}]}


def _death(pid: Segment) -> Json:
    at = fhir_datetime(pid.get(29))
    if at:
        return {"deceasedDateTime": at}
    told = pid.get(30).upper()
    return {"deceasedBoolean": True} if told == "Y" else {}


def _multiple_birth(pid: Segment) -> Json:
    order = pid.get(25)
    if order.isascii() and order.isdigit() and pid.get(24).upper() == "Y":
        return {"multipleBirthInteger": int(order)}
    return {"multipleBirthBoolean": True} if pid.get(24).upper() == "Y" else {}


def _general_practitioners(message: Message, source: Source) -> list[Json]:
    """ROL with the role ODRP: the doctor the patient has declared (PAM.fr)."""
    doctors = [
        professional(xcn, source)
        for rol in message.all("ROL")
        if rol.get(3) in {"ODRP", "PP", "FHCP"}
        for xcn in rol.repetitions(4)
    ]
    return _present(doctors)


def _contacts(message: Message) -> list[Json]:
    contacts = []
    for nk1 in message.all("NK1"):
        name = human_name(nk1.first(2), "usual", french=False)
        link = visible(nk1.get(3, 2) or nk1.get(3))
        contact = without_empty(
            {
                "relationship": [{"text": link}] if link else [],
                "name": name,
                "telecom": _present(telecom(x) for n in (5, 6) for x in nk1.repetitions(n)),
                "address": address(nk1.first(4)),
            }
        )
        if name or contact.get("telecom"):
            contacts.append(contact)
    return contacts


def _extensions(message: Message, pid: Segment, numbers: list[Json]) -> list[Json]:
    found = _birth_place(pid) + _status(pid, numbers)
    zfd = message.segment("ZFD")
    if zfd is not None:
        found += _reliability(zfd)
    return found


def _birth_place(pid: Segment) -> list[Json]:
    """PID-11 of type BDL: the COG code stands in XAD-9, the town's name in XAD-3."""
    for xad in pid.repetitions(11):
        if not _is_birth_place(xad):
            continue
        code, city = visible(xad.get(9)), visible(xad.get(3))
        place: Json = {}
        if code:
            place["extension"] = [{"url": INSEE_CODE, "valueCoding": {"system": COG, "code": code}}]
        if city:
            place["city"] = city
        if place:
            return [{"url": BIRTH_PLACE, "valueAddress": place}]
    return []


def _status(pid: Segment, numbers: list[Json]) -> list[Json]:
    """PID-32 in the words of the RNIV: validated with an INS is *qualifiée*."""
    codes = [r.get(1).upper() for r in pid.repetitions(32)]
    ins = any(_type_of(number).startswith("INS-") for number in numbers)
    told = next((_STATUSES[code] for code in codes if code in _STATUSES), None)
    if told == "validee" and ins:
        told = "qualifiee"
    found = [{"url": STATUS, "valueCode": told}] if told else []
    attributes = dict.fromkeys(_ATTRIBUTES[code] for code in codes if code in _ATTRIBUTES)
    return found + [{"url": ATTRIBUTE, "valueCode": attribute} for attribute in attributes]


def _reliability(zfd: Segment) -> list[Json]:
    """ZFD: the lunar birth date, and how and when the INS was obtained."""
    found: list[Json] = []
    parts = [zfd.get(1, n) for n in (1, 2, 3)]
    lunar = "/".join(part for part in parts if part)
    if lunar:
        found.append({"url": LUNAR, "valueString": visible(lunar)})
    inner: list[Json] = []
    if method := visible(zfd.get(5)):
        inner.append({"url": "methodCollection", "valueCode": method})
    if day := fhir_date(zfd.get(6)):
        inner.append({"url": "dateCollection", "valueDate": day})
    if inner:
        found.append({"url": RELIABILITY, "extension": inner})
    return found
