"""What do the identity staff decide: take a difference or not, say that two people are two?"""

from __future__ import annotations

from typing import Any

from liane.access import gate, journal, writes
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.base.errors import Conflict, Invalid, NotFound
from liane.fhir import json
from liane.rooms.patients.rules import identity, review
from liane.store import Tx
from liane.store.resources import Write, read
from liane.store.sql import queries

Q = queries("liane.rooms.patients", "identity.sql")


async def settle_discrepancy(
    tx: Tx, actor: Actor, patient_id: str, discrepancy: str, *, take: bool
) -> None:
    """Close a difference: keep our trait, or take the proposed one.

    A strict trait taken by hand makes the identity *provisoire* again: it must be validated anew.
    """
    await gate.require(tx, actor, Permission.IDENTITY_WRITE)
    row = await tx.fetchrow(Q["settle_discrepancy"], tx.tenant, discrepancy, tx.now, actor.id)
    if row is None or row["patient"] != patient_id:
        raise NotFound(
            "patients.discrepancy-unknown",
            "Cet écart est déjà réglé ou n'existe pas.",
            "This difference is already settled or does not exist.",
        )
    reason = f"difference on {row['trait']} {'taken' if take else 'not taken'}"
    version = await read(tx, "Patient", patient_id)
    if not take or version is None or version.deleted:
        await journal.record(
            tx, actor, "settle difference", patient=patient_id, detail={"reason": reason}
        )
        return
    body: dict[str, Any] = json.loads(version.body)
    if row["trait"] == "ins":
        raise _needs_insi()
    said = review.with_trait(body, row["trait"], row["proposed"])
    after = identity.reconcile(body, said, same_source=True)
    await writes.apply(tx, actor, [Write(after.patient, id=patient_id)], reason=reason)


async def validate_identity(tx: Tx, actor: Actor, patient_id: str, proof: str) -> str:
    """Validate an identity on a document of high trust that was seen; returns the new status.

    Raises `Conflict` when open differences, a missing trait or a doubt stand against it.
    """
    await gate.require(tx, actor, Permission.IDENTITY_WRITE)
    if proof not in review.PROOFS:
        raise Invalid(
            "patients.proof-unknown",
            "Indiquez le document présenté.",
            "Say which document was shown.",
        )
    version = await read(tx, "Patient", patient_id)
    body: dict[str, Any] = json.loads(version.body) if version and not version.deleted else {}
    gaps = await tx.fetch(Q["discrepancies"], tx.tenant, patient_id)
    if gaps or not body or body.get("active") is False or not review.may_be_validated(body):
        raise Conflict(
            "patients.not-validable",
            "Cette identité ne peut pas être validée : traits manquants, doute ou écart ouvert.",
            "This identity cannot be validated: missing traits, a doubt or an open difference.",
            "Complétez les traits et réglez les écarts d'abord.",
            "Complete the traits and settle the differences first.",
        )
    after = review.validated(body, proof, tx.now.date().isoformat())
    await writes.apply(tx, actor, [Write(after, id=patient_id)], reason=f"validated on {proof}")
    return identity.status_of(after)


async def declare_distinct(tx: Tx, actor: Actor, one: str, other: str) -> None:
    """Say that two similar identities are two people; they are not proposed again."""
    await gate.require(tx, actor, Permission.IDENTITY_WRITE)
    a, b = sorted((one, other))
    await tx.execute(Q["declare_distinct"], tx.tenant, a, b, tx.now, actor.id)
    for patient in (a, b):
        await journal.record(
            tx, actor, "declare distinct", patient=patient, detail={"reason": "two people"}
        )


def _needs_insi() -> Conflict:
    return Conflict(
        "patients.ins-by-hand",
        "Un INS ne se saisit pas : il vient du téléservice INSi.",
        "An INS is never typed in: it comes from the INSi service.",
        "Conservez la valeur actuelle, ou interrogez INSi.",
        "Keep the present value, or ask INSi.",
    )
