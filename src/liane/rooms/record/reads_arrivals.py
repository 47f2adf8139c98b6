"""What has just come into the record of this patient, newest first, each with its age?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from liane.rooms.record import events
from liane.rooms.record.laboratory import Result, result_of
from liane.rooms.record.reads import Q, names_of
from liane.rooms.record.vitals import CODES
from liane.store import Tx

KINDS = {
    "DiagnosticReport": "result",
    "ImagingStudy": "image",
    "DocumentReference": "letter",
    "Encounter": "move",
    "AllergyIntolerance": "alarm",
    "ServiceRequest": "request",
    "MedicationRequest": "drug",
    "Condition": "condition",
}
LATELY = timedelta(hours=36)
MOST = 12
READ = 60
RUN = 3
"""More than this many of one kind at once are shown as two and a number."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One thing that arrived."""

    key: str
    kind: str
    title: str
    detail: str
    arrived: datetime
    at: datetime | None
    href: str
    results: tuple[Result, ...] = ()
    """Abnormal results of a report, gravest first."""
    unvalidated: bool = False
    corrected: bool = False
    others: int = 0
    """How many more of the same kind came with this one."""


async def arrivals(tx: Tx, patient: str) -> list[Arrival]:
    """What arrived in the last 36 hours, whatever its clinical time."""
    since = tx.now - LATELY
    rows = await tx.fetch(Q.arrived, tx.tenant, patient, list(KINDS), since, READ)
    resources = [(row, orjson.loads(row["body"])) for row in rows]
    names = await names_of(tx, [resource for _, resource in resources])
    abnormal = await _abnormal(tx, patient, [r for row, r in resources])
    found = [
        _arrival(patient, row, resource, names, abnormal)
        for row, resource in resources
        if resource.get("status") not in ("cancelled", "planned")
    ]
    rounds = await tx.fetch(Q.arrived_signs, tx.tenant, patient, since, list(CODES))
    found.extend(_round(patient, row) for row in rounds)
    return gathered(sorted(found, key=lambda a: a.arrived, reverse=True))[:MOST]


def gathered(found: Sequence[Arrival]) -> list[Arrival]:
    """The same list with long runs of one kind cut short: after an import of thirty treatments
    the first two stand for the others, whose number is said.
    """
    shown: list[Arrival] = []
    run: list[Arrival] = []
    for arrival in [*found, None]:
        if arrival is not None and run and _alike(run[0], arrival):
            run.append(arrival)
            continue
        shown.extend(run if len(run) <= RUN else [run[0], replace(run[1], others=len(run) - 2)])
        run = [arrival] if arrival is not None else []
    return shown


def _alike(first: Arrival, next_one: Arrival) -> bool:
    """Same kind within a minute; a report that holds something abnormal always stands alone."""
    if first.kind != next_one.kind or first.results or next_one.results:
        return False
    return first.kind != "alarm" and first.arrived - next_one.arrived < timedelta(minutes=1)


def _round(patient: str, row: Mapping[str, Any]) -> Arrival:
    return Arrival(
        key=f"signs-{row['at'].timestamp():.0f}",
        kind="signs",
        title="",
        detail="",
        arrived=row["updated"],
        at=row["at"],
        href=f"/patients/{patient}/vitals",
        unvalidated=row["unvalidated"],
    )


async def _abnormal(
    tx: Tx, patient: str, resources: Iterable[Mapping[str, Any]]
) -> dict[str, list[Result]]:
    """Abnormal results by observation id, for all the reports at once."""
    ids = [i for r in resources if r["resourceType"] == "DiagnosticReport" for i in result_ids(r)]
    if not ids:
        return {}
    found: dict[str, list[Result]] = {}
    for row in await tx.fetch(Q.values_of, tx.tenant, patient, ids):
        result = result_of(row)
        if result.shown.severity:
            found.setdefault(row["resource"], []).append(result)
    return found


def result_ids(report: Mapping[str, Any]) -> list[str]:
    """The ids of the observations of a report."""
    references = (str(item.get("reference", "")) for item in report.get("result", ()))
    return [r.rpartition("/")[2] for r in references if "Observation/" in r]


def _arrival(
    patient: str,
    row: Mapping[str, Any],
    resource: Mapping[str, Any],
    names: Mapping[str, str],
    abnormal: Mapping[str, list[Result]],
) -> Arrival:
    kind = KINDS[row["type"]]
    title, detail = "", ""
    results: tuple[Result, ...] = ()
    at: datetime | None = row["at"]
    match row["type"]:
        case "Encounter":
            places = events.stays(resource, names)
            last = max(places, key=lambda s: s.starts, default=None)
            title = last.label if last else ""
            at = last.starts if last else at
        case "ImagingStudy":
            study = events.study(resource)
            title = study.label if study else ""
            detail = f"{study.detail} {study.count}" if study else ""
        case "DiagnosticReport":
            title = events.words(resource.get("code"))
            listed = [r for i in result_ids(resource) for r in abnormal.get(i, ())]
            results = tuple(sorted(listed, key=lambda r: r.shown.severity != "critical"))
        case "MedicationRequest":
            drug = events.treatment(resource, names)
            title = drug.label if drug else ""
        case "DocumentReference":
            title = str(resource.get("description") or "") or events.words(resource.get("type"))
        case _:
            title = events.words(resource.get("code"))
    corrected = resource.get("status") in ("corrected", "amended", "appended")
    return Arrival(
        key=f"{row['type']}-{row['id']}-{row['version']}",
        kind=kind,
        title=title,
        detail=detail,
        arrived=row["updated"],
        at=at,
        href=address(patient, row["type"], row["id"]),
        results=results,
        corrected=corrected,
    )


def address(patient: str, kind: str, name: str) -> str:
    """The page about one resource of a patient."""
    pages = {"DiagnosticReport": "results", "DocumentReference": "documents"}
    if kind in pages:
        return f"/patients/{patient}/{pages[kind]}/{name}"
    if kind == "ImagingStudy":
        return f"/imaging/studies/{name}"
    return f"/patients/{patient}/history/{kind}/{name}"
