"""How does one corrected trait read as a new word about the identity?"""

from __future__ import annotations

from typing import Any

from liane.rooms.patients.rules import identity

Resource = dict[str, Any]
RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
PROOFS = ("CN", "PA", "AN", "LE")
"""Documents of high trust that validate an identity (FR Core): identity card, passport, birth
certificate, family record book.
"""


def with_trait(patient: Resource, trait: str, value: str) -> Resource:
    """What a source that knows only this trait would say of the patient: no status."""
    body: Resource = {"resourceType": "Patient"}
    if trait in {"birth_name", "given"}:
        name = identity.name_of(patient, "official")
        given = list(name.get("given") or [])
        if trait == "given":
            given = [value, *given[1:]]
        family = value if trait == "birth_name" else name.get("family", "")
        body["name"] = [{**name, "use": "official", "family": family, "given": given}]
    elif trait == "birth_date":
        body["birthDate"] = value
    elif trait == "sex":
        body["gender"] = value
    elif trait == "birth_place":
        code = {"url": identity.INSEE_CODE, "valueCoding": {"code": value}}
        place = {"url": identity.BIRTH_PLACE, "valueAddress": {"extension": [code]}}
        body["extension"] = [place]
    return body


def may_be_validated(patient: Resource) -> bool:
    """A doubtful or fictive identity is never validated; nor one without its main traits."""
    traits = identity.traits_of(patient)
    barred = {"douteuse", "fictive"} & set(identity.attributes_of(patient))
    return not barred and all((traits.birth_name, traits.given, traits.birth_date, traits.sex))


def validated(patient: Resource, proof: str, day: str) -> Resource:
    """The identity validated on a document of high trust: *qualifiée* when it has an INS."""
    told = [
        {"url": "validationDate", "valueDate": day},
        {"url": "validationMode", "valueCoding": {"code": proof}},
    ]
    others = [e for e in patient.get("extension") or [] if e.get("url") != RELIABILITY]
    former = [e for e in patient.get("extension") or [] if e.get("url") == RELIABILITY]
    kept = [
        inner
        for extension in former[:1]
        for inner in extension.get("extension") or []
        if inner.get("url") not in {"validationDate", "validationMode"}
    ]
    marked = {**patient, "extension": [*others, {"url": RELIABILITY, "extension": [*kept, *told]}]}
    return identity.with_status(marked, "qualifiee")
