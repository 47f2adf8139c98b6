"""How does anything enter the record: a result, a document, an order, any resource?

Every write of the record room is here. A gateway says what it received, as FHIR resources that
name their business keys; the action decides what that changes: a first result, a correction that
keeps the old value readable, a deletion that marks and never erases, a repeat that changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from liane.access import gate
from liane.access import writes as door
from liane.access.actor import Actor
from liane.base.errors import Conflict
from liane.rooms.record import rules
from liane.rooms.record.agents import WORDS_JOB
from liane.store import Tx, conformance, jobs
from liane.store.blobs import Blobs
from liane.store.resources import Version, Write, read_many

Resource = dict[str, Any]

AT_ONCE = 100
"""Results prepared at a time: a report of thousands must not hold up everybody else."""


async def write_resources(
    tx: Tx, actor: Actor, writes: Sequence[Write], *, reason: str
) -> list[Version]:
    """Write resources that come from outside as they are (FHIR API, import).

    Raises `Invalid` with every blocking finding when a resource breaks the standard.
    """
    await conformance.judge(
        tx,
        actor.home_establishment,
        [write.resource for write in writes if not write.deletes],
        sees=gate.sees(actor),
    )
    return await door.apply(tx, actor, writes, reason=reason)


async def write_resource(
    tx: Tx, actor: Actor, resource: Resource, *, reason: str, if_match: int | None = None
) -> Version:
    """Write one resource; see `write_resources`."""
    written = await write_resources(
        tx, actor, [Write(resource, id=resource.get("id"), if_match=if_match)], reason=reason
    )
    return written[0]


async def file_report(
    tx: Tx,
    actor: Actor,
    patient_id: str,
    report: Resource,
    observations: Sequence[Resource],
    *,
    reason: str,
) -> list[Version]:
    """File a report and its results for one patient, by their business identifiers.

    `report` and each observation carry an `identifier`; the same identifier for the same patient
    is the same resource, so a correction makes a new version and the former value stays in the
    history. An older message never overwrites a newer one (`issued` decides). Returns the versions
    written, the report's first; unchanged resources are returned at their present version.
    """
    for count, resource in enumerate((report, *observations), 1):
        rules.place_in_record(resource, patient_id)
        if count % AT_ONCE == 0:
            await asyncio.sleep(0)
    if observations:
        report["result"] = [
            {"reference": f"Observation/{observation['id']}"} for observation in observations
        ]
    changes = [
        Write(resource, id=resource["id"], revise=revision(resource))
        for resource, revision in [
            (report, rules.report_revision),
            *((observation, rules.result_revision) for observation in observations),
        ]
    ]
    return await door.apply(tx, actor, changes, reason=reason)


async def file_document(
    tx: Tx,
    actor: Actor,
    blobs: Blobs,
    patient_id: str,
    document: Resource,
    content: bytes,
    content_type: str,
    *,
    reason: str,
    replaces: str | None = None,
) -> Version:
    """File one document (letter, report, CDA): its bytes as a verified blob, its card as a
    DocumentReference.

    `document` carries `masterIdentifier`; the same one for the same patient is the same document.
    `replaces` is the master identifier value of the document it takes the place of: that one
    becomes `superseded` and stays readable. Raises `Conflict` when the document replaced is not
    known for this patient.
    """
    rules.place_in_record(document, patient_id)
    if content:
        stored = await blobs.put(content)
        document["content"] = [rules.attachment(document, stored.sha256, stored.size, content_type)]
        if not document.get("text"):
            await jobs.enqueue(tx, WORDS_JOB, document["id"], {"id": document["id"]})
    changes = [Write(document, id=document["id"])]
    if replaces is not None:
        changes.insert(0, await _superseded(tx, document, patient_id, replaces))
    return (await door.apply(tx, actor, changes, reason=reason))[-1]


async def _superseded(tx: Tx, document: Resource, patient_id: str, replaces: str) -> Write:
    former_id = rules.document_id(patient_id, replaces)
    former = (await read_many(tx, "DocumentReference", [former_id])).get(former_id)
    if former is None or former.deleted:
        raise Conflict(
            "record.document.unknown",
            f"Le document remplacé ({replaces}) n'est pas connu pour ce patient.",
            f"The document replaced ({replaces}) is not known for this patient.",
            "Envoyez d'abord le document d'origine, ou un document nouveau (T02).",
            "Send the original first, or a new document (T02).",
        )
    document["relatesTo"] = [
        {"code": "replaces", "target": {"reference": f"DocumentReference/{former_id}"}}
    ]
    return Write({**rules.parsed(former), "status": "superseded"}, id=former_id)


async def withdraw_document(
    tx: Tx, actor: Actor, patient_id: str, master_identifier: str, *, reason: str
) -> Version:
    """Mark a document as entered in error; its bytes and former version stay in the history."""
    former_id = rules.document_id(patient_id, master_identifier)
    former = (await read_many(tx, "DocumentReference", [former_id])).get(former_id)
    if former is None or former.deleted:
        raise Conflict(
            "record.document.unknown",
            f"Le document à retirer ({master_identifier}) n'est pas connu pour ce patient.",
            f"The document to withdraw ({master_identifier}) is not known for this patient.",
            "Vérifiez l'identifiant du document et le patient.",
            "Check the document identifier and the patient.",
        )
    withdrawn = {**rules.parsed(former), "status": "entered-in-error"}
    return (await door.apply(tx, actor, [Write(withdrawn, id=former_id)], reason=reason))[0]


async def file_order(
    tx: Tx, actor: Actor, patient_id: str, order: Resource, *, reason: str
) -> Version:
    """File a request (ServiceRequest) by its placer or filler number: new, changed or revoked."""
    return await _file_one(tx, actor, patient_id, order, reason)


async def file_appointment(
    tx: Tx, actor: Actor, patient_id: str, appointment: Resource, *, reason: str
) -> Version:
    """File an appointment by its number: booked, moved, cancelled, missed."""
    return await _file_one(tx, actor, patient_id, appointment, reason)


async def _file_one(
    tx: Tx, actor: Actor, patient_id: str, resource: Resource, reason: str
) -> Version:
    rules.place_in_record(resource, patient_id)
    return (await door.apply(tx, actor, [Write(resource, id=resource["id"])], reason=reason))[0]
