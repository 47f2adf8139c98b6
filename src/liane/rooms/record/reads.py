"""What does the record know of one patient, read in as few questions as possible?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from liane.base.errors import NotFound
from liane.rooms.record import events, head, timeline, vitals
from liane.rooms.record.head import Head
from liane.rooms.record.laboratory import Result, Series, pinned_codes, result_of, series_of
from liane.rooms.record.news2 import Scale
from liane.rooms.record.vitals import CODES, Sign, rounds_of, sign_of
from liane.store import Tx
from liane.store.sql import queries
from liane.ui.identity import identity_of
from liane.ui.values import Shown

Q = queries("liane.rooms.record", "chart.sql")
Resource = dict[str, Any]

MOST_VALUES = 20_000
MOST_OF_A_TYPE = 300
LAST_SHOWN = 8
TREATMENTS = ("MedicationRequest", "MedicationStatement")
AXIS_TYPES = ("Encounter", "ImagingStudy", *TREATMENTS, *events.CARE_TYPES)
HEAD_TYPES = ("Patient", "AllergyIntolerance", "Flag", "Encounter")


async def resources_of(
    tx: Tx, patient: str, types: Sequence[str], most: int = MOST_OF_A_TYPE
) -> dict[str, list[Resource]]:
    """The latest resources of these types, by type."""
    found: dict[str, list[Resource]] = {kind: [] for kind in types}
    for row in await tx.fetch(Q.of_types, tx.tenant, patient, list(types), most):
        resource = orjson.loads(row["body"])
        resource["_updated"] = row["updated"]
        found[row["type"]].append(resource)
    return found


async def one(tx: Tx, patient: str, kind: str, name: str) -> tuple[Resource, datetime]:
    """One resource of this patient; raises `NotFound` for anybody else's."""
    row = await tx.fetchrow(Q.one, tx.tenant, patient, kind, name)
    if row is None:
        raise NotFound(
            "record.not-found",
            "Cet élément n'existe pas dans le dossier de ce patient.",
            "There is no such item in this patient's record.",
        )
    return orjson.loads(row["body"]), row["updated"]


async def names_of(tx: Tx, resources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Names of the places, units and medications that these resources only point to."""
    wanted = [reference.split("/")[-2:] for reference in events.references(resources)]
    if not wanted:
        return {}
    types, ids = zip(*wanted, strict=True)
    rows = await tx.fetch(Q.names, tx.tenant, list(types), list(ids))
    return {row["reference"]: row["name"] for row in rows if row["name"]}


async def signs_between(
    tx: Tx, patient: str, starts: datetime, ends: datetime
) -> tuple[list[Sign], bool]:
    """Vital signs in a stretch of time, oldest first; the flag says that older ones were left."""
    rows = await tx.fetch(
        Q.values_between, tx.tenant, patient, "v", starts, ends, MOST_VALUES, list(CODES)
    )
    scale = await scale_of(tx, patient)
    signs = [sign for row in reversed(rows) if (sign := sign_of(row, scale))]
    return signs, len(rows) == MOST_VALUES


async def scale_of(tx: Tx, patient: str) -> Scale:
    """The scale of oxygen saturation that a prescriber set for this patient."""
    return 2 if await tx.fetchval(Q.second_scale, tx.tenant, patient) else 1


async def results_between(
    tx: Tx, patient: str, starts: datetime, ends: datetime, kind: str = "l"
) -> list[Result]:
    """Laboratory results in a stretch of time, oldest first."""
    rows = await tx.fetch(Q.all_between, tx.tenant, patient, kind, starts, ends, MOST_VALUES)
    return [result_of(row) for row in reversed(rows)]


async def chart_head(tx: Tx, patient: str) -> Head:
    """The banner of this patient; raises `NotFound` when there is no such patient."""
    found = await resources_of(tx, patient, HEAD_TYPES, 60)
    if not found["Patient"]:
        raise NotFound(
            "record.no-patient",
            "Ce patient n'existe pas, ou vous n'y avez pas accès.",
            "There is no such patient, or you may not see it.",
        )
    encounters = head.visible_encounters(found["Encounter"])
    going_on = [e for e in encounters if e.get("status") == "in-progress"] or encounters[:1]
    names = await names_of(tx, going_on)
    allergies, state = head.allergies_of(found["AllergyIntolerance"])
    latest = await latest_signs(tx, patient)
    signs, _ = await signs_between(tx, patient, tx.now - timedelta(hours=12), tx.now)
    now, trend = vitals.latest_news(rounds_of(signs))
    return Head(
        identity=identity_of(found["Patient"][0]),
        stay=head.present_stay(encounters, names),
        allergies=allergies,
        allergy_state=state,
        flags=head.flags_of(found["Flag"]),
        weight=latest.get("weight"),
        round=now,
        trend=trend,
    )


async def latest_signs(tx: Tx, patient: str) -> dict[str, Shown]:
    """The last value of each vital sign, by name."""
    rows = await tx.fetch(Q.latest_values, tx.tenant, patient, tx.now, list(CODES))
    latest: dict[str, Shown] = {}
    scale = await scale_of(tx, patient)
    for row in rows:
        sign = sign_of(row, scale)
        if sign is None:
            continue
        held = latest.get(sign.name)
        if held is None or held.at is None or sign.at > held.at:
            latest[sign.name] = sign.result.shown
    return latest


@dataclass(frozen=True, slots=True)
class Axis:
    """Everything that the time axis shows in one window."""

    view: timeline.Window
    stays: list[events.Stretch]
    treatments: list[events.Stretch]
    studies: list[events.Moment]
    care: list[events.Moment]
    signs: list[Sign]
    series: list[Series]
    partial: bool


async def axis(
    tx: Tx, patient: str, window_name: str, pins: Sequence[str], *, whole: bool = True
) -> Axis:
    """Read all lanes for one window.

    With `whole` false only what the first view needs: the last day of signs, the last results.
    """
    found = await resources_of(tx, patient, AXIS_TYPES)
    encounters = head.visible_encounters(found["Encounter"])
    drugs = [r for kind in TREATMENTS for r in found[kind]]
    names = await names_of(tx, [*encounters, *drugs])
    stays = [s for e in encounters for s in events.stays(e, names)]
    first = await tx.fetchval(Q.first_event, tx.tenant, patient) if window_name == "life" else None
    view = timeline.window(window_name, tx.now, stay_bounds(encounters, stays, tx.now), first)
    signs_from = view.starts if whole else max(view.starts, tx.now - timedelta(hours=24))
    signs, partial = await signs_between(tx, patient, signs_from, view.ends)
    return Axis(
        view=view,
        stays=stays,
        treatments=[d for r in drugs if (d := events.treatment(r, names))],
        studies=[s for r in found["ImagingStudy"] if (s := events.study(r))],
        care=[c for kind in events.CARE_TYPES for r in found[kind] if (c := events.care(r))],
        signs=signs,
        series=await _pinned_series(tx, patient, view, pins, whole=whole),
        partial=partial,
    )


async def _pinned_series(
    tx: Tx, patient: str, view: timeline.Window, pins: Sequence[str], *, whole: bool
) -> list[Series]:
    """The pinned analyses: in the window with the last result before it, or only the latest."""
    counts = await tx.fetch(Q.codes_known, tx.tenant, patient)
    codes = pinned_codes({row["code"]: row["results"] for row in counts}, pins)
    if not codes:
        return []
    if whole:
        rows = await tx.fetch(
            Q.values_between, tx.tenant, patient, "l", view.starts, view.ends, MOST_VALUES, codes
        )
        rows += await tx.fetch(Q.last_before, tx.tenant, patient, view.starts, codes)
    else:
        rows = await tx.fetch(Q.last_of_codes, tx.tenant, patient, codes, LAST_SHOWN)
    series = series_of(result_of(row) for row in rows)
    return [one for code in codes for one in series if one.code == code]


def stay_bounds(
    encounters: Sequence[Mapping[str, Any]], stays: Sequence[events.Stretch], now: datetime
) -> tuple[datetime, datetime | None] | None:
    """The present stay (no end), else the latest hospital stay, else the latest contact."""
    open_ids = {e["id"] for e in encounters if e.get("status") == "in-progress"}
    begun = [s for s in stays if s.starts <= now]
    going_on = [s for s in begun if s.id in open_ids]
    pool = going_on or [s for s in begun if s.kind in ("stay", "emergency")] or begun
    if not pool:
        return None
    recent = max(pool, key=lambda s: s.starts).id
    of_stay = [s for s in pool if s.id == recent]
    starts = min(s.starts for s in of_stay)
    if going_on:
        return starts, None
    return starts, max(s.ends or s.starts for s in of_stay)
