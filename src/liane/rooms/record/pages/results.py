"""Where does a carer read laboratory results and reports?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from litestar import Response

from liane.access.permissions import Permission
from liane.rooms.record import events, reads
from liane.rooms.record.laboratory import (
    breaks_of,
    cumulative,
    pinned,
    result_of,
    series_of,
    spark,
)
from liane.rooms.record.pages.routes import chart_page, routes
from liane.rooms.record.reads_arrivals import result_ids
from liane.ui.routing import Context

COLUMNS = 24
SPANS = {"7": 7, "30": 30, "365": 366, "all": 54_000}


@routes.get(
    "/patients/{patient_id}/laboratory", permission=Permission.RESULT_READ, patient="patient_id"
)
async def read_laboratory(context: Context, patient_id: str) -> Response[Any]:
    """The cumulative table: one row for each analysis, unit and method."""
    span = context.query.get("days", "all")
    starts = context.tx.now - timedelta(days=SPANS.get(span, SPANS["all"]))
    results = await reads.results_between(context.tx, patient_id, starts, _ahead(context))
    series = series_of(results)
    chosen = _pinned_codes(context) or [one.code for one in pinned(series)]
    return await chart_page(
        context,
        patient_id,
        "laboratory",
        "record/laboratory.html",
        sheet=cumulative(series, COLUMNS),
        breaks=breaks_of(series),
        sparks={one.key: spark(one) for one in series},
        pins=set(chosen),
        spans=SPANS,
        span=span if span in SPANS else "all",
    )


def _ahead(context: Context) -> datetime:
    """A little after now: clocks of analysers are not always right."""
    return context.tx.now + timedelta(days=1)


def _pinned_codes(context: Context) -> list[str]:
    from urllib.parse import unquote

    text = unquote(context.request.cookies.get("liane_pins", ""))
    return [code for code in text.split("|") if code]


@routes.get(
    "/patients/{patient_id}/results", permission=Permission.RESULT_READ, patient="patient_id"
)
async def list_results(context: Context, patient_id: str) -> Response[Any]:
    """Reports, newest first, each with what is abnormal in it."""
    found = await reads.resources_of(context.tx, patient_id, ("DiagnosticReport",), 100)
    reports = found["DiagnosticReport"]
    ids = [i for report in reports for i in result_ids(report)][:4000]
    rows = await context.tx.fetch(reads.Q.values_of, context.tx.tenant, patient_id, ids)
    by_id: dict[str, list[Any]] = {}
    for row in rows:
        by_id.setdefault(row["resource"], []).append(result_of(row))
    listed = []
    for report in reports:
        moment = events.care(report)
        results = [r for i in result_ids(report) for r in by_id.get(i, ())]
        abnormal = sorted(
            (r for r in results if r.shown.severity),
            key=lambda r: r.shown.severity != "critical",
        )
        listed.append((report, moment, abnormal, len(results)))
    return await chart_page(
        context, patient_id, "results", "record/results.html", reports=listed, words=events.words
    )


@routes.get(
    "/patients/{patient_id}/results/{report_id}",
    permission=Permission.RESULT_READ,
    patient="patient_id",
)
async def read_report(context: Context, patient_id: str, report_id: str) -> Response[Any]:
    """One report with every result, its own range, and what a correction replaced."""
    report, updated = await reads.one(context.tx, patient_id, "DiagnosticReport", report_id)
    rows = await context.tx.fetch(
        reads.Q.values_of, context.tx.tenant, patient_id, result_ids(report)
    )
    return await chart_page(
        context,
        patient_id,
        "results",
        "record/report.html",
        report=report,
        updated=updated,
        moment=events.care(report),
        title=events.words(report.get("code")),
        results=[result_of(row) for row in rows],
        performers=[str(p.get("display", "")) for p in report.get("performer", ())],
        forms=[form for form in report.get("presentedForm", ()) if form.get("url")],
    )
