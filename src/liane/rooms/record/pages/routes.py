"""Which addresses are the record's, and what do all its pages share?"""

from __future__ import annotations

from typing import Any

from litestar import Response

from liane.rooms.record import reads
from liane.ui.routing import Context, Routes

routes = Routes("record")


async def chart_page(
    context: Context, patient_id: str, place: str, template: str, /, **values: Any
) -> Response[bytes]:
    """A page inside the chart frame: the banner above, the chart's own navigation beside."""
    head = await reads.chart_head(context.tx, patient_id)
    return context.render(template, head=head, patient=patient_id, place=place, **values)
