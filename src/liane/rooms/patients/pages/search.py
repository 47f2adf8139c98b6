"""What does the search box answer while somebody types?"""

from __future__ import annotations

from typing import Any

from litestar import Response

from liane.access import gate
from liane.access.permissions import Permission
from liane.rooms.patients.pages.routes import routes
from liane.rooms.patients.reads.search import search
from liane.ui.routing import Context


@routes.get("/search", permission=Permission.PATIENT_SEARCH)
async def look_for_people(context: Context) -> Response[Any]:
    """The people meant by `q`: lines for the search box, or a page of its own."""
    text = context.query.get("q", "")
    hits = await search(context.tx, context.actor, text)
    context.read_patients.extend(hit.person.id for hit in hits)
    charts = gate.may(context.actor, Permission.CHART_READ)
    template = "patients/hits.html" if context.fragment else "patients/search.html"
    return context.render(template, hits=hits, query=text, charts=charts)
