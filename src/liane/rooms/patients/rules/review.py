"""How does one corrected trait read as a new word about the identity?"""

from __future__ import annotations

from typing import Any

from liane.rooms.patients.rules import identity

Resource = dict[str, Any]


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
