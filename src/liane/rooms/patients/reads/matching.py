"""Which of the patients this reader may see could be the person described?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from liane.access import gate
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.rooms.patients.rules import indexing
from liane.rooms.patients.rules.identity import traits_of
from liane.rooms.patients.rules.likeness import duplicate_score
from liane.rooms.patients.rules.matching import Grade, grade
from liane.rooms.patients.rules.people import person_of
from liane.store import Tx
from liane.store.sql import queries

Q = queries("liane.rooms.patients", "matching.sql")
_ORDER = {"certain": 0, "probable": 1, "possible": 2}


@dataclass(frozen=True, slots=True)
class Match:
    """Somebody who could be the person; `score` from 0 to 1."""

    patient: str
    score: float
    grade: Grade


async def match_patients(tx: Tx, actor: Actor, described: dict[str, Any]) -> list[Match]:
    """Those who could be `described` (a FHIR Patient), the surest first.

    The rules are those of probable duplicates; retired identities lead to their survivor.
    """
    traits = traits_of(described)
    numbers = indexing.numbers_of(described)
    words = indexing.words_of(traits.birth_name or traits.used_name)[:1]
    sounds = [(indexing.sounds_of([word]) or ["?"])[0] for word in words]
    limit, arguments = gate.visible_patients_sql(actor, Permission.FHIR_API)
    seen = gate.place(limit, "x.patient", 7)
    sql = f"{Q['candidates']}\n  and {seen}\ngroup by x.tenant, x.patient"
    rows = await tx.fetch(
        sql,
        tx.tenant,
        words,
        sounds,
        [traits.birth_date] if traits.birth_date else [],
        [number["system"] for number in numbers],
        [number["value"] for number in numbers],
        *arguments,
    )
    found = []
    for row in rows:
        score = duplicate_score(traits, person_of(dict(row)).traits)
        sure = grade(score, same_number=row["same_number"])
        if sure is not None:
            shown = max(score, 0.99) if sure == "certain" else min(score, 0.98)
            found.append(Match(row["patient"], round(shown, 3), sure))
    return sorted(found, key=lambda one: (_ORDER[one.grade], -one.score, one.patient))
