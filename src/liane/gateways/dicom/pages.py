"""What can the IT department see of the machines that send images, and what can it set?

The section "Imagerie (DICOM)" of the interfaces page and the settings of one machine. Numbers and
reasons only: whose images wait is shown to the identity staff, on the page of waiting images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response

from liane.access import journal
from liane.access.gate import may
from liane.access.permissions import Permission
from liane.base.errors import LianeError
from liane.gateways.dicom import declaring, reads
from liane.gateways.dicom.declaring import Declared
from liane.store import changes
from liane.ui.routing import Context, Routes

routes = Routes("dicom")

NEW = "new"


@routes.get(
    "/interfaces/dicom", permission=Permission.INTERFACES_VIEW, action="read DICOM interfaces"
)
async def machines(context: Context) -> Response[Any]:
    """Every machine at a glance, what waits, and what was turned away."""
    template = "dicom/section.html" if context.fragment else "dicom/machines.html"
    return context.render(
        template,
        overview=await reads.overview(context.tx),
        may_act=may(context.actor, Permission.INTERFACES_REPLAY),
        may_mend=may(context.actor, Permission.MESSAGES_HELD),
    )


@routes.get(
    "/interfaces/dicom/partners/{partner_id}",
    permission=Permission.INTERFACES_REPLAY,
    action="read DICOM partner settings",
)
async def machine(context: Context, partner_id: str) -> Response[Any]:
    """The settings of one machine, or an empty form for a new one (`new`)."""
    return _form(context, await _known(context, partner_id))


async def _known(context: Context, partner_id: str) -> Declared | None:
    if partner_id == NEW:
        return None
    return await declaring.one_declared(context.tx, partner_id)


def _form(
    context: Context,
    known: Declared | None,
    problem: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response[Any]:
    return context.render(
        "dicom/partner.html",
        status=400 if problem else 200,
        partner=known,
        problem=problem,
        typed=typed or {},
        our_title=context.services.ae_title,
    )


@routes.post(
    "/interfaces/dicom/partners/{partner_id}",
    permission=Permission.INTERFACES_REPLAY,
    action="change DICOM partner settings",
)
async def change_machine(context: Context, partner_id: str) -> Response[Any]:
    """Save the settings; the port follows them within seconds."""
    form = await context.form()
    known = await _known(context, partner_id)
    try:
        wanted = declaring.declared_from(
            form,
            known.id if known else form.get("id", ""),
            known.name if known else form.get("name", ""),
        )
        changed = await declaring.declare(context.tx, wanted, new=known is None)
    except LianeError as problem:
        return _form(context, known, problem.message(context.t.language), form)
    detail = {
        "partner": wanted.id,
        "changed": changed,
        "allowed": wanted.allowed,
        "unknown_patient": wanted.unknown_patient,
        "quarantine": wanted.quarantine,
    }
    await journal.record(context.tx, context.actor, "change DICOM partner settings", detail=detail)
    await changes.append(context.tx, "interfaces", None, None, {"topics": ["interfaces"]})
    return context.redirect("/interfaces")
