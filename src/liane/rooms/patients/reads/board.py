"""Who lies where in a unit right now, and which units does this person look after?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liane.access import gate
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.access.policy import permissions_of
from liane.base.errors import NotFound
from liane.rooms.patients.rules import board as rules
from liane.rooms.patients.rules.board import Board
from liane.store import Tx
from liane.store.sql import queries
from liane.ui.services import TileFactsReader

Q = queries("liane.rooms.patients", "board.sql")


@dataclass(frozen=True, slots=True)
class Unit:
    """One care unit, with the counts of its board."""

    id: str
    name: str
    establishment: str
    beds: int
    present: int
    expected: int


async def read_board(tx: Tx, actor: Actor, unit: str, facts: TileFactsReader) -> Board:
    """The board of a unit. Raises `NotFound` when there is no such unit."""
    await gate.require_unit(tx, actor, Permission.BOARD_VIEW, unit=unit)
    head = await tx.fetchrow(Q["unit"], tx.tenant, unit)
    if head is None:
        raise NotFound(
            "patients.unit-unknown", "Cette unité n'existe pas.", "There is no such unit."
        )
    beds = rules.beds_of(await tx.fetch(Q["beds"], tx.tenant, unit))
    present = await _whom(tx, actor, Q["present"], 3, tx.tenant, unit)
    expected = await _whom(tx, actor, Q["expected"], 4, tx.tenant, unit, tx.now)
    seen = [row["patient"] for row in present if row["may_see"]]
    clinical = gate.may(actor, Permission.CHART_READ)
    known: Mapping[str, Any] = await facts(tx, seen) if seen and clinical else {}
    return Board(
        unit=unit,
        name=head["name"],
        tiles=rules.tiles_of(beds, present, known, tx.now, expected),
        expected=rules.arrivals_of(expected, present),
        clinical=clinical,
    )


async def _whom(tx: Tx, actor: Actor, sql: str, first: int, *arguments: Any) -> Sequence[Any]:
    """The rows of `sql`, each with `may_see`: whether the gate lets this reader see the person."""
    limit, more = gate.visible_patients_sql(actor, Permission.BOARD_VIEW)
    placed = gate.place(limit, "s.patient", first)
    return await tx.fetch(sql.replace("{may_see}", f"({placed})"), *arguments, *more)


async def units_of(tx: Tx, actor: Actor) -> list[Unit]:
    """The units whose boards this person may open, by name."""
    roles = [r for r in actor.roles if Permission.BOARD_VIEW in permissions_of(r.code)]
    if not roles:
        return []
    wanted: list[str] | None = [unit for role in roles for unit in role.units]
    wide = {role.establishment for role in roles if role.scope == "establishment"}
    if any(role.scope == "group" for role in roles):
        wanted = None
    elif wide:
        rows = await tx.fetch(Q["units_of_establishments"], tx.tenant, sorted(wide))
        wanted = [*(wanted or []), *(row["unit"] for row in rows)]
    own = {unit for role in roles for unit in role.units}
    rows = await tx.fetch(Q["units"], tx.tenant, wanted, tx.now)
    return [
        Unit(
            row["unit"],
            row["name"],
            row["establishment_name"] or row["establishment"],
            row["beds"],
            row["present"],
            row["expected"],
        )
        for row in rows
        if row["beds"] or row["present"] or row["expected"] or row["unit"] in own
    ]
