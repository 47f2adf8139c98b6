"""How do units and beds stay in step with the hospital's own list of places?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from liane.fhir import json
from liane.rooms.patients.rules import places as rules
from liane.store import Tx
from liane.store.resources import read_many
from liane.store.sql import queries

Q = queries("liane.rooms.patients", "places.sql")
Resource = dict[str, Any]


async def project(tx: Tx, resources: Sequence[Resource]) -> None:
    """Keep units and beds in step with Organization and Location resources."""
    units = [rules.unit_row(r) for r in resources if rules.is_unit(r)]
    if units:
        await tx.execute(Q["units"], tx.tenant, json.dumps(units))
    beds = [r for r in resources if rules.is_bed(r)]
    if beds:
        wards = await _wards(tx, resources)
        rows = [rules.bed_row(bed, wards) for bed in beds]
        await tx.execute(Q["beds_of_locations"], tx.tenant, json.dumps(rows), tx.now)


async def _wards(tx: Tx, resources: Sequence[Resource]) -> dict[str, Resource]:
    """These Locations, and those that hold them, three walls outwards."""
    around = {r["id"]: r for r in resources if r["resourceType"] == "Location"}
    asked = set(around)
    for _ in range(3):
        parents = {rules.parent_of(r) for r in around.values()} - asked - {""}
        if not parents:
            break
        asked |= parents
        found = await read_many(tx, "Location", sorted(parents))
        around.update({id_: json.loads(v.body) for id_, v in found.items() if not v.deleted})
    return around
