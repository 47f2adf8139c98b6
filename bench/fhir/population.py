"""Which resources are both servers filled with, and which values may be searched in them?

The published Synthea transaction bundles, then re-identified copies of them: other identities,
names and days, the same distribution of codes and values, so that both servers grow alike.
"""

from __future__ import annotations

import gzip
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

UUID = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-)([0-9a-f]{12})")
DAY = re.compile(r'"(\d{4}-\d\d-\d\d)(?=["T])')
SPREAD = 0x9E3779B97F4B
"""Odd, so that each copy turns the last 48 bits of an identity into others, one to one."""
DAYS_APART = 3
RESULT = "Observation"


@dataclass
class Original:
    """One published bundle: its text and what can be asked about its patient."""

    text: str
    types: list[str]
    entries: int
    patient: int | None = None
    family: str = ""
    given: str = ""
    identifier: str = ""
    birth: str = ""
    codes: Counter[str] = field(default_factory=Counter)
    encounters: list[int] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    """Codes of the patient's own results."""


@dataclass(frozen=True)
class Piece:
    """One bundle of the population: which original, which copy, the number of its first entry."""

    original: Original
    copy: int
    first: int


def published(folder: Path, limit: int) -> list[Original]:
    """The published bundles, in order of their names, at least `limit` resources if there are."""
    found: list[Original] = []
    total = 0
    for file in sorted(folder.glob("*.json.gz")):
        if total >= limit:
            break
        found.append(_original(orjson.loads(gzip.decompress(file.read_bytes()))))
        total += found[-1].entries
    if not found:
        raise SystemExit(f"no Synthea bundle in {folder} (LIANE_SHARED_DATA)")
    return found


def _original(bundle: dict[str, Any]) -> Original:
    resources = [entry["resource"] for entry in bundle["entry"]]
    made = Original(
        orjson.dumps(bundle).decode(), [one["resourceType"] for one in resources], len(resources)
    )
    for number, one in enumerate(resources):
        if one["resourceType"] == "Patient":
            made.patient, name = number, one["name"][0]
            made.family, made.given, made.birth = name["family"], name["given"][0], one["birthDate"]
            made.identifier = f"{one['identifier'][1]['system']}|{one['identifier'][1]['value']}"
        elif one["resourceType"] == "Encounter":
            made.encounters.append(number)
        for coding in one.get("code", {}).get("coding", []):
            made.codes[f"{one['resourceType']} {coding['system']}|{coding['code']}"] += 1
    made.results = [text.partition(" ")[2] for text in made.codes if text.startswith(RESULT)]
    return made


def pieces(originals: list[Original], resources: int, start: int = 0) -> Iterator[Piece]:
    """Bundles whose entries number at least `resources`, beginning with copy number `start`."""
    first = 0
    for copy in itertools.count(start):
        for original in originals:
            if first >= resources:
                return
            yield Piece(original, copy, first)
            first += original.entries


def letters(copy: int) -> str:
    """1 is b, 26 is ba: what a name of this copy ends with; nothing for the published one."""
    text = ""
    while copy:
        copy, rest = divmod(copy, 26)
        text = chr(97 + rest) + text
    return text


def renamed(text: str, copy: int) -> str:
    """An identity of the published data as this copy has it."""
    if copy == 0:
        return text
    turned = copy * SPREAD & 0xFFFFFFFFFFFF
    return UUID.sub(lambda m: f"{m[1]}{int(m[2], 16) ^ turned:012x}", text)


@lru_cache(maxsize=100_000)
def _shifted(day: str, days: int) -> str:
    return (date.fromisoformat(day) - timedelta(days=days)).isoformat()


def text_of(piece: Piece) -> bytes:
    """The bundle as it is sent."""
    if piece.copy == 0:
        return piece.original.text.encode()
    days = piece.copy * DAYS_APART % 1000
    text = renamed(piece.original.text, piece.copy)
    text = DAY.sub(lambda m: f'"{_shifted(m[1], days)}', text)
    family = piece.original.family
    if family:
        text = text.replace(f'"family":"{family}"', f'"family":"{family}{letters(piece.copy)}"')
    return text.encode()


class Draw:
    """Values for a search, drawn from what was loaded; the same sequence for every server."""

    def __init__(self, loaded: list[Piece], ids: list[str], seed: int) -> None:
        self.random = random.Random(seed)
        self.ids = ids
        self.people = [one for one in loaded if one.original.patient is not None]
        counted: dict[str, Counter[str]] = {}
        for piece in {id(one.original): one for one in loaded}.values():
            for text, count in piece.original.codes.items():
                type_, _, code = text.partition(" ")
                counted.setdefault(type_, Counter())[code] += count
        self.codes = {type_: list(codes) for type_, codes in counted.items()}
        self.weights = {
            type_: list(itertools.accumulate(codes.values())) for type_, codes in counted.items()
        }

    def values(self) -> dict[str, str]:
        """One value of each kind that a search shape may name."""
        person = self.random.choice(self.people)
        original, chance = person.original, self.random
        assert original.patient is not None
        encounter = chance.choice(original.encounters or [original.patient])
        year = chance.randint(2008, 2017)
        born = chance.randint(1940, 2000)
        system, _, value = renamed(original.identifier, person.copy).partition("|")
        return {
            "patient": self.ids[person.first + original.patient],
            "person": self.ids[person.first + original.patient].partition("/")[2],
            "encounter": self.ids[person.first + encounter],
            "family": original.family + letters(person.copy),
            "beginning": original.family[:3],
            "inside": original.family[1:5].lower(),
            "identifier": f"{system}|{value}",
            "code": self._own_code(original),
            "any": self._code(RESULT),
            "bare": self._code(RESULT).rpartition("|")[2],
            "condition": self._code("Condition"),
            "drug": self._code("MedicationRequest"),
            "procedure": self._code("Procedure"),
            "year": str(year),
            "after": str(year + 1),
            "month": f"{year}-{chance.randint(1, 12):02d}",
            "born": str(born),
            "unborn": str(born + 5),
            "kilos": str(chance.randint(60, 100)),
            "pressure": str(chance.randint(120, 150)),
        }

    def _code(self, type_: str) -> str:
        known = self.codes.get(type_)
        if not known:
            return "http://loinc.org|8302-2"
        return self.random.choices(known, cum_weights=self.weights[type_])[0]

    def _own_code(self, original: Original) -> str:
        return self.random.choice(original.results) if original.results else self._code(RESULT)
