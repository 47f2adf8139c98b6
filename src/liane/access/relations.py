"""Which ties join a patient to units, establishments and carers right now?

A lean table beside the record: the patients room writes it with each movement, the gate reads it
with each access. A row is valid from `starts` until `ends`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from liane.access.decision import PatientFacts, Relation, RelationKind
from liane.store import Tx
from liane.store.sql import queries

Q = queries("liane.access", "relations.sql")


@dataclass(frozen=True, slots=True)
class RelationRow:
    """One tie to store. Unit and establishment are Organization ids; `ends` None = still open."""

    kind: RelationKind
    starts: datetime
    ends: datetime | None = None
    unit: str = ""
    establishment: str = ""
    practitioner: str = ""


async def replace_for_encounter(
    tx: Tx, patient: str, encounter: str, rows: Sequence[RelationRow]
) -> None:
    """Make `rows` the only ties of this encounter (an empty list removes them all)."""
    await tx.execute(
        Q["replace_for_encounter"],
        tx.tenant,
        patient,
        encounter,
        [row.kind for row in rows],
        [row.unit for row in rows],
        [row.establishment for row in rows],
        [row.practitioner for row in rows],
        [row.starts for row in rows],
        [row.ends for row in rows],
    )


async def replace_care_team(tx: Tx, patient: str, source: str, rows: Sequence[RelationRow]) -> None:
    """Make `rows` the only care-team ties that come from `source` (a CareTeam id)."""
    await replace_for_encounter(tx, patient, f"CareTeam/{source}", rows)


async def move_patient(tx: Tx, retired: str, survivor: str) -> None:
    """Give the ties of a retired identity to the surviving one (merge)."""
    await tx.execute(Q["move_patient"], tx.tenant, retired, survivor)


async def facts_of(tx: Tx, patient: str, *, ever: bool = False) -> PatientFacts:
    """What the decision needs to know of this patient at `tx.now`; with `ever`, past and coming
    ties too (a program of an establishment keeps the patients the establishment has had).
    """
    rows = await tx.fetch(Q["facts_of"], tx.tenant, patient, tx.now, ever)
    return PatientFacts(
        relations=tuple(
            Relation(row["kind"], row["unit"], row["establishment"], row["practitioner"])
            for row in rows
            if row["kind"] != "protected"
        ),
        protected=any(row["kind"] == "protected" for row in rows),
    )


async def units_of_patients(tx: Tx, patients: Sequence[str]) -> dict[str, list[str]]:
    """The units where each patient is present or expected at `tx.now`; absent ones are left out."""
    rows = await tx.fetch(Q["units_of_patients"], tx.tenant, list(patients), tx.now)
    return {row["patient"]: list(row["units"]) for row in rows}


async def establishment_of_unit(tx: Tx, unit: str) -> str | None:
    """The establishment a unit belongs to, as its patients' ties tell it."""
    establishment: str | None = await tx.fetchval(Q["establishment_of_unit"], tx.tenant, unit)
    return establishment
