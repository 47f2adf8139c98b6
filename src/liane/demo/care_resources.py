"""How are the vital signs and treatments of a stay written in FHIR?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from liane.demo.chance import chance
from liane.demo.course import story_of
from liane.demo.people import Person
from liane.demo.person_resources import (
    CONDITION_CATEGORY,
    CONDITION_CLINICAL,
    CONDITION_VERIFICATION,
)
from liane.demo.resources import (
    ATC,
    ICD_10,
    LOINC,
    UCUM,
    Resource,
    coded,
    concept,
    instant,
    reference,
)
from liane.demo.signs import Signs, signs_at
from liane.demo.staff import doctors_of
from liane.demo.tables import table

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
WEIGHT, HEIGHT = ("29463-7", "Poids"), ("8302-2", "Taille")
WORDS = {
    "A": ("LA9340-6", "Éveillé"),
    "C": ("", "Confusion nouvelle"),
    "V": ("", "À la voix"),
    "P": ("", "À la douleur"),
    "U": ("", "Inconscient"),
}


def stay_resources(person: Person, now: datetime) -> Iterator[Resource]:
    """The reason for the stay, its treatments, weight and height, and the rounds of signs."""
    stay = person.stay
    if stay is None:
        return
    admitted = now - timedelta(hours=stay.hours)
    yield _reason(person, stay.story, admitted)
    yield from _treatments(person, admitted)
    weighed = now - timedelta(hours=min(stay.hours * 0.9, 20))
    yield _quantity(person, "weight", weighed, WEIGHT, (person.weight_kg, "kg", "kg"))
    yield _quantity(person, "height", admitted, HEIGHT, (person.height_cm, "cm", "cm"))
    for number, hours in enumerate(round_hours(person)):
        signs = signs_at(person, stay.story, hours)
        at = admitted + timedelta(hours=hours)
        yield from round_resources(person, f"r{number}", signs, at)


def round_hours(person: Person) -> list[float]:
    """The hours of the stay at which a nurse took the vital signs."""
    stay = person.stay
    if stay is None:
        return []
    if stay.unit.code == "2101" and stay.bed.label == "312-1":
        return [float(row[0]) for row in table("dubreuil")["signs"]]
    last = stay.hours - (
        0.2 if stay.unit.code == "2101" else chance("last", person.number).random() * 3
    )
    if stay.unit.resident:
        return [last]
    whole = stay.unit.code == "2101"
    step, count = (4.0, 30) if whole else (4.0, 5) if stay.unit.monitored else (8.0, 3)
    return sorted(last - step * index for index in range(count) if last - step * index > 0)


def round_resources(
    person: Person, key: str, signs: Signs, at: datetime, *, device: str = ""
) -> Iterator[Resource]:
    """One round of vital signs: seven Observations. From a device they wait for a nurse."""
    rows = (
        ("hr", ("8867-4", "Fréquence cardiaque"), (signs.heart_rate, "/min", "/min")),
        ("rr", ("9279-1", "Fréquence respiratoire"), (signs.respiratory_rate, "/min", "/min")),
        ("spo2", ("59408-5", "SpO₂"), (signs.spo2, "%", "%")),
        ("temp", ("8310-5", "Température"), (signs.temperature, "°C", "Cel")),
        ("o2", ("3151-8", "Oxygène"), (signs.oxygen, "L/min", "L/min")),
    )
    for name, code, value in rows:
        if device and name in {"temp", "o2"}:
            continue
        yield _quantity(person, f"{key}-{name}", at, code, value, device=device)
    yield _pressure(person, f"{key}-bp", at, signs, device)
    if not device:
        loinc, words = WORDS[signs.consciousness]
        mind = _observation(person, f"{key}-mind", at, ("67775-7", "Conscience"))
        yield mind | {"valueCodeableConcept": concept(words, LOINC, loinc)}


def _observation(
    person: Person, key: str, at: datetime, code: tuple[str, str], device: str = ""
) -> Resource:
    found: Resource = {
        "resourceType": "Observation",
        "id": f"{person.id}-{key}",
        "status": "preliminary" if device else "final",
        "category": [coded(CATEGORY, "vital-signs")],
        "code": concept(code[1], LOINC, code[0]),
        "subject": reference("Patient", person.id),
        "effectiveDateTime": instant(at),
    }
    return found | {"device": {"display": device}} if device else found


def _quantity(
    person: Person,
    key: str,
    at: datetime,
    code: tuple[str, str],
    value: tuple[float, str, str],
    *,
    device: str = "",
) -> Resource:
    number, unit, ucum = value
    whole = int(number) if float(number).is_integer() and ucum != "Cel" else number
    quantity = {"value": whole, "unit": unit, "system": UCUM, "code": ucum}
    return _observation(person, key, at, code, device) | {"valueQuantity": quantity}


def _pressure(person: Person, key: str, at: datetime, signs: Signs, device: str) -> Resource:
    both = (
        ("8480-6", "Pression systolique", signs.systolic),
        ("8462-4", "Pression diastolique", signs.diastolic),
    )
    components = [
        {
            "code": concept(label, LOINC, code),
            "valueQuantity": {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
        }
        for code, label, value in both
    ]
    base = _observation(person, key, at, ("85354-9", "Pression artérielle"), device)
    return base | {"component": components}


def _reason(person: Person, story: str, admitted: datetime) -> Resource:
    row = story_of(story)
    return {
        "resourceType": "Condition",
        "id": f"{person.id}-reason",
        "clinicalStatus": coded(CONDITION_CLINICAL, "active"),
        "verificationStatus": coded(CONDITION_VERIFICATION, "confirmed"),
        "category": [coded(CONDITION_CATEGORY, "encounter-diagnosis")],
        "code": concept(row["label"], ICD_10, row["icd"]),
        "subject": reference("Patient", person.id),
        "onsetDateTime": instant(admitted),
        "recordedDate": instant(admitted),
    }


def _treatments(person: Person, admitted: datetime) -> Iterator[Resource]:
    stay = person.stay
    if stay is None:
        return
    names = list(story_of(stay.story).get("medicines", []))
    home = [
        name for key in person.background for name in table("backgrounds")[key].get("medicines", [])
    ]
    for number, name in enumerate(dict.fromkeys([*names, *home])):
        delay = 1.5 + 2.5 * number if name in names else 14.0
        starts = admitted + timedelta(hours=min(delay, stay.hours * 0.6))
        yield treatment(person, name, starts, None, stay.unit.code)
    if person.number == 12:
        stopped = (admitted + timedelta(hours=1.2), admitted + timedelta(hours=3))
        yield treatment(person, "amoxicilline", stopped[0], stopped[1], stay.unit.code)


def treatment(
    person: Person, name: str, starts: datetime, ends: datetime | None, unit_code: str
) -> Resource:
    """A prescription of the ward: drug, dose with unit, rhythm and route, since when."""
    row = table("medicines")[name]
    amount, unit = row["dose"]
    written = (
        f"{amount:n}".replace(".", ",")
        if amount < 1000
        else f"{amount // 1000} {amount % 1000:03d}"
    )
    rhythm = f" × {row['times']}/j" if row["times"] > 1 else "/j" if row["times"] == 1 else ""
    bounds = {"start": instant(starts)} | ({"end": instant(ends)} if ends else {})
    repeat: Resource = {"boundsPeriod": bounds}
    if row["times"]:
        repeat |= {"frequency": row["times"], "period": 1, "periodUnit": "d"}
    doctor = doctors_of(unit_code)[0]
    found: Resource = {
        "resourceType": "MedicationRequest",
        "id": f"{person.id}-rx-{name.replace('_', '-')}",
        "status": "stopped" if ends else "active",
        "intent": "order",
        "medicationCodeableConcept": concept(row["label"], ATC, row["atc"]),
        "subject": reference("Patient", person.id),
        "authoredOn": instant(starts),
        "requester": reference("Practitioner", doctor.id, doctor.name),
        "dosageInstruction": [
            {
                "text": f"{written} {unit}{rhythm} {row['route']}",
                "timing": {"repeat": repeat},
                "route": {"text": row["route"]},
                "doseAndRate": [{"doseQuantity": {"value": amount, "unit": unit}}],
            }
        ],
    }
    return found | {"statusReason": concept("Allergie")} if ends else found
