"""What happened to this patient, as lanes of the time axis would show it? (Pure.)

Each function reads one kind of resource. Names of places and units that a resource only points to
are given by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liane.rooms.record.observed import instant

Resource = Mapping[str, Any]
Names = Mapping[str, str]

GONE = frozenset({"entered-in-error", "cancelled", "nullified"})
_ACTIVE = frozenset({"active", "in-progress", "completed"})


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something that lasts: a stay in one place, a treatment."""

    id: str
    type: str
    starts: datetime
    ends: datetime | None
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at one moment: a letter, a report, an examination."""

    id: str
    type: str
    at: datetime
    label: str
    kind: str
    detail: str = ""
    count: int = 0


def words(concept: Resource | None) -> str:
    """The words of a CodeableConcept."""
    if not concept:
        return ""
    codings = concept.get("coding", ())
    shown = next((str(c["display"]) for c in codings if c.get("display")), "")
    return str(concept.get("text") or shown or next((c.get("code", "") for c in codings), ""))


def place_name(reference: Resource, names: Names) -> str:
    """What people call the place or unit that a reference points to."""
    target = str(reference.get("reference", ""))
    return str(reference.get("display") or names.get(target, ""))


def stays(encounter: Resource, names: Names) -> list[Stretch]:
    """The places of one venue, one stretch each; the venue itself when it names no place."""
    if encounter.get("status") in GONE | {"planned"}:
        return []
    period = encounter.get("period", {})
    kind = _venue_kind(encounter)
    title = _venue_title(encounter, names)
    found = []
    places = encounter.get("location", ())
    for place in places:
        given = place.get("period", {})
        starts = instant(given.get("start")) or instant(period.get("start"))
        if starts is None or place.get("status") in ("planned", "reserved"):
            continue
        ends = instant(given.get("end")) or instant(period.get("end"))
        label = place_name(place.get("location", {}), names)
        # The venue names the unit that has the patient now: that of the last place.
        if place is places[-1] and title not in label:
            label = _joined(title, label)
        found.append(Stretch(str(encounter["id"]), "Encounter", starts, ends, label or title, kind))
    starts = instant(period.get("start"))
    if not found and starts is not None:
        ends = instant(period.get("end"))
        if ends is None and encounter.get("status") in ("finished", "unknown"):
            ends = starts
        found = [Stretch(str(encounter["id"]), "Encounter", starts, ends, title, kind)]
    return found


def _joined(*parts: str) -> str:
    return " · ".join(dict.fromkeys(part for part in parts if part))


def _venue_kind(encounter: Resource) -> str:
    code = str(encounter.get("class", {}).get("code", ""))
    return {"EMER": "emergency", "AMB": "visit", "VR": "visit", "HH": "visit"}.get(code, "stay")


def _venue_title(encounter: Resource, names: Names) -> str:
    unit = place_name(encounter.get("serviceProvider", {}), names)
    kind = words(next(iter(encounter.get("type", ())), None))
    return unit or kind or str(encounter.get("class", {}).get("code", ""))


def treatment(request: Resource, names: Names) -> Stretch | None:
    """One prescription or reported treatment, with its name, dose, route and rhythm."""
    status = str(request.get("status", ""))
    if status in GONE or request.get("intent") == "proposal":
        return None
    dosages = request.get("dosageInstruction") or request.get("dosage") or ()
    dosage: Resource = next(iter(dosages), {})
    bounds = dosage.get("timing", {}).get("repeat", {}).get("boundsPeriod", {})
    validity = request.get("dispenseRequest", {}).get("validityPeriod", {})
    period = request.get("effectivePeriod", {})
    starts = (
        instant(bounds.get("start"))
        or instant(validity.get("start"))
        or instant(period.get("start"))
        or instant(request.get("effectiveDateTime"))
        or instant(request.get("authoredOn"))
        or instant(request.get("dateAsserted"))
    )
    if starts is None:
        return None
    ends = instant(bounds.get("end")) or instant(validity.get("end")) or instant(period.get("end"))
    if ends is None and status in ("completed", "stopped"):
        ends = starts
    name = words(request.get("medicationCodeableConcept")) or _pointed(request, names)
    label = " ".join(part for part in (name, dose(dosage)) if part)
    return Stretch(
        str(request["id"]), str(request["resourceType"]), starts, ends, label, _drug_kind(status)
    )


def _pointed(request: Resource, names: Names) -> str:
    reference = request.get("medicationReference", {})
    target = str(reference.get("reference", ""))
    if target.startswith("#"):
        for inside in request.get("contained", ()):
            if inside.get("id") == target[1:]:
                return words(inside.get("code"))
    return place_name(reference, names)


def _drug_kind(status: str) -> str:
    return {
        "active": "active",
        "draft": "draft",
        "on-hold": "suspended",
        "stopped": "stopped",
        "completed": "past",
        "intended": "draft",
    }.get(status, "past")


def dose(dosage: Resource) -> str:
    """`1 g × 3/j PO`: as written by the prescriber, else put together from its coded parts."""
    if dosage.get("text"):
        return str(dosage["text"])
    rate: Resource = next(iter(dosage.get("doseAndRate", ())), {})
    quantity = rate.get("doseQuantity", {})
    parts = []
    if "value" in quantity:
        amount = str(quantity["value"]).replace(".", ",")
        parts.append(f"{amount} {quantity.get('unit') or quantity.get('code', '')}".strip())
    repeat = dosage.get("timing", {}).get("repeat", {})
    if "frequency" in repeat and repeat.get("periodUnit") in ("h", "d", "wk"):
        unit = {"h": "h", "d": "j", "wk": "sem."}[repeat["periodUnit"]]
        every = repeat.get("period", 1)
        per = unit if every == 1 else f"{every} {unit}"
        parts.append(f"× {repeat['frequency']}/{per}")
    if route := words(dosage.get("route")):
        parts.append(route)
    if dosage.get("asNeededBoolean"):
        parts.append("si besoin")
    return " ".join(parts)


def study(resource: Resource) -> Moment | None:
    """One imaging study: what was examined, how, how many images."""
    at = instant(resource.get("started"))
    if at is None:
        return None
    series = resource.get("series", ())
    modality = ", ".join(
        dict.fromkeys(
            str(m.get("code", ""))
            for m in (resource.get("modality") or [s.get("modality", {}) for s in series])
            if m.get("code")
        )
    )
    site = words({"coding": [s["bodySite"] for s in series if s.get("bodySite")]})
    label = str(resource.get("description") or "") or site
    label = label or words(next(iter(resource.get("procedureCode", ())), None)) or modality
    count = resource.get("numberOfInstances")
    if count is None:
        count = sum(int(s.get("numberOfInstances") or len(s.get("instance", ()))) for s in series)
    return Moment(str(resource["id"]), "ImagingStudy", at, label, "image", modality, int(count))


_CARE = {
    "DocumentReference": ("letter", ("type", "category"), ("date", "created")),
    "DiagnosticReport": ("report", ("code",), ("effectiveDateTime", "issued")),
    "Condition": ("condition", ("code",), ("onsetDateTime", "recordedDate")),
    "Procedure": ("act", ("code",), ("performedDateTime", "performedPeriod")),
    "Immunization": ("act", ("vaccineCode",), ("occurrenceDateTime",)),
    "ClinicalImpression": ("act", ("description", "code"), ("effectiveDateTime", "date")),
    "Communication": ("act", ("topic", "category"), ("sent", "received")),
}
CARE_TYPES = tuple(_CARE)


def care(resource: Resource) -> Moment | None:
    """One letter, report, act or condition on the lane of care and letters."""
    kind, titles, dates = _CARE[str(resource["resourceType"])]
    if resource.get("status") in GONE | {"superseded", "not-done"}:
        return None
    at = next((at for name in dates if (at := _moment(resource.get(name)))), None)
    if at is None:
        return None
    label = str(resource.get("description") or "") if kind == "letter" else ""
    label = label or next((text for name in titles if (text := _said(resource.get(name)))), "")
    return Moment(str(resource["id"]), str(resource["resourceType"]), at, label, kind)


def _moment(value: object) -> datetime | None:
    if isinstance(value, Mapping):
        return instant(value.get("start")) or instant(value.get("end"))
    return instant(value)


def _said(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return next((text for item in value if (text := _said(item))), "")
    return words(value) if isinstance(value, Mapping) else ""


def references(resources: Iterable[Resource]) -> set[str]:
    """Places, units and medications that these resources point to without naming them."""
    wanted: set[str] = set()
    for resource in resources:
        pointed = [
            resource.get("serviceProvider", {}),
            resource.get("medicationReference", {}),
            *(
                place.get("location", {})
                for place in resource.get("location", ())
                if isinstance(place, Mapping)
            ),
        ]
        wanted.update(
            str(p["reference"])
            for p in pointed
            if p.get("reference") and not p.get("display") and "/" in str(p["reference"])
        )
    return wanted
