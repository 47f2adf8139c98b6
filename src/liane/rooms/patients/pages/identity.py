"""How do the identity staff check, compare, merge and separate identities?"""

from __future__ import annotations

from typing import Any

from litestar import Response

from liane.access import gate
from liane.access.permissions import Permission
from liane.base.errors import Invalid
from liane.rooms.patients.actions import merging, review
from liane.rooms.patients.pages.routes import routes
from liane.rooms.patients.reads import identities as reads
from liane.rooms.patients.rules.identity import STRICT, differing
from liane.rooms.patients.rules.review import PROOFS, may_be_validated
from liane.ui.routing import Context


@routes.get("/identities", permission=Permission.IDENTITY_READ)
async def identity_worklist(context: Context) -> Response[Any]:
    """Identities that ask for the identity staff, and the latest merges."""
    tasks = await reads.worklist(context.tx)
    context.read_patients.extend(task.person.id for task in tasks)
    merges = await reads.recent_merges(context.tx)
    return context.render("patients/identities.html", tasks=tasks, merges=merges)


@routes.get(
    "/patients/{patient_id}/identity", permission=Permission.IDENTITY_READ, patient="patient_id"
)
async def open_identity(context: Context, patient_id: str) -> Response[Any]:
    """Traits, status, numbers, differences, probable duplicates, merges and past of an identity."""
    tx = context.tx
    dossier = await reads.read_dossier(tx, patient_id)
    return context.render(
        "patients/identity.html",
        dossier=dossier,
        patient=patient_id,
        traits=STRICT,
        duplicates=await reads.probable_duplicates(tx, dossier.person),
        discrepancies=await reads.discrepancies_of(tx, patient_id),
        merges=await reads.merges_of(tx, patient_id),
        stays=await reads.stays_of(tx, patient_id),
        past=await reads.past_of(tx, patient_id),
        may_merge=gate.may(context.actor, Permission.IDENTITY_MERGE),
        may_write=gate.may(context.actor, Permission.IDENTITY_WRITE),
        charts=gate.may(context.actor, Permission.CHART_READ),
        proofs=PROOFS,
        validable=not dossier.retired_into and may_be_validated(dossier.body),
    )


@routes.get(
    "/patients/{patient_id}/compare/{other_id}",
    permission=Permission.IDENTITY_MERGE,
    patient="patient_id",
)
async def compare_identities(context: Context, patient_id: str, other_id: str) -> Response[Any]:
    """Two identities side by side, with what each owns, before they are merged or told apart."""
    sides = [await reads.read_dossier(context.tx, id_) for id_ in (patient_id, other_id)]
    context.read_patients.extend((patient_id, other_id))
    return context.render(
        "patients/compare.html",
        patient=patient_id,
        sides=sides,
        traits=STRICT,
        differs=differing(sides[0].person.traits, sides[1].person.traits),
        belongings=[await reads.belongings_of(context.tx, s.person.id) for s in sides],
        stays=[await reads.stays_of(context.tx, s.person.id) for s in sides],
    )


@routes.post(
    "/patients/{patient_id}/merge", permission=Permission.IDENTITY_MERGE, patient="patient_id"
)
async def merge_identities(context: Context, patient_id: str) -> Response[Any]:
    """Merge another identity into this one."""
    form = await context.form()
    retired = form.get("other", "")
    if not retired or retired == patient_id:
        raise Invalid(
            "patients.merge-with-nobody",
            "Choisissez l'identité à fusionner.",
            "Choose the identity to merge.",
        )
    await merging.merge(
        context.tx,
        context.actor,
        patient_id,
        retired,
        source=context.actor.login or context.actor.id,
        at=context.tx.now,
    )
    return context.redirect(f"/patients/{patient_id}/identity")


@routes.post(
    "/patients/{patient_id}/merges/{merge_id}/undo",
    permission=Permission.IDENTITY_MERGE,
    patient="patient_id",
)
async def undo_merge(context: Context, patient_id: str, merge_id: str) -> Response[Any]:
    """Take a merge of this identity back."""
    await reads.require_merge_of(context.tx, patient_id, merge_id)
    await merging.undo_merge(context.tx, context.actor, merge_id)
    return context.redirect(f"/patients/{patient_id}/identity")


@routes.post(
    "/patients/{patient_id}/distinct", permission=Permission.IDENTITY_WRITE, patient="patient_id"
)
async def declare_distinct(context: Context, patient_id: str) -> Response[Any]:
    """Say that another identity is another person."""
    form = await context.form()
    await review.declare_distinct(context.tx, context.actor, patient_id, form.get("other", ""))
    return context.redirect(f"/patients/{patient_id}/identity")


@routes.post(
    "/patients/{patient_id}/validate", permission=Permission.IDENTITY_WRITE, patient="patient_id"
)
async def validate_identity(context: Context, patient_id: str) -> Response[Any]:
    """Validate the identity on a document that was seen."""
    proof = (await context.form()).get("proof", "")
    await review.validate_identity(context.tx, context.actor, patient_id, proof)
    return context.redirect(f"/patients/{patient_id}/identity")


@routes.post(
    "/patients/{patient_id}/differences/{discrepancy}",
    permission=Permission.IDENTITY_WRITE,
    patient="patient_id",
)
async def settle_difference(context: Context, patient_id: str, discrepancy: str) -> Response[Any]:
    """Keep our trait, or take the one proposed by another source."""
    take = (await context.form()).get("decision") == "take"
    await review.settle_discrepancy(context.tx, context.actor, patient_id, discrepancy, take=take)
    return context.redirect(f"/patients/{patient_id}/identity")
