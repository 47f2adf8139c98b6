"""How is a French identity that keeps FR Core made wrong, one slice at a time?

An invented person; the identifier is one of the range that the INS keeps for tests.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

BASE = "https://hl7.fr/ig/fhir/core/StructureDefinition"
PROFILE = f"{BASE}/fr-core-patient-ins"
CODES = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def patient() -> Json:
    """A validated identity with its INS and a local number."""
    return copy.deepcopy(_PATIENT)


_PATIENT: Json = {
    "resourceType": "Patient",
    "extension": [
        {
            "url": f"{BASE}/fr-core-identity-reliability",
            "extension": [
                {
                    "url": "identityStatus",
                    "valueCoding": {
                        "system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445",
                        "code": "VALI",
                    },
                },
                {"url": "validationDate", "valueDate": "2024-02-03"},
            ],
        },
        {
            "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
            "valueAddress": {
                "extension": [
                    {
                        "url": f"{BASE}/fr-core-address-insee-code",
                        "valueCoding": {
                            "system": "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM",
                            "code": "63220",
                        },
                    }
                ],
                "city": "Montclair",
            },
        },
    ],
    "identifier": [
        {
            "use": "official",
            "type": {"coding": [{"system": CODES, "code": "INS-NIR-TEST"}]},
            "system": "urn:oid:1.2.250.1.213.1.4.10",
            "value": "280016322000149",
        },
        {
            "use": "usual",
            "type": {
                "coding": [{"system": V2, "code": "PI", "display": "Patient internal identifier"}]
            },
            "system": "urn:oid:1.2.3.4",
            "value": "42",
        },
    ],
    "name": [
        {
            "extension": [
                {"url": f"{BASE}/fr-core-patient-birth-list-given-name", "valueString": "Zoé Anne"}
            ],
            "use": "official",
            "family": "Valmont",
            "given": ["Zoé"],
        }
    ],
    "gender": "female",
    "birthDate": "1980-01-02",
}


def _contact(role: str, category: str) -> Json:
    return {
        "relationship": [
            {
                "extension": [
                    {
                        "url": f"{BASE}/fr-core-patient-contact-relationship-category",
                        "valueCode": category,
                    }
                ],
                "text": role,
            }
        ],
        "name": {"family": "Valmont"},
    }


CHANGES: tuple[Callable[[Json], Any], ...] = (
    lambda p: None,
    lambda p: p.pop("identifier"),
    lambda p: p["identifier"][0].update(use="secondary"),
    lambda p: p["identifier"][0].update(system="urn:oid:1.2.3"),
    lambda p: p["identifier"][0].pop("system"),
    lambda p: p["identifier"][0].pop("value"),
    lambda p: p["identifier"][0].pop("type"),
    lambda p: p["identifier"][0]["type"]["coding"][0].update(code="INS-NIR"),
    lambda p: p["identifier"][0]["type"]["coding"][0].update(code="ZZZ"),
    lambda p: p["identifier"][1].pop("system"),
    lambda p: p["identifier"][1].update(use="old"),
    lambda p: p["identifier"][1].update(use="official"),
    lambda p: p["identifier"].append(copy.deepcopy(p["identifier"][0])),
    lambda p: p["identifier"].reverse(),
    lambda p: p["identifier"].pop(),
    lambda p: p["identifier"].pop(0),
    lambda p: p["name"][0].pop("extension"),
    lambda p: p["name"][0]["extension"].append(copy.deepcopy(p["name"][0]["extension"][0])),
    lambda p: (
        p["name"][0]["extension"][0].update(valueBoolean=True)
        or p["name"][0]["extension"][0].pop("valueString")
    ),
    lambda p: p["name"][0].pop("family"),
    lambda p: p["name"][0].update(given=["Zoé", "Anne"]),
    lambda p: p["name"][0].update(use="usual"),
    lambda p: p["name"].append({"use": "usual", "family": "Autre"}),
    lambda p: p["name"].append(copy.deepcopy(p["name"][0])),
    lambda p: p["name"].append({"family": "Autre"}),
    lambda p: p.pop("name"),
    lambda p: p.pop("gender"),
    lambda p: p.update(gender="other"),
    lambda p: p.pop("birthDate"),
    lambda p: p["extension"].pop(),
    lambda p: p["extension"].pop(0),
    lambda p: p["extension"].append(copy.deepcopy(p["extension"][1])),
    lambda p: p["extension"][0].update(valueString="x"),
    lambda p: p["extension"][0]["extension"].append({"url": "surprise", "valueString": "x"}),
    lambda p: (
        p["extension"][0]["extension"][1].update(valueString="x")
        or p["extension"][0]["extension"][1].pop("valueDate")
    ),
    lambda p: p["extension"][0]["extension"].append(
        copy.deepcopy(p["extension"][0]["extension"][1])
    ),
    lambda p: p["extension"][1]["valueAddress"].pop("extension"),
    lambda p: p["extension"][1].pop("valueAddress"),
    lambda p: p["extension"][1].update(valueString="x") or p["extension"][1].pop("valueAddress"),
    lambda p: p.update(contact=[_contact("personne à prévenir", "role")]),
    lambda p: p.update(contact=[_contact("mère", "relationType")]),
    lambda p: p.update(contact=[_contact("mère", "surprise")]),
    lambda p: (
        p["name"][0]["extension"].append(
            {"url": f"{BASE}/fr-core-identity-reliability", "extension": []}
        )
        or p["name"][0]["extension"][-1].update(
            extension=[{"url": "validationDate", "valueDate": "2024"}]
        )
    ),
    lambda p: p.update(managingOrganization={"reference": "Organization/1"}),
    lambda p: p.update(generalPractitioner=[{"reference": "Practitioner/1"}]),
    lambda p: p.update(generalPractitioner=[{"reference": "Patient/1"}]),
    lambda p: p.update(maritalStatus={"text": "mariée"}),
    lambda p: p["identifier"].append({"value": "no type"}),
)
"""What is done to the patient; some of it is allowed."""
