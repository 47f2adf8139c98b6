"""How do the tests of the patients room describe people, staff and movements?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from liane.access.actor import Actor, Role, partner
from liane.rooms import patients

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
IPP = "urn:oid:1.2.250.1.999.1.1"
IPP_CHG = "urn:oid:1.2.250.1.999.1.2"
INS = "urn:oid:1.2.250.1.213.1.4.10"
VENUE = "urn:oid:1.2.250.1.999.2.1"
STATUS = "https://liane.example/fhir/identity-status"
GAM = partner("GAM")


def person(
    family: str = "MOREL",
    given: str = "Jeanne",
    birth: str = "1950-02-02",
    *,
    ipp: str | None = "1",
    system: str = IPP,
    ins: str | None = None,
    status: str | None = None,
    sex: str = "female",
    used: str | None = None,
) -> dict[str, Any]:
    """A Patient as a gateway builds it."""
    numbers = []
    if ipp:
        numbers.append({"system": system, "value": ipp, "type": {"coding": [{"code": "PI"}]}})
    if ins:
        numbers.append(
            {"system": INS, "value": ins, "type": {"coding": [{"code": "INS-NIR-TEST"}]}}
        )
    names = [{"use": "official", "family": family, "given": [given]}]
    if used:
        names.append({"use": "usual", "family": used, "given": [given]})
    body: dict[str, Any] = {
        "resourceType": "Patient",
        "identifier": numbers,
        "name": names,
        "birthDate": birth,
        "gender": sex,
    }
    if status:
        body["extension"] = [{"url": STATUS, "valueCode": status}]
    return body


def staff(code: str, *units: str, establishment: str = "chu", scope: str = "unit") -> Actor:
    role = Role(code, establishment, tuple(units), scope)  # type: ignore[arg-type]
    return Actor("staff", f"{code}-1", code, roles=(role,))


def moved(patient: str, event: str, hour: float, **more: Any) -> patients.Movement:
    at = NOW + timedelta(hours=hour)
    said = more.pop("said", None)
    return patients.Movement(
        patient_id=patient,
        venue=patients.Identifier(VENUE, more.pop("venue", "V1"), "VN"),
        event=event,
        at=at,
        message_at=NOW + timedelta(hours=said) if said is not None else at,
        source="GAM",
        establishment="chu",
        **more,
    )
