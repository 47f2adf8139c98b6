"""Which messages does each thing that happens in the hospital cause?

Each function takes the hospital and gives the parcels to hand over. Times are those of the wall
clock: a simulator that plays fast makes more happen, never in the future.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from liane.demo.adt import Move, movement_message
from liane.demo.care_resources import round_resources
from liane.demo.chance import chance
from liane.demo.course import story_of
from liane.demo.documents import letter_message
from liane.demo.expectations import (
    expected_letter,
    expected_movement,
    expected_report,
    expected_study,
)
from liane.demo.group import Unit, units
from liane.demo.hospital import Hospital, Lodger, hospital_wards, suitable
from liane.demo.images import study_of
from liane.demo.laboratory import (
    Sample,
    correctable,
    correction_of,
    report_message,
    sample_at,
    text_message,
)
from liane.demo.ledger import Parcel
from liane.demo.letters import DISCHARGE, Letter, story_letter
from liane.demo.people import Person
from liane.demo.resources import Resource
from liane.demo.signs import signs_at
from liane.demo.structure_resources import bed_resource

EMERGENCY = {"chu": "1001", "chg": "5001"}
FIRST_LETTER = 1_000_000


def movement(hospital: Hospital, person: Person, move: Move, now: datetime) -> Parcel:
    """A movement, announced now."""
    control_id = f"V{hospital.number():08d}"
    payload = movement_message(person, move, control_id, now)
    return Parcel(control_id, "hl7", person.id, payload, expected_movement(person, move))


def emergency_arrival(hospital: Hospital, draw: Random, now: datetime) -> list[Parcel]:
    """Somebody comes to an emergency department, if a box is free."""
    home = draw.choice(("chu", "chu", "chg"))
    unit = units()[EMERGENCY[home]]
    beds = hospital.free_beds(unit)
    people = [one for one in hospital.absent(home) if suitable(one, unit, now)]
    if not beds or not people:
        return []
    person = draw.choice(people)
    move = hospital.arrive(person, unit, draw.choice(beds), draw.choice(unit.stories), now)
    return [movement(hospital, person, move, now)]


def planned_arrival(hospital: Hospital, draw: Random, now: datetime) -> list[Parcel]:
    """Somebody is admitted straight to a ward."""
    home = draw.choice(("chu", "chu", "chg"))
    unit = draw.choice(hospital_wards(home))
    beds = hospital.free_beds(unit)
    people = [one for one in hospital.absent(home) if suitable(one, unit, now)]
    if not beds or not people:
        return []
    person = draw.choice(people)
    move = hospital.arrive(person, unit, draw.choice(beds), draw.choice(unit.stories), now)
    return [movement(hospital, person, move, now)]


def end_of_stage(hospital: Hospital, lodger: Lodger, draw: Random, now: datetime) -> list[Parcel]:
    """The time has come to go on to a ward, or home with a letter."""
    person = hospital.people[lodger.person]
    unit, _ = lodger.place
    stays = unit.encounter_class == "EMER" or unit.monitored or unit.code == "1002"
    if stays and draw.random() < (0.4 if unit.encounter_class == "EMER" else 0.9):
        moved = _to_a_ward(hospital, lodger, draw, now)
        if moved:
            return moved
    letter = _letter(hospital, lodger, now)
    move = hospital.leave(lodger, now)
    return [letter, movement(hospital, person, move, now)]


def _to_a_ward(hospital: Hospital, lodger: Lodger, draw: Random, now: datetime) -> list[Parcel]:
    person = hospital.people[lodger.person]
    unit, _ = lodger.place
    wanted = [
        ward
        for ward in hospital_wards(unit.establishment.id)
        if suitable(person, ward, now)
        and not ward.monitored
        and hospital.free_beds(ward)
        and ward.code != unit.code
    ]
    if not wanted:
        return []
    best = [ward for ward in wanted if lodger.story in ward.stories] or wanted
    ward = draw.choice(best)
    move = hospital.transfer(lodger, ward, draw.choice(hospital.free_beds(ward)), now)
    found = [movement(hospital, person, move, now)]
    if move.event == "A02" and draw.random() < 0.08:
        hospital.put_back(replace(lodger, leaves=hospital.hours + 1))
        found.append(movement(hospital, person, move.cancelled(), now))
    return found


def change_of_bed(hospital: Hospital, draw: Random, now: datetime) -> list[Parcel]:
    """Somebody changes bed inside the ward."""
    lodger = draw.choice(list(hospital.lodgers.values()))
    unit, _ = lodger.place
    beds = hospital.free_beds(unit)
    if not beds or unit.resident or lodger.person == 12 or lodger.encounter_class == "E":
        return []
    move = hospital.transfer(lodger, unit, draw.choice(beds), now)
    return [movement(hospital, hospital.people[lodger.person], move, now)]


def blood_sample(hospital: Hospital, lodger: Lodger, draw: Random, now: datetime) -> list[Parcel]:
    """A laboratory report; now and then words of microbiology; sometimes put right later."""
    person = hospital.people[lodger.person]
    unit, _ = lodger.place
    every = 400.0 if unit.resident else 10.0 if unit.monitored else 22.0
    hospital.plan(lodger, sampled=hospital.hours + every * draw.uniform(0.8, 1.2))
    sample = replace(
        sample_at(
            person,
            hospital.current_move(lodger, now),
            lodger.story,
            hospital.hours - lodger.began,
            f"V{hospital.number():07d}",
            taken=(now - timedelta(minutes=draw.uniform(25, 50))).replace(microsecond=0),
        ),
        reported=now,
    )
    found = [report(hospital, sample)]
    words = story_of(lodger.story).get("micro")
    if words and draw.random() < 0.15:
        control_id = f"V{hospital.number():08d}"
        payload = text_message(sample, ("18725-2", "Microbiologie"), words, control_id)
        found.append(Parcel(control_id, "hl7", person.id, payload))
    if correctable(sample) and draw.random() < 0.03:
        found.append(report(hospital, correction_of(sample, now + timedelta(seconds=1))))
    return found


def report(hospital: Hospital, sample: Sample) -> Parcel:
    """The message of a sample."""
    control_id = f"V{hospital.number():08d}"
    payload = report_message(sample, control_id)
    return Parcel(control_id, "hl7", sample.person.id, payload, expected_report(sample))


def round_of_signs(
    hospital: Hospital, lodger: Lodger, draw: Random, now: datetime, *, device: str = ""
) -> list[Parcel]:
    """A nurse's round of vital signs, or what a monitor reads and nobody has accepted yet."""
    person = hospital.people[lodger.person]
    unit, _ = lodger.place
    if not device:
        every = 24.0 if unit.resident else 1.0 if unit.monitored else 4.0
        hospital.plan(lodger, rounded=hospital.hours + every * draw.uniform(0.85, 1.15))
    key = f"s{hospital.number():07d}"
    signs = signs_at(person, lodger.story, hospital.hours - lodger.began)
    resources = list(round_resources(person, key, signs, now, device=device))
    return [_written(person, key, resources)]


def _written(person: Person, key: str, resources: Sequence[Resource]) -> Parcel:
    expects = {
        "what": "resources",
        "ids": [f"{one['resourceType']}/{one['id']}" for one in resources],
    }
    payload = json.dumps(list(resources), ensure_ascii=False).encode()
    return Parcel(f"F{person.number:05d}{key}", "fhir", person.id, payload, expects)


def examination(hospital: Hospital, draw: Random, now: datetime) -> list[Parcel]:
    """An imaging study arrives, picture after picture."""
    lodgers = [one for one in hospital.lodgers.values() if story_of(one.story).get("imaging")]
    if not lodgers:
        return []
    lodger = draw.choice(lodgers)
    person = hospital.people[lodger.person]
    unit, _ = lodger.place
    name = draw.choice(story_of(lodger.story)["imaging"])
    number = hospital.number()
    study = study_of(person, name, number, now, unit, key="simulator")
    last = len(study.instances) - 1
    return [
        Parcel(
            f"D{number:07d}{index:03d}",
            "dicom",
            person.id,
            instance,
            expected_study(study) if index == last else {},
        )
        for index, instance in enumerate(study.instances)
    ]


def housekeeping(hospital: Hospital) -> list[Parcel]:
    """Beds that were left are cleaned: to clean, then being cleaned, then free."""
    found = []
    for place, (due, state) in list(hospital.dirty.items()):
        if due > hospital.hours:
            continue
        unit = units()[place.split("-")[1]]
        bed = next(one for one in unit.beds if one.location_id == place)
        after = "H" if state == "K" else "U"
        hospital.clean(place, (hospital.hours + 0.4, "H") if after == "H" else None)
        resource = bed_resource(unit, bed, after)
        control_id = f"B{hospital.number():08d}"
        expects = {"what": "resources", "ids": [f"Location/{place}"]}
        payload = json.dumps([resource], ensure_ascii=False).encode()
        found.append(Parcel(control_id, "fhir", place, payload, expects))
    return found


def monitored(hospital: Hospital) -> list[Lodger]:
    """Whose monitor speaks: bed 312-1, and one bed of each continuous-care unit."""
    found: dict[str, Lodger] = {}
    for lodger in hospital.lodgers.values():
        if lodger.bed == "loc-2101-312-1" or units()[lodger.unit].monitored:
            found.setdefault(lodger.unit, lodger)
    return list(found.values())


def _letter(hospital: Hospital, lodger: Lodger, now: datetime) -> Parcel:
    person = hospital.people[lodger.person]
    unit: Unit = lodger.place[0]
    number = str(FIRST_LETTER + hospital.number())
    letter: Letter = story_letter(number, DISCHARGE, person, unit, lodger.story, now)
    control_id = f"V{hospital.number():08d}"
    as_cda = chance("cda", control_id).random() < 0.25
    payload = letter_message(letter, hospital.current_move(lodger, now), control_id, as_cda=as_cda)
    return Parcel(control_id, "hl7", person.id, payload, expected_letter(letter))
