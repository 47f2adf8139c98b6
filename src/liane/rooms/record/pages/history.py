"""Where does a carer see what was changed in a record, when and by whom?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from litestar import Response

from liane.access.permissions import Permission
from liane.base.errors import NotFound
from liane.fhir import json as fhir_json
from liane.rooms.record import reads
from liane.rooms.record.changes import changes
from liane.rooms.record.pages.routes import chart_page, routes
from liane.ui.routing import Context

MOST = 80


@routes.get(
    "/patients/{patient_id}/history", permission=Permission.CHART_READ, patient="patient_id"
)
async def list_changes(context: Context, patient_id: str) -> Response[Any]:
    """The latest versions written in this record."""
    before = _before(context)
    rows = await context.tx.fetch(
        reads.Q.changes_of_patient, context.tx.tenant, patient_id, before, MOST
    )
    authors = await _authors(context, patient_id, rows)
    return await chart_page(
        context,
        patient_id,
        "history",
        "record/history.html",
        rows=[(row, authors.get(f"{row['type']}/{row['id']}/{row['version']}")) for row in rows],
        more=rows[-1]["updated"].isoformat() if len(rows) == MOST else "",
    )


def _before(context: Context) -> datetime:
    try:
        at = datetime.fromisoformat(context.query.get("before", ""))
    except ValueError:
        return datetime.fromisoformat("9999-01-01T00:00:00+00:00")
    return at if at.tzinfo else context.tx.now


async def _authors(context: Context, patient_id: str, rows: list[Any]) -> dict[str, Any]:
    """Who wrote each version and why, from the journal entries of the same instants."""
    if not rows:
        return {}
    times = [row["updated"] for row in rows]
    found = await context.tx.fetch(
        reads.Q.journal_of, context.tx.tenant, patient_id, min(times), max(times)
    )
    by_resource: dict[str, Any] = {}
    for entry in found:
        for reference in entry["resources"] or ():
            by_resource.setdefault(str(reference), entry)
    return by_resource


@routes.get(
    "/patients/{patient_id}/history/{kind}/{resource_id}",
    permission=Permission.CHART_READ,
    patient="patient_id",
)
async def read_versions(
    context: Context, patient_id: str, kind: str, resource_id: str
) -> Response[Any]:
    """Every version of one item, each with what it changed."""
    rows = await context.tx.fetch(
        reads.Q.history_of, context.tx.tenant, patient_id, kind, resource_id
    )
    if not rows:
        raise NotFound(
            "record.not-found",
            "Cet élément n'existe pas dans le dossier de ce patient.",
            "There is no such item in this patient's record.",
        )
    bodies = [fhir_json.loads(row["body"]) if row["body"] else {} for row in rows]
    named = [
        {"type": kind, "id": resource_id, "version": row["version"], "updated": row["updated"]}
        for row in rows
    ]
    authors = await _authors(context, patient_id, named)
    versions = [
        (
            row,
            changes(bodies[index + 1], bodies[index]) if index + 1 < len(rows) else [],
            authors.get(f"{kind}/{resource_id}/{row['version']}"),
        )
        for index, row in enumerate(rows)
    ]
    return await chart_page(
        context,
        patient_id,
        "history",
        "record/versions.html",
        versions=versions,
        kind=kind,
        resource_id=resource_id,
        body=bodies[0],
    )
