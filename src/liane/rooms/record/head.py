"""What does the top of every page about a patient say? (Pure.)

Who it is, where, which allergies in one of four states, which precautions, how heavy and since
when, how unwell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from liane.rooms.record.events import GONE, Stretch, stays, words
from liane.rooms.record.news2 import Scale
from liane.rooms.record.observed import instant
from liane.rooms.record.vitals import Round
from liane.ui.identity import Identity
from liane.ui.values import Shown

Resource = Mapping[str, Any]
AllergyState = Literal["listed", "unconfirmed", "none_known", "not_recorded"]

ALLERGY_SYSTEM = "https://liane.example/fhir/allergy"
SECOND_SCALE = "spo2-echelle-2"
_NONE_KNOWN = frozenset({"no-known-allergy", "716186003", "409137002", "428607008", "428197003"})
_OPEN = frozenset({"in-progress", "arrived", "triaged", "onleave"})


@dataclass(frozen=True, slots=True)
class Allergy:
    """One allergy or intolerance, as the banner says it."""

    id: str
    substance: str
    reaction: str
    severity: str
    """severe, moderate, mild or nothing."""
    high: bool
    since: str
    """Year or date, as recorded."""
    confirmed: bool
    vague: bool
    """Typed as free text without a substance code: precision is asked for."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Where the patient is now."""

    encounter: str
    venue: str
    place: str
    unit: str
    since: datetime | None
    starts: datetime | None
    emergency: bool


@dataclass(frozen=True, slots=True)
class Head:
    """Everything above the chart."""

    identity: Identity
    stay: Stay | None
    allergies: tuple[Allergy, ...]
    allergy_state: AllergyState
    flags: tuple[str, ...]
    weight: Shown | None
    round: Round | None
    trend: int | None


def allergies_of(resources: Iterable[Resource]) -> tuple[tuple[Allergy, ...], AllergyState]:
    """The active allergies, gravest first, and which of the four states they make."""
    listed: list[Allergy] = []
    none_known = False
    for resource in resources:
        if _code(resource.get("verificationStatus")) in ("entered-in-error", "refuted"):
            continue
        if _code(resource.get("clinicalStatus")) in ("inactive", "resolved"):
            continue
        codes = {str(c.get("code")) for c in resource.get("code", {}).get("coding", ())}
        if codes & _NONE_KNOWN:
            none_known = True
        else:
            listed.append(_allergy(resource))
    if listed:
        listed.sort(key=lambda a: (not a.high, not a.confirmed, a.substance.casefold()))
        certain = any(allergy.confirmed for allergy in listed)
        return tuple(listed), "listed" if certain else "unconfirmed"
    return (), "none_known" if none_known else "not_recorded"


def _allergy(resource: Resource) -> Allergy:
    reactions = list(resource.get("reaction", ()))
    manifestations = [words(m) for r in reactions for m in r.get("manifestation", ())]
    severities = [str(r.get("severity", "")) for r in reactions]
    severity = next((s for s in ("severe", "moderate", "mild") if s in severities), "")
    since = str(resource.get("onsetDateTime") or resource.get("recordedDate") or "")
    return Allergy(
        id=str(resource.get("id", "")),
        substance=words(resource.get("code")),
        reaction=", ".join(dict.fromkeys(text for text in manifestations if text)),
        severity=severity,
        high=severity == "severe" or resource.get("criticality") == "high",
        since=since[:4],
        confirmed=_code(resource.get("verificationStatus")) == "confirmed",
        vague=not any(c.get("code") for c in resource.get("code", {}).get("coding", ())),
    )


def _code(concept: object) -> str:
    if not isinstance(concept, Mapping):
        return ""
    return str(next((c.get("code", "") for c in concept.get("coding", ())), ""))


def flags_of(resources: Iterable[Resource]) -> tuple[str, ...]:
    """Precautions and alerts in force, in the words of those who set them."""
    shown = [
        words(resource.get("code"))
        for resource in resources
        if resource.get("status", "active") == "active"
    ]
    return tuple(dict.fromkeys(text for text in shown if text))


def scale_of(flags: Iterable[Resource]) -> Scale:
    """The scale of oxygen saturation that the alerts of a patient set (a prescriber's decision)."""
    for flag in flags:
        codes = {coding.get("code") for coding in flag.get("code", {}).get("coding", ())}
        if SECOND_SCALE in codes and flag.get("status") == "active":
            return 2
    return 1


def reason_of(conditions: Iterable[Resource]) -> str:
    """Why the patient is here, in the words of the latest active diagnosis of a stay, or ""."""
    for condition in conditions:
        categories = {_code(category) for category in condition.get("category", ())}
        active = _code(condition.get("clinicalStatus")) in ("", "active", "recurrence", "relapse")
        refuted = _code(condition.get("verificationStatus")) in ("refuted", "entered-in-error")
        if "encounter-diagnosis" in categories and active and not refuted:
            return words(condition.get("code"))
    return ""


def present_stay(encounters: Sequence[Resource], names: Mapping[str, str]) -> Stay | None:
    """The stay that is going on, if any: the latest open one, hospital stays before visits."""
    going_on = [e for e in encounters if e.get("status") in _OPEN]
    going_on.sort(key=lambda e: str(e.get("period", {}).get("start", "")), reverse=True)
    going_on.sort(key=lambda e: e.get("class", {}).get("code") not in ("IMP", "ACUTE", "EMER"))
    if not going_on:
        return None
    encounter = going_on[0]
    places = [s for s in stays(encounter, names) if s.ends is None]
    here: Stretch | None = max(places, key=lambda s: s.starts, default=None)
    venue = next((str(i.get("value", "")) for i in encounter.get("identifier", ())), "")
    unit = encounter.get("serviceProvider", {})
    return Stay(
        encounter=str(encounter["id"]),
        venue=venue,
        place=here.label if here else "",
        unit=str(unit.get("display") or names.get(str(unit.get("reference", "")), "")),
        since=here.starts if here else None,
        starts=instant(encounter.get("period", {}).get("start")),
        emergency=encounter.get("class", {}).get("code") == "EMER",
    )


def visible_encounters(encounters: Iterable[Resource]) -> list[Resource]:
    """Those that took place or are going on."""
    return [e for e in encounters if e.get("status") not in GONE]
