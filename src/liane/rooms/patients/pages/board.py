"""What does the ward see on its board: beds, patients, what asks to be looked at?"""

from __future__ import annotations

from typing import Any

from litestar import Response

from liane.access import gate
from liane.access.permissions import Permission
from liane.rooms.patients.actions.places import set_bed_state
from liane.rooms.patients.pages.routes import routes
from liane.rooms.patients.reads.board import read_board, units_of
from liane.rooms.patients.rules.board import to_look_at
from liane.ui.routing import Context

STATION, CORRIDOR = "poste", "couloir"
IDLE_SECONDS = 180
"""After this time without anybody, a board that names patients is blurred."""


@routes.get("/ward", permission=Permission.BOARD_VIEW)
async def choose_ward(context: Context) -> Response[Any]:
    """The board of the reader's first unit, or the list of the units when there are several."""
    units = await units_of(context.tx, context.actor)
    own = [u for u in units if any(u.id in role.units for role in context.actor.roles)]
    if context.query.get("all") != "1" and (own or len(units) == 1):
        return context.redirect(f"/units/{(own or units)[0].id}")
    return context.render("patients/units.html", units=units)


@routes.get("/units/{unit_id}", permission=Permission.BOARD_VIEW)
async def open_board(context: Context, unit_id: str) -> Response[Any]:
    """The board of a unit, or only its living part when the page asks for it again."""
    mode = CORRIDOR if context.query.get("mode") == CORRIDOR else STATION
    board = await read_board(context.tx, context.actor, unit_id, context.services.tile_facts)
    context.journal_detail |= {"unit": unit_id, "mode": mode}
    if mode == STATION and not context.fragment:
        context.read_patients.extend(t.person.id for t in board.tiles if t.person)
    template = "patients/board_live.html" if context.fragment else "patients/board.html"
    return context.render(
        template,
        board=board,
        mode=mode,
        look=to_look_at(board.tiles),
        idle_seconds=IDLE_SECONDS,
        may_set=gate.may(context.actor, Permission.BED_WRITE),
        may_open=gate.may(context.actor, Permission.CHART_READ),
        states=("U", "K", "H", "C", "I"),
    )


@routes.post("/units/{unit_id}/beds/{location}", permission=Permission.BED_WRITE)
async def change_bed_state(context: Context, unit_id: str, location: str) -> Response[Any]:
    """Say that an empty bed is clean, to clean, being cleaned, closed or blocked."""
    await gate.require_unit(context.tx, context.actor, Permission.BED_WRITE, unit=unit_id)
    form = await context.form()
    unit = await set_bed_state(
        context.tx, context.actor, location, form.get("state", ""), unit=unit_id
    )
    return context.redirect(f"/units/{unit}")
