"""How is a person, with relatives, allergies, warnings and past, written in FHIR?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from liane.demo.chance import chance
from liane.demo.group import Unit, establishments, wards
from liane.demo.identity import INS_TEST_OID
from liane.demo.people import Allergy, Person, Place
from liane.demo.resources import (
    ACT_CODE,
    ATC,
    COG,
    FR_CORE,
    FR_V2_0203,
    ICD_10,
    LIANE,
    V2_0203,
    Resource,
    coded,
    concept,
    day,
    extension,
    instant,
    reference,
)
from liane.demo.tables import table

SECURITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
ALLERGY_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
CONDITION_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CONDITION_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"


def person_resources(person: Person, now: datetime) -> Iterator[Resource]:
    """Everything known of a person before the present stay."""
    yield patient(person, now)
    yield from _relatives(person)
    yield from _allergies(person, now)
    yield from _background(person, now)
    yield from _flags(person, now)
    yield from _past_stays(person, now)


def patient(person: Person, now: datetime) -> Resource:
    """The Patient resource, in the form of FR Core."""
    marks = [
        extension("identity-status", valueCode=person.status),
        *(extension("identity-attribute", valueCode=name) for name in person.attributes),
        _birth_place(person.place),
    ]
    if person.protected:
        marks.append(extension("protected-identity", valueBoolean=True))
    found: Resource = {
        "resourceType": "Patient",
        "id": person.id,
        "extension": marks,
        "identifier": _identifiers(person),
        "active": True,
        "name": _names(person),
        "telecom": [{"system": "phone", "value": person.phone, "use": "mobile"}],
        "gender": {"M": "male", "F": "female"}.get(person.sex, "unknown"),
        "birthDate": day(person.birth),
        "address": [
            {
                "use": "home",
                "line": [person.street],
                "city": person.town.name,
                "postalCode": person.town.postcode,
                "country": "FR",
            }
        ],
        "managingOrganization": reference("Organization", person.patient_numbers[0][0]),
    }
    if person.protected:
        found["meta"] = {"security": [{"system": SECURITY, "code": "R"}]}
    if person.deceased_days_ago is not None:
        found["deceasedDateTime"] = instant(now - timedelta(days=person.deceased_days_ago))
    return found


def _names(person: Person) -> list[Resource]:
    listed = {
        "url": f"{FR_CORE}/fr-core-patient-birth-list-given-name",
        "valueString": " ".join(person.given),
    }
    official: Resource = {
        "extension": [listed],
        "use": "official",
        "family": person.family,
        "given": list(person.given),
    }
    if not person.used_family:
        return [official]
    return [official, {"use": "usual", "family": person.used_family, "given": [person.given[0]]}]


def _birth_place(place: Place) -> Resource:
    code = {
        "url": f"{FR_CORE}/fr-core-address-insee-code",
        "valueCoding": {"system": COG, "code": place.cog},
    }
    return {
        "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
        "valueAddress": {"extension": [code], "city": place.name},
    }


def _identifiers(person: Person) -> list[Resource]:
    found: list[Resource] = []
    if person.ins:
        found.append(
            {
                "use": "official",
                "type": coded(FR_V2_0203, "INS-NIR-TEST"),
                "system": f"urn:oid:{INS_TEST_OID}",
                "value": person.ins,
            }
        )
    for key, value in person.patient_numbers:
        home = establishments()[key]
        found.append(
            {
                "use": "usual",
                "type": coded(V2_0203, "PI"),
                "system": f"urn:oid:{home.ipp_oid}",
                "value": value,
                "assigner": {"display": home.short},
            }
        )
    return found


def _relatives(person: Person) -> Iterator[Resource]:
    draw = chance("relative", person.number)
    if person.stay is None and draw.random() < 0.7:
        return
    sex = draw.choice("MF")
    kind, words = draw.choice(
        (("SONC", "fils"), ("SPS", "conjoint"))
        if sex == "M"
        else (("DAUC", "fille"), ("SPS", "conjointe"))
    )
    given = draw.choice(table("names")["first"][sex]["middle"])
    family = person.used_family or person.family
    if person.number == 12:
        sex, kind, words, given = "M", "SONC", "fils", "Paul"
    yield {
        "resourceType": "RelatedPerson",
        "id": f"{person.id}-relative",
        "extension": [extension("trusted-person", valueBoolean=True)],
        "active": True,
        "patient": reference("Patient", person.id),
        "relationship": [concept(words, ROLE, kind)],
        "name": [{"family": family, "given": [given]}],
        "telecom": [{"system": "phone", "value": f"06 39 98 {person.number % 100:02d} 99"}],
        "gender": {"M": "male", "F": "female"}[sex],
    }


def _allergies(person: Person, now: datetime) -> Iterator[Resource]:
    if person.allergies is None:
        return
    base: Resource = {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": coded(ALLERGY_CLINICAL, "active"),
        "patient": reference("Patient", person.id),
    }
    if not person.allergies:
        none = concept("Aucune allergie connue", f"{LIANE}/allergy", "no-known-allergy")
        yield base | {
            "id": f"{person.id}-allergy-none",
            "code": none,
            "verificationStatus": coded(ALLERGY_VERIFICATION, "confirmed"),
            "recordedDate": day(now.date()),
        }
    for number, one in enumerate(person.allergies, 1):
        yield base | {"id": f"{person.id}-allergy-{number}"} | _allergy(one)


def _allergy(one: Allergy) -> Resource:
    status = "confirmed" if one.confirmed else "unconfirmed"
    code = table("allergies")["codes"].get(one.substance, "")
    system = ATC if one.category == "medication" else f"{LIANE}/allergen"
    return {
        "verificationStatus": coded(ALLERGY_VERIFICATION, status),
        "type": "allergy",
        "category": [one.category],
        "criticality": "high" if one.severe else "low",
        "code": concept(one.substance, system, code),
        "onsetDateTime": str(one.year),
        "recordedDate": str(one.year),
        "reaction": [
            {
                "manifestation": [concept(one.reaction)],
                "severity": "severe" if one.severe else "moderate",
            }
        ],
    }


def _background(person: Person, now: datetime) -> Iterator[Resource]:
    for key in person.background:
        row = table("backgrounds")[key]
        draw = chance("since", person.number, key)
        since = max(person.birth.year, now.year - draw.randint(1, 18))
        yield {
            "resourceType": "Condition",
            "id": f"{person.id}-{key.replace('_', '-')}",
            "clinicalStatus": coded(
                CONDITION_CLINICAL, "resolved" if row.get("past") else "active"
            ),
            "verificationStatus": coded(CONDITION_VERIFICATION, "confirmed"),
            "category": [coded(CONDITION_CATEGORY, "problem-list-item")],
            "code": concept(row["label"], ICD_10, row["icd"]),
            "subject": reference("Patient", person.id),
            "onsetDateTime": str(since),
            "recordedDate": f"{since}-06-15",
        }


def _flags(person: Person, now: datetime) -> Iterator[Resource]:
    for key in person.flags:
        row = table("flags")[key]
        since = now - timedelta(hours=min(person.stay.hours if person.stay else 0, 40))
        yield {
            "resourceType": "Flag",
            "id": f"{person.id}-flag-{key}",
            "status": "active",
            "category": [coded(f"{LIANE}/flag-category", row["category"])],
            "code": concept(row["label"], f"{LIANE}/flag", key),
            "subject": reference("Patient", person.id),
            "period": {"start": instant(since)},
        }


def _past_stays(person: Person, now: datetime) -> Iterator[Resource]:
    """Earlier stays: an Encounter that has ended and the condition that explained it."""
    draw = chance("past", person.number)
    homes = dict(person.patient_numbers)
    possible = [
        unit
        for unit in wards()
        if unit.establishment.id in homes
        and not unit.resident
        and unit.sex in {None, person.sex}
        and _suits(unit, person, now.date())
    ]
    count = draw.choice((0, 1, 1, 2)) if person.stay else draw.choice((1, 1, 2, 3))
    latest = (person.deceased_days_ago or 0) + (40 if person.stay else 4)
    for number in range(1, count + 1 if possible else 1):
        unit = draw.choice(possible)
        story = draw.choice(unit.stories)
        starts = now - timedelta(days=draw.randint(latest, latest + 1400), hours=draw.random() * 24)
        if starts.date() <= person.birth:
            continue
        ends = starts + timedelta(hours=min(400, 30 + draw.expovariate(1 / 70)))
        yield _past_stay(person, unit, story, number, (starts, min(ends, now)))


def _suits(unit: Unit, person: Person, today: date) -> bool:
    low, high = unit.ages or (16, 120)
    return low <= person.age(today) <= high + 2


def _past_stay(
    person: Person, unit: Unit, story: str, number: int, period: tuple[datetime, datetime]
) -> Resource:
    row = table("stories")["story"][story]
    span = {"start": instant(period[0]), "end": instant(period[1])}
    venue = f"{period[0]:%y}{500_000 + person.number * 5 + number}"
    display = {"EMER": "emergency", "IMP": "inpatient encounter"}[unit.encounter_class]
    return {
        "resourceType": "Encounter",
        "id": f"{person.id}-stay-{number}",
        "identifier": [
            {
                "type": coded(V2_0203, "VN"),
                "system": f"urn:oid:{unit.establishment.venue_oid}",
                "value": venue,
            }
        ],
        "status": "finished",
        "class": {"system": ACT_CODE, "code": unit.encounter_class, "display": display},
        "subject": reference("Patient", person.id),
        "period": span,
        "reasonCode": [concept(row["label"], ICD_10, row["icd"])],
        "serviceProvider": reference("Organization", unit.organization_id, unit.name),
        "location": [
            {"location": reference("Location", unit.location_id, unit.name), "period": span}
        ],
    }
