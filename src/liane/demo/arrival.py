"""What do the hospital's systems send about a person who is present at the start?

In order: the movements, the samples, words of microbiology, letters, images.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from liane.demo.adt import Move, movement_message
from liane.demo.chance import chance
from liane.demo.course import story_of
from liane.demo.documents import letter_message
from liane.demo.expectations import (
    expected_letter,
    expected_movement,
    expected_report,
    expected_study,
)
from liane.demo.images import STUDIES, study_of
from liane.demo.itinerary import seeded_moves
from liane.demo.laboratory import (
    Sample,
    correctable,
    correction_of,
    report_message,
    sample_at,
    sampling_hours,
    text_message,
)
from liane.demo.ledger import Parcel
from liane.demo.letters import CONSULTATION, EMERGENCY_REPORT, Letter, story_letter
from liane.demo.people import Person, Stay

DIRECT_EXAMINATION = ("600-7", "Hémocultures")
MICROBIOLOGY = ("18725-2", "Microbiologie")


def arrival(person: Person, now: datetime) -> list[Parcel]:
    """Everything to hand over about `person`, oldest first within each kind."""
    stay = person.stay
    if stay is None:
        return []
    moves = seeded_moves(person, now)
    return [
        *_movements(person, moves),
        *_reports(person, stay, moves, now),
        *_letters(person, stay, moves, now),
        *_studies(person, stay, moves[-1], now),
    ]


def _movements(person: Person, moves: list[Move]) -> list[Parcel]:
    found = []
    for number, move in enumerate(moves):
        control_id = f"S{person.number:05d}A{number}"
        sent = move.at + timedelta(seconds=70)
        payload = movement_message(person, move, control_id, sent)
        found.append(Parcel(control_id, "hl7", person.id, payload, expected_movement(person, move)))
    return found


def _reports(person: Person, stay: Stay, moves: list[Move], now: datetime) -> list[Parcel]:
    found = []
    last: Sample | None = None
    for number, hours in enumerate(sampling_hours(person)):
        sample = _sample(person, stay, moves, hours, number)
        if sample.reported > now:
            continue
        last = sample
        control_id = f"S{person.number:05d}L{number}"
        found.append(_report(sample, control_id))
    wrong = last and correctable(last) and person.number != 12
    if last and wrong and chance("corrected", person.number).random() < 0.08:
        corrected = correction_of(last, min(now, last.reported + timedelta(minutes=50)))
        found.append(_report(corrected, f"S{person.number:05d}C"))
    words = story_of(stay.story).get("micro")
    if last and words:
        found.append(_micro(person, last, words, now))
    return found


def _sample(person: Person, stay: Stay, moves: list[Move], hours: float, number: int) -> Sample:
    taken = moves[0].admitted + timedelta(hours=hours)
    place = [move for move in moves if move.at <= taken][-1:] or moves[:1]
    return sample_at(person, place[0], stay.story, hours, f"B{person.number:05d}{number:02d}")


def _report(sample: Sample, control_id: str) -> Parcel:
    payload = report_message(sample, control_id)
    return Parcel(control_id, "hl7", sample.person.id, payload, expected_report(sample))


def _micro(person: Person, sample: Sample, words: str, now: datetime) -> Parcel:
    control_id = f"S{person.number:05d}M"
    loinc = DIRECT_EXAMINATION if words.startswith("Hémo") else MICROBIOLOGY
    fresh = person.number == 12
    told = now - timedelta(seconds=40) if fresh else min(now, sample.reported + timedelta(hours=9))
    payload = text_message(replace(sample, reported=told), loinc, words, control_id)
    return Parcel(control_id, "hl7", person.id, payload)


def _letters(person: Person, stay: Stay, moves: list[Move], now: datetime) -> list[Parcel]:
    draw = chance("letters", person.number)
    number = 10_000 + person.number * 4
    wanted: list[tuple[Letter, Move]] = []
    if (
        moves[0].event == "A04"
        and len(moves) > 1
        and (draw.random() < 0.4 or stay.unit.code == "2101")
    ):
        at = moves[1].at - timedelta(minutes=20)
        letter = story_letter(str(number), EMERGENCY_REPORT, person, moves[0].unit, stay.story, at)
        wanted.append((letter, moves[0]))
    if draw.random() < 0.2:
        at = now - timedelta(days=draw.randint(40, 900))
        letter = story_letter(str(number + 1), CONSULTATION, person, stay.unit, stay.story, at)
        wanted.append((letter, moves[-1]))
    found = []
    for letter, move in wanted:
        control_id = f"S{person.number:05d}D{letter.number}"
        payload = letter_message(letter, move, control_id, as_cda=draw.random() < 0.15)
        found.append(Parcel(control_id, "hl7", person.id, payload, expected_letter(letter)))
    return found


def _studies(person: Person, stay: Stay, move: Move, now: datetime) -> list[Parcel]:
    """Images: for everybody of internal medicine who needs some, for some of the others."""
    draw = chance("images", person.number)
    wanted = story_of(stay.story).get("imaging", [])
    if stay.unit.code != "2101":
        wanted = [name for name in wanted if draw.random() < STUDIES[name].share]
    found = []
    for number, name in enumerate(wanted):
        at = move.admitted + timedelta(hours=min(stay.hours * 0.9, (2.0, 30.0, 50.0)[number]))
        if person.number == 12 and name == "abdomen":
            at = now - timedelta(minutes=6)
        study = study_of(person, name, number, at, move.unit)
        for index, dataset in enumerate(study.instances):
            expects = expected_study(study) if index == len(study.instances) - 1 else {}
            control_id = f"S{person.number:05d}I{number}{index:03d}"
            found.append(Parcel(control_id, "dicom", person.id, dataset, expects))
    return found
