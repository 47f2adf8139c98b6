"""How do values stay ready to be drawn, in step with the resources that state them?

Called by every action that writes Observations, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from liane.rooms.record.observed import values_of
from liane.store import Tx
from liane.store.resources import Version
from liane.store.sql import queries

Q = queries("liane.rooms.record", "projection.sql")

_COLUMNS = (
    "kind",
    "at",
    "resource",
    "part",
    "system",
    "code",
    "label",
    "unit",
    "method",
    "shown",
    "number",
    "comparator",
    "flag",
    "low",
    "high",
    "range",
    "status",
    "updated",
)


async def project(tx: Tx, versions: Sequence[Version]) -> None:
    """Bring the values of these versions up to date; other resource types are passed over."""
    observations = [version for version in versions if version.type == "Observation"]
    if not observations:
        return
    latest = {version.id: version for version in observations}
    rows: list[tuple[object, ...]] = []
    kept: list[tuple[str, int]] = []
    for version in latest.values():
        stated = [] if version.deleted else _rows(version)
        rows.extend(stated)
        if version.version > 1:
            kept.append((version.id, 1 + max((int(str(row[4])) for row in stated), default=-1)))
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await tx.execute(Q.keep_values, tx.tenant, *columns)
    if kept:
        ids, parts = zip(*kept, strict=True)
        await tx.execute(Q.drop_parts, tx.tenant, list(ids), list(parts))


def _rows(version: Version) -> list[tuple[object, ...]]:
    """Patient, then the columns of one row per value."""
    observation = version.resource
    patient = _patient_of(observation)
    if patient is None:
        return []
    rows = []
    for value in values_of(observation, version.updated):
        facts = {"resource": version.id, "updated": version.updated}
        cells = (facts[name] if name in facts else getattr(value, name) for name in _COLUMNS)
        rows.append((patient, *cells))
    return rows


def _patient_of(observation: dict[str, object]) -> str | None:
    subject = observation.get("subject")
    reference = str(subject.get("reference", "")) if isinstance(subject, dict) else ""
    kind, _, name = reference.rpartition("/")
    return name if name and kind.rpartition("/")[2] == "Patient" else None
