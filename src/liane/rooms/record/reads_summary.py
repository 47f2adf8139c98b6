"""What must a carer know of this patient before anything else?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from liane.base.i18n import HOSPITAL_ZONE
from liane.rooms.record import events, head
from liane.rooms.record.laboratory import Result, Series, series_of
from liane.rooms.record.observed import instant
from liane.rooms.record.reads import (
    TREATMENTS,
    latest_signs,
    names_of,
    resources_of,
    results_between,
)
from liane.store import Tx
from liane.ui.values import Shown

_TYPES = (
    "Condition",
    "AllergyIntolerance",
    "Encounter",
    *TREATMENTS,
    "ImagingStudy",
    "DocumentReference",
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem or antecedent."""

    id: str
    label: str
    since: str
    """As precise as it was recorded: 2009, 03/2009, 14/03/2009."""
    until: str
    active: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """The page a new carer reads first."""

    problems: list[Problem]
    past: list[Problem]
    allergies: tuple[head.Allergy, ...]
    allergy_state: head.AllergyState
    treatments: list[events.Stretch]
    signs: dict[str, Shown]
    abnormal: list[Result]
    studies: list[events.Moment]
    letters: list[events.Moment]
    stays: list[events.Stretch]


async def summary(tx: Tx, patient: str) -> Summary:
    """Read the summary of one patient."""
    found = await resources_of(tx, patient, _TYPES, 120)
    encounters = head.visible_encounters(found["Encounter"])
    drugs = [r for kind in TREATMENTS for r in found[kind]]
    names = await names_of(tx, [*encounters, *drugs])
    treatments = [d for r in drugs if (d := events.treatment(r, names))]
    problems = [p for r in found["Condition"] if (p := _problem(r))]
    allergies, state = head.allergies_of(found["AllergyIntolerance"])
    results = await results_between(tx, patient, tx.now - timedelta(days=30), tx.now)
    stays = [s for e in encounters for s in events.stays(e, names)]
    return Summary(
        problems=[p for p in problems if p.active],
        past=[p for p in problems if not p.active][:12],
        allergies=allergies,
        allergy_state=state,
        treatments=[t for t in treatments if t.kind in ("active", "suspended", "draft")],
        signs=await latest_signs(tx, patient),
        abnormal=_abnormal(series_of(results)),
        studies=_newest([s for r in found["ImagingStudy"] if (s := events.study(r))]),
        letters=_newest([c for r in found["DocumentReference"] if (c := events.care(r))]),
        stays=sorted(stays, key=lambda s: s.starts, reverse=True)[:8],
    )


def _problem(resource: Mapping[str, Any]) -> Problem | None:
    verification = resource.get("verificationStatus", {}).get("coding", ())
    if any(c.get("code") in ("entered-in-error", "refuted") for c in verification):
        return None
    status = next((c.get("code") for c in resource.get("clinicalStatus", {}).get("coding", ())), "")
    return Problem(
        id=str(resource["id"]),
        label=events.words(resource.get("code")),
        since=_as_precise(resource.get("onsetDateTime") or resource.get("recordedDate")),
        until=_as_precise(resource.get("abatementDateTime")),
        active=status not in ("inactive", "remission", "resolved"),
    )


def _as_precise(text: object) -> str:
    """A FHIR date no more precise than it was given; a time is left out."""
    given = str(text or "")
    if len(given) > 10:
        at = instant(given)
        given = at.astimezone(HOSPITAL_ZONE).date().isoformat() if at else ""
    return "/".join(reversed(given.split("-")))


def _abnormal(series: list[Series]) -> list[Result]:
    """The last result of each analysis, when it is outside; critical first."""
    last = [one.results[-1] for one in series]
    outside = [r for r in last if r.shown.severity]
    return sorted(outside, key=lambda r: (r.shown.severity != "critical", -r.at.timestamp()))[:12]


def _newest(moments: list[events.Moment]) -> list[events.Moment]:
    return sorted(moments, key=lambda m: m.at, reverse=True)[:6]
