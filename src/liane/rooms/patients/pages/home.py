"""What does each profession find on its first page: the work across its patients?"""

from __future__ import annotations

from typing import Any

from litestar import Response

from liane.access import gate
from liane.access.permissions import Permission
from liane.rooms.patients.pages.routes import routes
from liane.rooms.patients.reads import identities
from liane.rooms.patients.reads.board import Unit, read_board, units_of
from liane.rooms.patients.rules.board import Board, to_look_at
from liane.ui.routing import Context

OWN_BOARDS_SHOWN = 4
"""Units whose patients are looked through for the home page."""


@routes.get("/", permission=Permission.SIGNED_IN)
async def home(context: Context) -> Response[Any]:
    """Own units and the patients who ask to be looked at; identities; the consoles of the DSI."""
    own, others = await _units(context)
    boards = [
        await read_board(context.tx, context.actor, unit.id, context.services.tile_facts)
        for unit in own[:OWN_BOARDS_SHOWN]
        if unit.present or unit.expected
    ]
    look = [(board, tile) for board in boards for tile in to_look_at(board.tiles)]
    look.sort(key=lambda pair: (-(pair[1].facts.news2 or 0), -pair[1].facts.unread))
    if not context.fragment:
        shown = [tile.person.id for board in boards for tile in board.tiles if tile.person]
        context.read_patients.extend(shown)
    staff = gate.may(context.actor, Permission.IDENTITY_MERGE)
    template = "patients/home_live.html" if context.fragment else "patients/home.html"
    return context.render(
        template,
        own=own,
        others=others,
        boards=boards,
        look=look[:24],
        expected=_expected(boards),
        tasks=await identities.worklist(context.tx, 12) if staff else None,
        interfaces=gate.may(context.actor, Permission.INTERFACES_VIEW),
        charts=gate.may(context.actor, Permission.CHART_READ),
    )


async def _units(context: Context) -> tuple[list[Unit], list[Unit]]:
    """The units the person works in, and the others the person's scope reaches."""
    units = await units_of(context.tx, context.actor)
    mine = {unit for role in context.actor.roles for unit in role.units}
    return [u for u in units if u.id in mine], [u for u in units if u.id not in mine and u.beds]


def _expected(boards: list[Board]) -> list[tuple[Board, Any]]:
    arrivals = [(board, tile) for board in boards for tile in board.expected]
    return sorted(arrivals, key=lambda pair: pair[1].since.timestamp() if pair[1].since else 0)
