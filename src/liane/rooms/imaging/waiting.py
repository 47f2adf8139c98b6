"""How does an examination that waits find its patient?

The identity staff search by number or exact name, see the machine's words beside the whole
identity, then confirm. Where name, birth or sex differ they must say that they have checked.
"""

from __future__ import annotations

from typing import Any

from litestar import Response

from liane.access import gate, journal
from liane.access.permissions import Permission
from liane.base.errors import Invalid
from liane.rooms.imaging import actions, reads, rules, thumbnails
from liane.rooms.patients.reads.identities import Dossier, read_dossier
from liane.rooms.patients.reads.search import SHOWN, search_exactly
from liane.store import changes
from liane.ui.routing import Context, Routes

routes = Routes("waiting images")

ATTACHED = "waiting study attached"
"""The reason that the history of the chart shows."""


@routes.get("/imaging/waiting", permission=Permission.MESSAGES_HELD)
async def list_waiting(context: Context) -> Response[Any]:
    """Examinations that are in no chart, and images kept apart, with the reason of each."""
    waiting, conflicts = await reads.waiting(context.tx)
    return context.render(
        "imaging/waiting.html",
        waiting=waiting,
        conflicts=conflicts,
        attached=context.query.get("attached") == "1",
        may_attach=gate.may(context.actor, Permission.IDENTITY_WRITE),
    )


@routes.get("/imaging/waiting/{study_id}", permission=Permission.IDENTITY_WRITE)
async def find_patient_of_study(context: Context, study_id: str) -> Response[Any]:
    """Whose is it? A search by number or exact name; the number of the machine to begin with."""
    study = await reads.waiting_study(context.tx, study_id)
    asked = context.query.get("q", study["patient_number"]).strip()
    hits = await search_exactly(context.tx, context.actor, asked)
    context.read_patients.extend(hit.person.id for hit in hits)
    context.journal_detail["study"] = study_id
    return context.render(
        "imaging/attach.html", study=study, asked=asked, hits=hits, many=len(hits) == SHOWN
    )


@routes.get(
    "/patients/{patient_id}/imaging/waiting/{study_id}",
    permission=Permission.IDENTITY_WRITE,
    patient="patient_id",
)
async def compare_with_patient(context: Context, patient_id: str, study_id: str) -> Response[Any]:
    """What the machine wrote beside the whole identity, before anything is done."""
    study = await reads.waiting_study(context.tx, study_id)
    context.journal_detail["study"] = study_id
    dossier = await _living(context, patient_id)
    return _compared(context, study, dossier)


def _compared(context: Context, study: Any, dossier: Dossier, problem: str = "") -> Response[Any]:
    return context.render(
        "imaging/confirm.html",
        status=400 if problem else 200,
        study=study,
        dossier=dossier,
        patient=dossier.person.id,
        differs=rules.differing(study, dossier.body),
        known_number=any(n.value == study["patient_number"] for n in dossier.numbers),
        problem=problem,
    )


async def _living(context: Context, patient_id: str) -> Dossier:
    """The identity, which must not have been merged into another one."""
    dossier = await read_dossier(context.tx, patient_id)
    if dossier.retired_into:
        raise actions.merged_away()
    return dossier


@routes.post(
    "/patients/{patient_id}/imaging/waiting/{study_id}",
    permission=Permission.IDENTITY_WRITE,
    patient="patient_id",
    action="attach study",
)
async def attach_to_patient(context: Context, patient_id: str, study_id: str) -> Response[Any]:
    """The examination appears in this chart; the journal says who decided, and on what."""
    form = await context.form()
    study = await reads.waiting_study(context.tx, study_id)
    dossier = await _living(context, patient_id)
    differs = rules.differing(study, dossier.body)
    if differs and form.get("checked") != "on":
        return _compared(context, study, dossier, unchecked().message(context.t.language))
    tx, actor = context.tx, context.actor
    await actions.attach_study(tx, actor, study["study_uid"], patient_id, reason=ATTACHED)
    detail = {"study": study_id, "held": study["held"], "differs": list(differs)}
    resource = f"ImagingStudy/{study_id}"
    await journal.record(
        tx, actor, "attach study", patient=patient_id, resource=resource, detail=detail
    )
    await changes.append(tx, "interfaces", None, None, {"topics": ["interfaces"]})

    async def draw() -> None:
        await thumbnails.make(context.services, study["study_uid"])

    tx.after_commit(draw)
    return context.redirect("/imaging/waiting?attached=1")


def unchecked() -> Invalid:
    """The traits differ and nobody said they had looked."""
    return Invalid(
        "imaging.differs-unchecked",
        "Les traits diffèrent : cochez que vous avez vérifié, ou choisissez un autre patient.",
        "The traits differ: tick that you have checked, or choose another patient.",
    )
