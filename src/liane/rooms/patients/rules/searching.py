"""What does a person mean who types "dubreuil 14/03/1948", "312-1" or fifteen digits?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from liane.base.text import fold, phonetic_fr

_DATE = re.compile(r"\b(\d{1,2})[/.](\d{1,2})(?:[/.](\d{4}|\d{2}))?\b")
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_INS = re.compile(
    r"\b([12378]\d{2}(?:0[1-9]|1[0-2]|[2-9]\d)(?:\d{2}|2[ab])\d{6}(?:\d{2})?)\b", re.IGNORECASE
)
_COMPACT = re.compile(r"\b(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])((?:18|19|20)\d{2})\b")
_SPACED_INS = re.compile(
    r"\b([12378])\s(\d{2})\s(\d{2})\s(\d{2}|2[ABab])\s(\d{3})\s(\d{3})(?:\s(\d{2}))?\b"
)
_YEAR = re.compile(r"\b((?:18|19|20)\d{2})\b")
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"^[A-Za-z]{0,3}\d[\w-]*$")
LONGEST = 80
"""Characters of a question that are looked at."""
MOST_WORDS = 6


@dataclass(frozen=True, slots=True)
class Question:
    """A search, taken apart."""

    words: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    births: tuple[str, ...] = ()
    """LIKE patterns over ISO dates."""
    number: str = ""

    @property
    def empty(self) -> bool:
        """Nothing to look for, or too little to be worth it."""
        return not self.births and not self.number and all(len(word) < 2 for word in self.words)


def understood(text: str) -> Question:
    """The question in `text`: a date of birth, a number or bed, and words of names."""
    rest = text[:LONGEST].strip()
    births: list[str] = []
    number = ""
    if spaced := _SPACED_INS.search(rest):
        number = "".join(part or "" for part in spaced.groups()).upper()
        rest = _without(rest, spaced)
    elif compact := _INS.search(rest):
        number, rest = compact[1].upper(), _without(rest, compact)
    for pattern, read in ((_ISO, _iso), (_DATE, _written), (_COMPACT, _compact)):
        if not births and not number and (found := pattern.search(rest)):
            births, rest = read(found), _without(rest, found)
    words: list[str] = []
    for part in rest.split():
        year = _YEAR.fullmatch(part)
        if year and (words or len(rest.split()) > 1) and not births:
            births = [f"{part}-%"]
        elif _NUMBER.match(part) and not number:
            number = part.upper()
        else:
            words.extend(_WORD.findall(fold(part)))
    words = sorted(dict.fromkeys(words[:MOST_WORDS]), key=len, reverse=True)
    sounds = [phonetic_fr(word) if len(word) > 2 else "" for word in words]
    return Question(tuple(words), tuple(s or "?" for s in sounds), tuple(births), _plain(number))


def _without(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}".strip()


def _iso(found: re.Match[str]) -> list[str]:
    return [found[0]]


def _written(found: re.Match[str]) -> list[str]:
    day, month, year = found[1].zfill(2), found[2].zfill(2), found[3]
    if not year:
        return [f"%-{month}-{day}"]
    return [f"{year if len(year) == 4 else '%' + year}-{month}-{day}"]


def _compact(found: re.Match[str]) -> list[str]:
    return [f"{found[3]}-{found[2]}-{found[1]}"]


def _plain(number: str) -> str:
    """LIKE has no meaning for what people type."""
    return number.replace("%", "").replace("_", "").replace("\\", "")
