"""People, units and beds for the tests of the patients room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.patients.ward_people import GAM, NOW, moved, person
from tests.rooms.patients.ward_site import PEOPLE, Ward
from tests.ui.site import site

from liane.base.clock import FrozenClock
from liane.rooms import patients
from liane.rooms.patients import pages
from liane.rooms.record.projection import project as project_record
from liane.store import Database


@pytest.fixture
async def house(database: Database) -> Database:
    """The record, its clock stopped on 2 March 2026 at noon UTC."""
    database.clock = FrozenClock(NOW)
    database.projections = (patients.project,)
    return database


@pytest.fixture
def admit(house: Database) -> Callable[..., Any]:
    """Register a person and admit them to a bed; gives the patient id."""

    async def do(
        ipp: str, bed: str | None, unit: str = "3101", *, hour: float = -5, **traits: Any
    ) -> str:
        async with house.transaction() as tx:
            known = await patients.register_identity(
                tx, GAM, person(ipp=ipp, **traits), source="GAM", at=NOW
            )
            room = bed.split("-")[0] if bed else None
            await patients.record_movement(
                tx,
                GAM,
                moved(
                    known.patient_id, "A01", hour, venue=f"V{ipp}", unit=unit, room=room, bed=bed
                ),
            )
        return known.patient_id

    return do


@pytest.fixture
async def ward(database: Database, tmp_path: Path) -> AsyncIterator[Ward]:
    async with site(
        database, tmp_path, [pages.routes], ["liane.rooms.patients"], role="medecin"
    ) as served:
        database.projections = (patients.project, project_record)
        ids = {}
        for name, (ipp, bed, traits) in PEOPLE.items():
            body = person(ipp=ipp, status="validee", **traits)
            if name == "secret":
                body["meta"] = {"security": [{"code": "R"}]}
            async with database.transaction() as tx:
                known = await patients.register_identity(tx, GAM, body, source="GAM", at=NOW)
                place = {"unit": "3101", "room": bed.split("-")[0], "bed": bed}
                await patients.record_movement(
                    tx, GAM, moved(known.patient_id, "A01", -5, venue=f"V{ipp}", key=ipp, **place)
                )
            ids[name] = known.patient_id
        yield Ward(served, ids)
