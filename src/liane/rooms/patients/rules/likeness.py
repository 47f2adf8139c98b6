"""Could these two people be mistaken for one another, or be one and the same?

Two questions with two answers: a *look-alike* is a danger on a ward (people say "Madame Morel");
a *probable duplicate* is one person registered twice. Both are only ever told to people.
"""

from __future__ import annotations

from liane.base.text import fold, phonetic_fr, trigrams

from .identity import Traits

PROBABLE_DUPLICATE = 0.88
_WEIGHTS = (("name", 0.30), ("given", 0.20), ("birth_date", 0.35), ("sex", 0.05), ("place", 0.10))


def likeness(a: str, b: str) -> float:
    """How close two names sound and look, 0 to 1."""
    left, right = fold(a), fold(b)
    if not left or not right:
        return 0.0
    if left == right:
        return 1.0
    shared, every = trigrams(left) & trigrams(right), trigrams(left) | trigrams(right)
    looks = len(shared) / len(every) if every else 0.0
    sounds = 0.9 if phonetic_fr(left) == phonetic_fr(right) else 0.0
    return max(looks, sounds)


def look_alike(a: Traits, b: Traits) -> bool:
    """Whether a tired person could take one for the other on the same ward."""
    family = max((likeness(x, y) for x in _families(a) for y in _families(b)), default=0.0)
    if family < 0.6:
        return False
    given = max((likeness(x, y) for x in _givens(a) for y in _givens(b)), default=0.0)
    same_day = family == 1.0 and a.birth_date == b.birth_date != ""
    return given >= 0.6 or same_day or bool(_initials(a) & _initials(b))


def duplicate_score(a: Traits, b: Traits) -> float:
    """How probable it is that two identities are one person, 0 to 1."""
    scores = {
        "name": max((likeness(x, y) for x in _families(a) for y in _families(b)), default=0.0),
        "given": max((likeness(x, y) for x in _givens(a) for y in _givens(b)), default=0.0),
        "birth_date": birth_date_likeness(a.birth_date, b.birth_date),
        "sex": _same_or_unknown(a.sex, b.sex),
        "place": _same_or_unknown(a.birth_place, b.birth_place),
    }
    return round(sum(scores[part] * weight for part, weight in _WEIGHTS), 3)


def birth_date_likeness(a: str, b: str) -> float:
    """1 when equal; less for day and month swapped, or for one digit mistyped."""
    if not a or not b:
        return 0.0
    if a == b:
        return 1.0
    if len(a) == len(b) == 10:
        if a[:4] == b[:4] and (a[5:7], a[8:]) == (b[8:], b[5:7]):
            return 0.85
        if sum(x != y for x, y in zip(a, b, strict=True)) == 1:
            return 0.7
    return 0.0


def _same_or_unknown(a: str, b: str) -> float:
    if not a or not b or "unknown" in (a, b):
        return 0.5
    return 1.0 if a == b else 0.0


def _families(traits: Traits) -> list[str]:
    return [name for name in (traits.birth_name, traits.used_name) if name]


def _givens(traits: Traits) -> list[str]:
    return [name for name in (traits.given, traits.used_given) if name]


def _initials(traits: Traits) -> set[str]:
    return {fold(name)[:1] for name in _givens(traits) if fold(name)}
