"""What does a carer see on opening a chart: the time axis, the summary, the vital signs?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import orjson
from litestar import Response

from liane.access.permissions import Permission
from liane.base.errors import NotFound
from liane.rooms.record import reads, timeline
from liane.rooms.record.laboratory import breaks_of
from liane.rooms.record.pages.routes import chart_page, routes
from liane.rooms.record.reads_arrivals import arrivals
from liane.rooms.record.reads_summary import summary
from liane.rooms.record.vitals import SIGNS, rounds_of
from liane.ui.identity import ins_number
from liane.ui.routing import Context

WINDOWS = ("24h", "stay", "year", "life")


@routes.get("/patients/{patient_id}", permission=Permission.CHART_READ, patient="patient_id")
async def open_chart(context: Context, patient_id: str) -> Response[Any]:
    """The time axis, complete without script as tables."""
    axis = await reads.axis(context.tx, patient_id, _window(context), _pins(context), whole=False)
    return await chart_page(
        context,
        patient_id,
        "axis",
        "record/axis.html",
        axis=axis,
        windows=WINDOWS,
        rounds=[r for r in rounds_of(axis.signs) if r.news][-12:],
        breaks=breaks_of(axis.series),
        arrived=await arrivals(context.tx, patient_id),
    )


@routes.get(
    "/patients/{patient_id}/timeline.json",
    permission=Permission.CHART_READ,
    patient="patient_id",
)
async def read_timeline(context: Context, patient_id: str) -> Response[Any]:
    """All lanes of one window, as the axis draws them."""
    axis = await reads.axis(context.tx, patient_id, _window(context), _pins(context))
    view, t = axis.view, context.t
    rounds = rounds_of(axis.signs)
    body = {
        "now": int(context.tx.now.timestamp()),
        "window": {
            "name": view.name,
            "from": int(view.starts.timestamp()),
            "to": int(view.ends.timestamp()),
        },
        "stays": timeline.stretches(axis.stays, view),
        "news": timeline.news_boxes(rounds, view),
        "vitals": timeline.vital_lines([s for s in axis.signs if s.name in SIGNS], view),
        "labs": timeline.laboratory_lines(axis.series, view),
        "breaks": timeline.break_marks(
            breaks_of(axis.series), {"unit": t("record.unit"), "method": t("record.method")}
        ),
        "imaging": timeline.moments(axis.studies, view),
        "drugs": timeline.stretches(axis.treatments, view),
        "acts": timeline.moments(axis.care, view),
        "partial": axis.partial,
    }
    return context.json(orjson.dumps(body))


@routes.get("/patients/{patient_id}/banner", permission=Permission.CHART_READ, patient="patient_id")
async def read_banner(context: Context, patient_id: str) -> Response[Any]:
    """The banner alone, read again when something of it changed."""
    return context.render("record/banner.html", head=await reads.chart_head(context.tx, patient_id))


@routes.get(
    "/patients/{patient_id}/arrived", permission=Permission.CHART_READ, patient="patient_id"
)
async def read_arrivals(context: Context, patient_id: str) -> Response[Any]:
    """The list of what has just arrived."""
    found = await arrivals(context.tx, patient_id)
    return context.render("record/arrived.html", arrived=found, patient=patient_id)


@routes.get(
    "/patients/{patient_id}/ins",
    permission=Permission.CHART_READ,
    patient="patient_id",
    action="read INS number",
)
async def read_ins(context: Context, patient_id: str) -> Response[Any]:
    """The national number, shown only when asked for; the journal keeps that it was."""
    patient, _ = await reads.one(context.tx, patient_id, "Patient", patient_id)
    number = ins_number(patient)
    if number is None:
        raise NotFound(
            "record.no-ins", "Ce patient n'a pas d'INS.", "This patient has no INS number."
        )
    return context.render("record/ins.html", number=number, patient=patient_id)


@routes.get(
    "/patients/{patient_id}/summary", permission=Permission.CHART_READ, patient="patient_id"
)
async def read_summary(context: Context, patient_id: str) -> Response[Any]:
    """Problems, allergies, treatments, last values: what the next hour needs."""
    found = await summary(context.tx, patient_id)
    panels = [
        (panel, await panel.reads(context.tx, patient_id)) for panel in context.services.panels
    ]
    return await chart_page(
        context, patient_id, "summary", "record/summary.html", summary=found, panels=panels
    )


@routes.get("/patients/{patient_id}/vitals", permission=Permission.CHART_READ, patient="patient_id")
async def read_vitals(context: Context, patient_id: str) -> Response[Any]:
    """Vital signs round by round, newest first, each round with its score."""
    days = {"1": 1, "3": 3, "7": 7, "30": 30, "all": 40_000}
    chosen = context.query.get("days", "3")
    back = timedelta(days=days.get(chosen, 3))
    signs, partial = await reads.signs_between(
        context.tx, patient_id, context.tx.now - back, context.tx.now + timedelta(minutes=10)
    )
    rounds = list(reversed(rounds_of(s for s in signs if s.name in SIGNS)))[:120]
    return await chart_page(
        context,
        patient_id,
        "vitals",
        "record/vitals.html",
        rounds=rounds,
        signs=SIGNS,
        partial=partial,
        days=days,
        chosen=chosen if chosen in days else "3",
    )


def _window(context: Context) -> str:
    name = context.query.get("window") or context.request.cookies.get("liane_window", "stay")
    return name if name in WINDOWS else "stay"


def _pins(context: Context) -> list[str]:
    """The analyses this reader pinned, kept in a cookie of this browser (codes only)."""
    text = unquote(context.request.cookies.get("liane_pins", ""))
    return [code for code in text.split("|")[:12] if code and len(code) < 64]
