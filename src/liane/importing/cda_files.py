"""How do CDA documents come in, and to which patient do they belong?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from liane.base.errors import Invalid
from liane.base.ids import stable_id
from liane.fhir.dates import interval
from liane.fhir.narrative import narrative
from liane.gateways.cda import ClinicalDocument, parse
from liane.gateways.cda.codec import Patient
from liane.importing.house import RFC3986, House, present
from liane.importing.report import Tally
from liane.rooms import patients, record
from liane.rooms.patients import Identifier
from liane.store import Tx
from liane.store.resources import read
from liane.store.versions import instant

_INS = {
    "1.2.250.1.213.1.4.8": "INS-NIR",
    "1.2.250.1.213.1.4.9": "INS-NIA",
    "1.2.250.1.213.1.4.10": "INS-NIR-TEST",
    "1.2.250.1.213.1.4.11": "INS-NIR-DEMO",
}
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"


async def bring(house: House, data: bytes, tally: Tally) -> None:
    """File one document under its patient, who is made *provisoire* when not known."""
    document = parse(data)
    if document.id is None or len(document.patients) != 1:
        raise Invalid(
            "import.cda-header",
            "Ce document n’a pas d’identifiant unique, ou pas un seul patient.",
            "This document has no unique identifier, or not exactly one patient.",
        )
    async with house.services.database.transaction() as tx:
        patient = await _patient(house, tx, document)
        card = _card(document)
        id_ = stable_id("DocumentReference", patient, document.id.uri)
        known = await read(tx, "DocumentReference", id_)
        if known is not None and not known.deleted:
            tally.skipped += 1
            return
        await record.file_document(
            tx,
            house.actor,
            house.services.blobs,
            patient,
            card,
            data,
            "text/xml",
            reason="import CDA",
        )
    tally.stored["document CDA"] += 1


async def _patient(house: House, tx: Tx, document: ClinicalDocument) -> str:
    (who,) = document.patients
    numbers = [
        Identifier(f"urn:oid:{one.root}", one.extension, _INS.get(one.root, "PI"))
        for one in who.identifiers
    ]
    found = await patients.find_patient(tx, numbers)
    if found is not None:
        return found
    made = await patients.register_identity(
        tx,
        house.actor,
        _identity(who, numbers),
        source="import CDA",
        at=_moment(document.created, tx.now),
        provisional=True,
    )
    return made.patient_id


def _identity(who: Patient, numbers: list[Identifier]) -> dict[str, Any]:
    names = [
        present({"use": "official", "family": who.name.family, "given": who.name.given.split()})
    ]
    if who.name.used_family or who.name.used_given:
        used = {
            "use": "usual",
            "family": who.name.used_family,
            "given": who.name.used_given.split(),
        }
        names.append(present(used))
    return present(
        {
            "resourceType": "Patient",
            "identifier": [
                {
                    "system": number.system,
                    "value": number.value,
                    "type": {"coding": [{"system": _TYPES, "code": number.type}]},
                }
                for number in numbers
            ],
            "name": names,
            "gender": who.gender,
            "birthDate": who.birth,
        }
    )


def _card(document: ClinicalDocument) -> dict[str, Any]:
    """The DocumentReference, without the bytes (the record adds them)."""
    assert document.id is not None
    code = document.code
    kind = {
        "coding": [{"system": code.system, "code": code.code, "display": code.display}],
        "text": code.display or document.title,
    } if code else None  # fmt: skip
    start, end = document.serviced
    return present(
        {
            "resourceType": "DocumentReference",
            "masterIdentifier": {"system": RFC3986, "value": document.id.uri},
            "status": "current",
            "type": kind,
            "description": document.title,
            "date": _instant(document.created),
            "author": [
                {"display": ", ".join(part for part in (a.name, a.organization) if part)}
                for a in document.authors
                if a.name or a.organization
            ],
            "custodian": {"display": document.custodian} if document.custodian else None,
            "context": {"period": present({"start": start, "end": end})} if start else None,
            "text": narrative(document.text) if document.text else None,
        }
    )


def _instant(text: str) -> str | None:
    return instant(interval(text)[0]) if text else None


def _moment(text: str, otherwise: datetime) -> datetime:
    return interval(text)[0].astimezone(UTC) if text else otherwise
