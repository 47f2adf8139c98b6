"""Which patients does this question mean, among those this person may see?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liane.access import gate
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.rooms.patients.rules.indexing import words_of
from liane.rooms.patients.rules.people import Person, namesakes, person_of
from liane.rooms.patients.rules.searching import LONGEST, understood
from liane.store import Tx
from liane.store.sql import queries

Q = queries("liane.rooms.patients", "searching.sql")
SHOWN = 12
CANDIDATES = 1500
"""People looked at before the gate's limit is applied."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of the answer."""

    person: Person
    unit: str
    bed: str
    expected_at: datetime | None
    ipp: str
    namesake: bool


async def search(tx: Tx, actor: Actor, text: str) -> list[Hit]:
    """The people meant by `text`, best first, at most twelve, only those the reader may see."""
    question = understood(text)
    if question.empty:
        return []
    limit, arguments = _limit(actor, "f.patient", 7)
    sql = f"{Q['find_people']}\nwhere {limit}\norder by f.score desc, x.names limit {SHOWN}"
    rows = await tx.fetch(
        sql,
        tx.tenant,
        list(question.words),
        list(question.sounds),
        list(question.births),
        question.number,
        CANDIDATES,
        *arguments,
    )
    return _hits(rows)


async def search_exactly(tx: Tx, actor: Actor, text: str) -> list[Hit]:
    """The people whose number is `text`, or whose names hold exactly its words; at most twelve.

    For acts where somebody who merely looks alike would be the wrong patient.
    """
    number = text.strip()[:LONGEST]
    words = [word for word in words_of(number) if word.isalpha()]
    if not number or (not any(sign.isdigit() for sign in number) and len("".join(words)) < 2):
        return []
    limit, arguments = _limit(actor, "x.patient", 4)
    patterns = [] if any(sign.isdigit() for sign in number) else [f"% {word} %" for word in words]
    rows = await tx.fetch(
        f"{Q['find_exactly']}\n  and {limit}\norder by x.names, x.birth_date limit {SHOWN}",
        tx.tenant,
        number,
        patterns,
        *arguments,
    )
    return _hits(rows)


def _hits(rows: Sequence[Mapping[str, Any]]) -> list[Hit]:
    people = [person_of(row) for row in rows]
    alike = namesakes(people)
    return [
        Hit(
            person=person,
            unit=row["unit_name"],
            bed=row["bed"],
            expected_at=row["expected_start"] if row["stay_status"] == "planned" else None,
            ipp=row["ipps"][0] if row["ipps"] else "",
            namesake=person.id in alike or "homonyme" in person.attributes,
        )
        for person, row in zip(people, rows, strict=True)
    ]


def _limit(actor: Actor, column: str, first: int) -> tuple[str, tuple[object, ...]]:
    """Identity staff find any identity; everybody else those the gate lets them see."""
    wider = gate.may(actor, Permission.IDENTITY_READ)
    permission = Permission.IDENTITY_READ if wider else Permission.PATIENT_SEARCH
    sql, arguments = gate.visible_patients_sql(actor, permission)
    return gate.place(sql, column, first), arguments
