"""Which Organization and Locations does a point of care written by a sender stand for?

Ids are made from the codes, so that two processes learning the same bed at once learn one bed.
"""

from __future__ import annotations

import re
from typing import Any

from liane.base.text import fold

from .values import Place, PointOfCare

Resource = dict[str, Any]

UNIT_TYPE = "https://liane.example/fhir/unit-type"
LEARNT = "https://liane.example/fhir/learnt-from-messages"
PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"
_NOT_ID = re.compile(r"[^a-z0-9]+")


def slug(text: str) -> str:
    """A code as part of a FHIR id: lower case, unaccented, dashes."""
    return _NOT_ID.sub("-", fold(text)).strip("-")[:24]


def place_of(point: PointOfCare) -> Place:
    """The ids for a point of care. A bed needs its unit; a bed without a room stands alone."""
    unit = slug(point.unit or "")
    if not unit:
        return Place()
    if point.unit and point.unit.startswith("uf-"):
        unit = slug(point.unit[3:])
    ward = f"loc-{unit}"
    room = f"{ward}-{slug(point.room)}" if point.room and slug(point.room) else None
    bed_code = _bed_code(point)
    bed = f"{ward}-{bed_code}-lit" if bed_code else None
    return Place(unit=f"uf-{unit}", ward=ward, room=room, bed=bed)


def _bed_code(point: PointOfCare) -> str | None:
    bed, room = slug(point.bed or ""), slug(point.room or "")
    if not bed:
        return None
    return bed if not room or bed.startswith(room) else f"{room}-{bed}"


def bed_label(point: PointOfCare) -> str:
    """What people call the bed: 309-2."""
    bed, room = (point.bed or "").strip(), (point.room or "").strip()
    return bed if not room or bed.startswith(room) else f"{room}-{bed}"


def learnt(point: PointOfCare, establishment: str | None) -> list[Resource]:
    """The resources to create for a point of care seen for the first time, outermost first."""
    place = place_of(point)
    if place.unit is None or place.ward is None:
        return []
    marks = [{"url": LEARNT, "valueBoolean": True}]
    name = (point.unit or "").removeprefix("uf-")
    unit: Resource = {
        "resourceType": "Organization",
        "id": place.unit,
        "extension": marks,
        "active": True,
        "type": [{"coding": [{"system": UNIT_TYPE, "code": "UF"}]}],
        "name": f"UF {name}",
    }
    if establishment:
        unit["partOf"] = {"reference": f"Organization/{establishment}"}
    found = [unit, _location(place.ward, "wa", f"UF {name}", place.unit, None)]
    if place.room:
        found.append(_location(place.room, "ro", (point.room or ""), place.unit, place.ward))
    if place.bed:
        inside = place.room or place.ward
        found.append(_location(place.bed, "bd", bed_label(point), place.unit, inside))
    return found


def _location(id_: str, kind: str, name: str, unit: str, inside: str | None) -> Resource:
    location: Resource = {
        "resourceType": "Location",
        "id": id_,
        "extension": [{"url": LEARNT, "valueBoolean": True}],
        "status": "active",
        "name": name,
        "physicalType": {"coding": [{"system": PHYSICAL, "code": kind}]},
        "managingOrganization": {"reference": f"Organization/{unit}"},
    }
    if inside:
        location["partOf"] = {"reference": f"Location/{inside}"}
    return location


BED_STATUS = "http://terminology.hl7.org/CodeSystem/v2-0116"
_DIGITS = re.compile(r"\d+")


BED_STATES = frozenset({"U", "K", "H", "C", "I"})
"""Unoccupied, contaminated (to clean), housekeeping, closed, isolated (HL7 table 0116)."""


def may_be_set(state: str) -> bool:
    """Whether people may put an empty bed in that state; occupied follows from stays alone."""
    return state in BED_STATES


def is_unit(resource: Resource) -> bool:
    """Whether an Organization is a care unit (UF)."""
    codes = [c for t in resource.get("type") or [] for c in t.get("coding") or []]
    return resource["resourceType"] == "Organization" and any(
        c.get("system") == UNIT_TYPE or c.get("code") == "UF" for c in codes
    )


def is_bed(resource: Resource) -> bool:
    """Whether a Location is a bed."""
    codings = (resource.get("physicalType") or {}).get("coding") or []
    return resource["resourceType"] == "Location" and any(c.get("code") == "bd" for c in codings)


def parent_of(location: Resource) -> str:
    """The id of the Location that holds this one, or ""."""
    return _id_in(location.get("partOf"))


def unit_row(organization: Resource) -> dict[str, Any]:
    """The row of `patients.unit`."""
    return {
        "unit": organization["id"],
        "name": organization.get("name", organization["id"]),
        "establishment": _id_in(organization.get("partOf")),
        "learnt": any(e.get("url") == LEARNT for e in organization.get("extension") or []),
        "active": organization.get("active", True),
    }


def bed_row(bed: Resource, around: dict[str, Resource]) -> dict[str, Any]:
    """The row of `patients.bed`; unit and ward are found by walking outwards."""
    ward, room, unit = "", "", _id_in(bed.get("managingOrganization"))
    here: Resource | None = bed
    for _ in range(4):
        here = around.get(parent_of(here)) if here else None
        if here is None:
            break
        kind = _kind(here)
        room = here["id"] if kind == "ro" else room
        ward = here["id"] if kind in {"wa", "si", "bu"} else ward
        unit = unit or _id_in(here.get("managingOrganization"))
    label = str(bed.get("name") or bed["id"])
    state = (bed.get("operationalStatus") or {}).get("code", "U")
    digits = [int(part) for part in _DIGITS.findall(label)[:2]]
    return {
        "location": bed["id"],
        "unit": unit,
        "ward": ward,
        "room": room,
        "label": label,
        "rank": (digits[0] % 100_000) * 100 + (digits[1] % 100 if len(digits) > 1 else 0)
        if digits
        else 0,
        "state": "U" if state == "O" or state not in BED_STATES else state,
        "active": bed.get("status", "active") == "active",
        "note": "?" if "operationalStatus" not in bed else str(bed.get("description", "")),
    }


def _kind(location: Resource) -> str:
    codings = (location.get("physicalType") or {}).get("coding") or []
    return str(codings[0].get("code", "")) if codings else ""


def _id_in(reference: Any) -> str:
    text = str((reference or {}).get("reference", ""))
    return text.rpartition("/")[2]
