"""With which words and systems does the demonstration write FHIR resources?

Small pieces that every builder shares: codings, references, identifiers, times.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

Resource = dict[str, Any]

LIANE = "https://liane.example/fhir"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ATC = "http://www.whocc.no/atc"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition"
FR_V2_0203 = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
COG = "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
RPPS = "https://rpps.esante.gouv.fr"
FINESS = "https://finess.esante.gouv.fr"


def instant(at: datetime) -> str:
    """A moment as FHIR writes it, to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(at: date) -> str:
    """A day as FHIR writes it."""
    return f"{at:%Y-%m-%d}"


def concept(text: str, system: str = "", code: str = "") -> Resource:
    """A CodeableConcept: its words and, when known, its code."""
    found: Resource = {"text": text}
    if code:
        found["coding"] = [{"system": system, "code": code, "display": text}]
    return found


def coded(system: str, code: str) -> Resource:
    """A CodeableConcept that is only a code."""
    return {"coding": [{"system": system, "code": code}]}


def reference(kind: str, identifier: str, display: str = "") -> Resource:
    """A reference to `kind/identifier`."""
    found: Resource = {"reference": f"{kind}/{identifier}"}
    return found | {"display": display} if display else found


def extension(name: str, **value: Any) -> Resource:
    """An extension of our own; `value` is for example valueCode="qualifiee"."""
    return {"url": f"{LIANE}/{name}", **value}


def put(resource: Resource) -> Resource:
    """The entry of a transaction bundle that writes `resource` under its own id."""
    url = f"{resource['resourceType']}/{resource['id']}"
    return {
        "fullUrl": f"{LIANE}/{url}",
        "resource": resource,
        "request": {"method": "PUT", "url": url},
    }
