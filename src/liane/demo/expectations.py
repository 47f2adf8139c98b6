"""Once a message is acknowledged, what must the record hold?

Each function says it as plain data, which the ledger keeps and the checker compares.
"""

from __future__ import annotations

from typing import Any

from liane.demo.adt import Move
from liane.demo.images import Study
from liane.demo.laboratory import Sample
from liane.demo.letters import Letter
from liane.demo.people import Person
from liane.demo.resources import instant

Expectation = dict[str, Any]


def who(person: Person, establishment: str, oid: str) -> list[str]:
    """System and value by which the person is found."""
    return [f"urn:oid:{oid}", person.ipps[establishment]]


def expected_movement(person: Person, move: Move) -> Expectation:
    """One Encounter of this venue, whose history holds this movement unless it was cancelled."""
    home = move.unit.establishment
    return {
        "what": "movement",
        "patient": who(person, home.id, home.ipp_oid),
        "venue": [f"urn:oid:{home.venue_oid}", move.venue],
        "event": move.event,
        "movement": move.key,
        "action": move.action,
        "at": instant(move.at),
        "unit": move.unit.organization_id,
        "bed": move.bed.location_id if move.bed else None,
    }


def expected_report(sample: Sample) -> Expectation:
    """One Observation per analysis and sampling time, with the value last acknowledged."""
    home = sample.move.unit.establishment
    return {
        "what": "report",
        "patient": who(sample.person, home.id, home.ipp_oid),
        "order": sample.order,
        "at": instant(sample.taken),
        "values": {
            one.analyte.loinc: one.value
            for _, results in sample.panels
            for one in results
            if not sample.corrected or any(other.corrected for other in results)
        },
    }


def expected_letter(letter: Letter) -> Expectation:
    """One DocumentReference with this unique id."""
    home = letter.unit.establishment
    return {
        "what": "letter",
        "patient": who(letter.person, home.id, home.ipp_oid),
        "unique_id": letter.unique_id,
    }


def expected_study(study: Study) -> Expectation:
    """One ImagingStudy with this UID and this number of instances."""
    return {
        "what": "study",
        "study": f"urn:oid:{study.uid}",
        "instances": len(study.instances),
    }
