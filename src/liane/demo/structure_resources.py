"""How are the establishments, units, beds and staff of the group written in FHIR?"""

from __future__ import annotations

from collections.abc import Iterator

from liane.demo.group import (
    GROUP_ID,
    Bed,
    Establishment,
    Unit,
    establishments,
    group_name,
    room_location,
    units,
)
from liane.demo.people import Person
from liane.demo.resources import (
    FINESS,
    LIANE,
    RPPS,
    Resource,
    coded,
    concept,
    extension,
    reference,
)
from liane.demo.staff import Colleague, staff, title

PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"
BED_STATUS = "http://terminology.hl7.org/CodeSystem/v2-0116"
TO_CLEAN = "307"
BLOCKED = "312-2"


def structure(present: tuple[Person, ...]) -> Iterator[Resource]:
    """Organizations and Locations, parents first. The beds of `present` people are not to clean."""
    yield {
        "resourceType": "Organization",
        "id": GROUP_ID,
        "active": True,
        "name": group_name(),
        "type": [coded(f"{LIANE}/unit-type", "GHT")],
    }
    for home in establishments().values():
        yield _establishment(home)
        yield _site(home)
    taken = {person.stay.bed.location_id for person in present if person.stay}
    for unit in units().values():
        yield _unit(unit)
        if unit.beds:
            yield _ward(unit)
        for room in unit.rooms:
            yield _room(unit, room)
        for bed in unit.beds:
            yield _bed(unit, bed, taken=bed.location_id in taken)


def colleagues() -> Iterator[Resource]:
    """Practitioners and their roles."""
    for colleague in staff():
        yield _practitioner(colleague)
        yield _practitioner_role(colleague)


def _establishment(home: Establishment) -> Resource:
    return {
        "resourceType": "Organization",
        "id": home.id,
        "active": True,
        "identifier": [{"system": FINESS, "value": home.finess}],
        "type": [coded(f"{LIANE}/unit-type", "ETABLISSEMENT")],
        "name": home.name,
        "alias": [home.short],
        "address": [{"city": home.town, "country": "FR"}],
        "partOf": reference("Organization", GROUP_ID),
    }


def _site(home: Establishment) -> Resource:
    return _location(f"loc-{home.id}", home.name, "si", home.id)


def _unit(unit: Unit) -> Resource:
    return {
        "resourceType": "Organization",
        "id": unit.organization_id,
        "active": True,
        "extension": [extension("pole", valueString=unit.pole)],
        "identifier": [{"system": f"{LIANE}/uf", "value": unit.code}],
        "type": [coded(f"{LIANE}/unit-type", "UF")],
        "name": unit.name,
        "partOf": reference("Organization", unit.establishment.id),
    }


def _ward(unit: Unit) -> Resource:
    parent = f"loc-{unit.establishment.id}"
    return _location(unit.location_id, unit.name, "wa", unit.organization_id, parent)


def _room(unit: Unit, room: str) -> Resource:
    place = room_location(unit.code, room)
    return _location(place, f"Chambre {room}", "ro", unit.organization_id, unit.location_id)


def bed_resource(unit: Unit, bed: Bed, state: str) -> Resource:
    """A bed and its state (HL7 table 0116: U free, K to clean, H being cleaned, C closed)."""
    parent = room_location(unit.code, bed.room)
    found = _location(bed.location_id, bed.label, "bd", unit.organization_id, parent)
    return found | {"operationalStatus": {"system": BED_STATUS, "code": state}}


def _bed(unit: Unit, bed: Bed, *, taken: bool) -> Resource:
    state, why = "U", ""
    if unit.code == "2101" and bed.label == TO_CLEAN:
        state = "K"
    elif unit.code == "2101" and bed.label == BLOCKED:
        state = "C"
        why = "Bloqué : voisin en précautions contact"
    elif not taken and int(bed.location_id.encode().hex()[-2:], 16) % 11 == 3:
        state = "K"
    found = bed_resource(unit, bed, state)
    return found | {"description": why} if why else found


def _location(
    identifier: str, name: str, kind: str, keeper: str, parent: str | None = None
) -> Resource:
    found: Resource = {
        "resourceType": "Location",
        "id": identifier,
        "status": "active",
        "name": name,
        "mode": "instance",
        "physicalType": coded(PHYSICAL_TYPE, kind),
        "managingOrganization": reference("Organization", keeper),
    }
    return found | {"partOf": reference("Location", parent)} if parent else found


def _practitioner(one: Colleague) -> Resource:
    return {
        "resourceType": "Practitioner",
        "id": one.id,
        "active": True,
        "identifier": [
            {"system": f"{LIANE}/login", "value": one.login},
            {"system": RPPS, "value": one.rpps},
        ],
        "name": [{"use": "official", "text": one.name, "family": one.family, "given": [one.given]}],
        "qualification": [{"code": concept(title(one.role))}],
    }


def _practitioner_role(one: Colleague) -> Resource:
    marks = [extension("access-scope", valueCode=one.scope)]
    marks += [
        extension("access-unit", valueReference=reference("Organization", f"uf-{code}"))
        for code in one.unit_codes
    ]
    return {
        "resourceType": "PractitionerRole",
        "id": f"{one.id}-role",
        "extension": marks,
        "active": True,
        "practitioner": reference("Practitioner", one.id, one.name),
        "organization": reference("Organization", one.establishment),
        "code": [concept(title(one.role), f"{LIANE}/staff-role", one.role)],
    }
