"""How do the results and documents of a message enter the record?"""

from __future__ import annotations

import asyncio

from liane.base.errors import Conflict, Invalid
from liane.fhir import json as fhir_json
from liane.gateways.hl7v2.mapping.documents import (
    Deed,
    Document,
    mdm_documents,
    oru_documents,
)
from liane.gateways.hl7v2.mapping.groups import groups
from liane.gateways.hl7v2.mapping.patient import INS_OIDS, identifiers
from liane.gateways.hl7v2.mapping.results import Report, reports
from liane.gateways.hl7v2.work import Work
from liane.rooms import record
from liane.store.resources import read

LARGE_SEGMENTS = 400
"""A message with more lines is mapped in a thread: the line must stay free for the others."""


async def file_reports(work: Work, patient_id: str) -> None:
    """Every report of an ORU, then the documents it carries."""
    found = await _mapped(work)
    if not any(r.observations or r.documents for r in found) and not _has_order(work):
        raise Invalid(
            "hl7v2.no-result",
            "Le message de résultats ne contient ni demande (OBR) ni résultat (OBX).",
            "The result message holds neither an order (OBR) nor a result (OBX).",
            "Demandez à l'émetteur de vérifier son export, puis de renvoyer le message.",
            "Ask the sender to check its export, then to send the message again.",
            hl7_code="100",
        )
    sections = [g for g in groups(work.message) if g.obr is not None or g.results]
    for report, group in zip(found, sections, strict=True):
        if report.observations or not report.documents:
            versions = await record.file_report(
                work.tx,
                work.actor,
                patient_id,
                report.report,
                report.observations,
                reason=work.reason,
            )
            work.made(versions)
        if report.documents:
            files = oru_documents(
                work.message, group, report.documents, work.source, work.received_at
            )
            for document in files:
                await _file(work, patient_id, document)


async def _mapped(work: Work) -> list[Report]:
    if len(work.message.segments) <= LARGE_SEGMENTS:
        return list(reports(work.message, work.source, work.received_at))
    return await asyncio.to_thread(
        lambda: list(reports(work.message, work.source, work.received_at))
    )


def _has_order(work: Work) -> bool:
    return work.message.segment("OBR") is not None


async def file_documents(work: Work, patient_id: str) -> None:
    """Every document of an MDM message."""
    for document in mdm_documents(work.message, work.source, work.received_at):
        await _file(work, patient_id, document)


async def _file(work: Work, patient_id: str, document: Document) -> None:
    _refuse_other_ins(work, document)
    if document.deed is Deed.WITHDRAW:
        await _withdraw(work, patient_id, document)
        return
    replaces = await _replaced(work, patient_id, document)
    version = await record.file_document(
        work.tx,
        work.actor,
        work.blobs,
        patient_id,
        document.resource,
        document.content,
        document.content_type,
        reason=work.reason,
        replaces=replaces,
    )
    work.made([version])


def _refuse_other_ins(work: Work, document: Document) -> None:
    """The document inside must speak of the patient of the envelope (CI-SIS code 904)."""
    if document.cda is None:
        return
    inside = {ext[:13] for root, ext in document.cda.patient_numbers if root in INS_OIDS}
    numbers = identifiers(work.pid(), work.source)
    outside = {n["value"][:13] for n in numbers if n["system"].removeprefix("urn:oid:") in INS_OIDS}
    if inside and outside and not inside & outside:
        raise Invalid(
            "hl7v2.ins-differs",
            "Le document joint porte l'INS d'une autre personne que le message.",
            "The attached document carries the INS of another person than the message.",
            "Rien n'a été classé. Demandez à l'émetteur de vérifier le document et l'identité.",
            "Nothing was filed. Ask the sender to check the document and the identity.",
            hl7_code="904",
        )


async def _withdraw(work: Work, patient_id: str, document: Document) -> None:
    """Withdraw the document named, else the one it says it replaces."""
    for master in filter(None, (document.master, document.replaces)):
        try:
            version = await record.withdraw_document(
                work.tx, work.actor, patient_id, master, reason=work.reason
            )
        except Conflict as unknown:
            if master == document.replaces or not document.replaces:
                raise _with_code(unknown, "900") from unknown
            continue
        work.made([version])
        return


def _with_code(problem: Conflict, code: str) -> Conflict:
    return Conflict(
        problem.code, problem.fr, problem.en, problem.advice_fr, problem.advice_en, hl7_code=code
    )


async def _replaced(work: Work, patient_id: str, document: Document) -> str | None:
    """The document this one takes the place of. One that we never had is no obstacle (the new
    text is the one that counts); one that was replaced before is refused (CI-SIS code 900).
    """
    if document.deed is not Deed.REPLACE or document.replaces in {"", document.master}:
        return None
    former_id = record.document_id(patient_id, document.replaces)
    former = await read(work.tx, "DocumentReference", former_id)
    if former is None or former.deleted:
        work.flags.append("replaced-unknown")
        return None
    own_id = record.document_id(patient_id, document.master)
    if await read(work.tx, "DocumentReference", own_id) is not None:
        return document.replaces
    if fhir_json.loads(former.body).get("status") == "superseded":
        raise Conflict(
            "hl7v2.replaces-old-version",
            "Le document à remplacer l'a déjà été par une version plus récente.",
            "The document to replace was already replaced by a newer version.",
            "Demandez à l'émetteur de remplacer la dernière version.",
            "Ask the sender to replace the latest version.",
            hl7_code="900",
        )
    return document.replaces
