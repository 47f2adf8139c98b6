"""Which patient of ours is the patient of this message, and may it be filed under that name?

Found by exact numbers only. Before anything is filed for a patient who is already known, the
traits of the message are compared with ours: when name and birth date both differ, the number was
used for somebody else, and the message waits for the identity staff.
"""

from __future__ import annotations

from typing import Any

from liane.base.errors import Conflict, Invalid
from liane.base.text import fold
from liane.fhir import json as fhir_json
from liane.gateways.hl7v2.codec import Segment
from liane.gateways.hl7v2.mapping import patient as mapping
from liane.gateways.hl7v2.mapping.datatypes import fhir_date
from liane.gateways.hl7v2.work import PatientUnknown, Work
from liane.rooms import patients
from liane.store.resources import read

Json = dict[str, Any]


async def known_or_provisional(work: Work) -> str:
    """The patient to file under (results, documents, orders, appointments). An unknown one is
    made provisional or held, as the partner's settings say.
    """
    pid = work.pid()
    numbers = required_numbers(pid, work)
    patient_id = await found(work, numbers)
    if patient_id is None:
        patient_id = await _unknown(work, pid)
    else:
        await refuse_somebody_else(work, pid, patient_id)
    work.patient = patient_id
    return patient_id


def required_numbers(pid: Segment, work: Work) -> list[patients.Identifier]:
    """The numbers that may name the patient. Raises Invalid when there is none."""
    numbers = mapping.matching(mapping.identifiers(pid, work.source))
    if not numbers:
        raise Invalid(
            "hl7v2.no-patient-number",
            "Le message ne porte aucun numéro de patient (PID-3 vide).",
            "The message carries no patient number (PID-3 is empty).",
            "Demandez à l'émetteur de remplir PID-3 (IPP ou INS), puis de renvoyer le message.",
            "Ask the sender to fill in PID-3 (local number or INS), then to send it again.",
            hl7_code="101",
            location="PID^1^3",
        )
    return numbers


async def found(work: Work, numbers: list[patients.Identifier]) -> str | None:
    """The patient these numbers name; two different ones make the message wait."""
    try:
        return await patients.find_patient(work.tx, numbers)
    except Conflict as doubt:
        raise held(doubt) from doubt


def held(doubt: Conflict) -> PatientUnknown:
    """The same doubt, as a reason to wait for the identity staff."""
    return PatientUnknown(
        doubt.code, doubt.fr, doubt.en, doubt.advice_fr, doubt.advice_en, hl7_code="204"
    )


async def _unknown(work: Work, pid: Segment) -> str:
    if work.partner.unknown_patient == "hold":
        raise unknown_patient()
    registered = await patients.register_identity(
        work.tx,
        work.actor,
        mapping.patient(work.message, pid, work.source),
        source=work.source.sender,
        at=work.said_at,
        provisional=True,
    )
    work.touched("Patient", registered.patient_id)
    work.flags.append("patient-provisional")
    return registered.patient_id


def unknown_patient() -> PatientUnknown:
    """The message waits because nobody here has that number."""
    return PatientUnknown(
        "hl7v2.patient-unknown",
        "Le patient n'est pas connu ici ; le message attend la cellule d'identitovigilance.",
        "The patient is not known here; the message waits for the identity staff.",
        "Créez ou rapprochez l'identité, puis rejouez le message.",
        "Create or match the identity, then replay the message.",
        hl7_code="204",
        location="PID^1^3",
    )


async def refuse_somebody_else(work: Work, pid: Segment, patient_id: str) -> None:
    """Hold the message when both name and birth date contradict the identity we hold."""
    family, born = fold(pid.get(5)), fhir_date(pid.get(7)[:8]) or ""
    if not family or not born or work.agreed.lately(patient_id, family, born):
        return
    version = await read(work.tx, "Patient", patient_id)
    if version is None or version.deleted:
        return
    ours: Json = fhir_json.loads(version.body)
    same_birth = ours.get("birthDate", born) == born
    families = [fold(name.get("family", "")) for name in ours.get("name", [])]
    families = [name for name in families if name]
    if same_birth or not families or family in families:
        work.agreed.remember(patient_id, family, born)
        return
    raise PatientUnknown(
        "hl7v2.patient-contradiction",
        "Le numéro du patient est connu, mais avec un autre nom et une autre date de naissance : "
        "rien n'a été classé.",
        "The patient number is known, but with another name and another birth date: nothing was "
        "filed.",
        "Faites vérifier l'identité par la cellule d'identitovigilance, puis rejouez le message.",
        "Have the identity staff check it, then replay the message.",
        hl7_code="204",
        location="PID^1^5",
    )
