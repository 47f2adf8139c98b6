"""How sure are we that a person described from outside is one we know?

The words are those of FHIR (match-grade). Only a number that names one person makes it certain:
two people may share every trait.
"""

from __future__ import annotations

from typing import Literal

from liane.rooms.patients.rules.likeness import PROBABLE_DUPLICATE

Grade = Literal["certain", "probable", "possible"]

POSSIBLE = 0.5
AT_ODDS = 0.4
"""Below, the traits speak against a number that is shared."""


def grade(score: float, *, same_number: bool) -> Grade | None:
    """How sure; None for somebody else. `score` is that of probable duplicates, 0 to 1."""
    if same_number:
        return "certain" if score >= AT_ODDS else "possible"
    if score >= PROBABLE_DUPLICATE:
        return "probable"
    return "possible" if score >= POSSIBLE else None
