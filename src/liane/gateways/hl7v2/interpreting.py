"""What does each kind of message do to the record?

The table at the end names every event we interpret; a well-formed message of any other event is
kept and answered AA.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from liane.base.errors import Conflict, Invalid
from liane.gateways.hl7v2 import identities
from liane.gateways.hl7v2.codec import Message, Segment
from liane.gateways.hl7v2.filing import file_documents, file_reports
from liane.gateways.hl7v2.mapping import patient as patient_mapping
from liane.gateways.hl7v2.mapping.appointments import appointment
from liane.gateways.hl7v2.mapping.consents import consents
from liane.gateways.hl7v2.mapping.datatypes import identifier
from liane.gateways.hl7v2.mapping.movement import stay
from liane.gateways.hl7v2.mapping.orders import orders
from liane.gateways.hl7v2.work import NotInterpreted, PatientUnknown, Work
from liane.rooms import patients, record

Json = dict[str, Any]
Interpreter = Callable[[Work], Awaitable[None]]

_NEEDS_STAY = frozenset(
    {"A02", "A03", "A06", "A07", "A11", "A12", "A13", "A21", "A22", "A38", "A52", "A53", "A54",
     "A55", "Z99"}
)  # fmt: skip
"""Events that say nothing when their stay cannot be told."""


async def identity(work: Work) -> None:
    """A28, A31: who the patient is."""
    await _register(work, work.pid())
    await _record_consents(work)


async def movement(work: Work) -> None:
    """ADT events about a stay: the identity, then the movement."""
    pid = work.pid()
    patient_id = await _register(work, pid)
    await _record_consents(work)
    number = pid.get(3) or pid.get(2)
    said = stay(work.message, work.source, work.received_at, number)
    if said is None:
        if work.message.event in _NEEDS_STAY:
            raise _no_venue()
        work.flags.append("no-venue")
        return
    for each in said.of(patient_id):
        result = await patients.record_movement(work.tx, work.actor, each)
        work.touched("Encounter", result.encounter_id)


async def _register(work: Work, pid: Segment) -> str:
    """Create or update the identity, unless the partner may not create it."""
    numbers = identities.required_numbers(pid, work)
    resource = patient_mapping.patient(work.message, pid, work.source)
    if work.partner.unknown_patient == "hold" and await identities.found(work, numbers) is None:
        raise identities.unknown_patient()
    try:
        registered = await patients.register_identity(
            work.tx, work.actor, resource, source=work.source.sender, at=work.said_at
        )
    except Conflict as doubt:
        raise identities.held(doubt) from doubt
    work.patient = registered.patient_id
    work.touched("Patient", registered.patient_id)
    work.flags.extend(registered.warnings)
    return registered.patient_id


def _no_venue() -> Invalid:
    return Invalid(
        "hl7v2.no-venue",
        "Le message ne dit pas de quelle venue il s'agit (PV1-19 et PID-18 vides).",
        "The message does not say which stay it is about (PV1-19 and PID-18 are empty).",
        "Demandez à l'émetteur de remplir PV1-19 (numéro de venue), puis de renvoyer le message.",
        "Ask the sender to fill in PV1-19 (visit number), then to send the message again.",
        hl7_code="101",
        location="PV1^1^19",
    )


async def _record_consents(work: Work) -> None:
    if work.patient is None:
        return
    for consent in consents(work.message, work.patient, work.source):
        version = await record.write_resource(work.tx, work.actor, consent, reason=work.reason)
        work.made([version])


async def merging(work: Work) -> None:
    """A40: the patient of each MRG is the patient of the PID before it. An identity that was
    never seen is made first, so that what comes later under its number finds the survivor.
    """
    pairs = _pairs(work.message)
    if not pairs:
        raise _no_mrg()
    for pid, mrg in pairs:
        survivor = await _register(work, pid)
        retired = await _retired(work, mrg)
        if retired != survivor:
            await patients.merge(
                work.tx, work.actor, survivor, retired, source=work.source.sender, at=work.said_at
            )
            work.touched("Patient", retired)


def _pairs(message: Message) -> list[tuple[Segment, Segment]]:
    pairs: list[tuple[Segment, Segment]] = []
    pid: Segment | None = None
    for segment in message.segments:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG" and pid is not None:
            pairs.append((pid, segment))
    return pairs


async def _retired(work: Work, mrg: Segment) -> str:
    numbers = _former_numbers(work, mrg)
    known = await identities.found(work, patient_mapping.matching(numbers))
    if known is not None:
        return known
    if work.partner.unknown_patient == "hold":
        raise identities.unknown_patient()
    registered = await patients.register_identity(
        work.tx,
        work.actor,
        {"resourceType": "Patient", "identifier": numbers},
        source=work.source.sender,
        at=work.said_at,
        provisional=True,
    )
    return registered.patient_id


def _former_numbers(work: Work, mrg: Segment) -> list[Json]:
    numbers = [n for cx in mrg.repetitions(1) if (n := identifier(cx, work.source))]
    if not numbers:
        raise _no_mrg()
    return numbers


def _no_mrg() -> Invalid:
    return Invalid(
        "hl7v2.no-mrg",
        "Le message de fusion ne dit pas quelle identité disparaît (MRG-1 vide).",
        "The merge message does not say which identity is retired (MRG-1 is empty).",
        "Demandez à l'émetteur de remplir MRG-1, puis de renvoyer le message.",
        "Ask the sender to fill in MRG-1, then to send the message again.",
        hl7_code="101",
        location="MRG^1^1",
    )


async def number_change(work: Work) -> None:
    """A47: the patient keeps everything and gets another number."""
    pid, mrg = work.pid(), work.message.segment("MRG")
    if mrg is None:
        raise _no_mrg()
    former = patient_mapping.matching(_former_numbers(work, mrg))
    present = identities.required_numbers(pid, work)
    patient_id = await identities.found(work, former) or await identities.found(work, present)
    if patient_id is None:
        raise identities.unknown_patient()
    for old in former:
        new = next((n for n in present if n.system == old.system), present[0])
        if (old.system, old.value) != (new.system, new.value):
            try:
                await patients.change_identifier(work.tx, work.actor, patient_id, old, new)
            except Conflict as doubt:
                raise identities.held(doubt) from doubt
    work.patient = patient_id
    work.touched("Patient", patient_id)


async def results(work: Work) -> None:
    """ORU^R01: results, and the documents among them."""
    patient_id = await identities.known_or_provisional(work)
    await file_reports(work, patient_id)


async def documents(work: Work) -> None:
    """MDM: documents, their replacements and their deletions."""
    patient_id = await identities.known_or_provisional(work)
    await file_documents(work, patient_id)


async def ordering(work: Work) -> None:
    """ORM^O01, OML^O21: requests for examinations."""
    asked = list(orders(work.message, work.source, work.received_at))
    if not asked:
        raise NotInterpreted(
            "Demande sans examen (pas de segment OBR) : conservée, non interprétée.",
            "Order without an examination (no OBR segment): kept, not interpreted.",
        )
    patient_id = await identities.known_or_provisional(work)
    for order in asked:
        version = await record.file_order(
            work.tx, work.actor, patient_id, order, reason=work.reason
        )
        work.made([version])


async def scheduling(work: Work) -> None:
    """SIU: an appointment booked, moved, changed, cancelled, deleted or missed."""
    booked = appointment(work.message, work.source, work.received_at)
    patient_id = await identities.known_or_provisional(work)
    version = await record.file_appointment(
        work.tx, work.actor, patient_id, booked, reason=work.reason
    )
    work.made([version])


INTERPRETERS: Mapping[str, Interpreter] = {
    **{
        f"ADT^{event}": movement
        for event in (
            "A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A11", "A12", "A13", "A21",
            "A22", "A38", "A52", "A53", "A54", "A55", "Z99",
        )
    },
    "ADT^A28": identity,
    "ADT^A31": identity,
    "ADT^A40": merging,
    "ADT^A47": number_change,
    "ORU^R01": results,
    **{f"MDM^{event}": documents for event in ("T02", "T04", "T10", "T11")},
    "ORM^O01": ordering,
    "OML^O21": ordering,
    **{f"SIU^{event}": scheduling for event in ("S12", "S13", "S14", "S15", "S17", "S26")},
}  # fmt: skip
"""Message and event to what is done."""

SHARING = frozenset({movement, results})
"""Those that may share a transaction: all they touch belongs to one patient, whom they hold."""

__all__ = ["INTERPRETERS", "SHARING", "NotInterpreted", "PatientUnknown", "Work"]
