"""Who are the two thousand people of the demonstration, four hundred of them in a bed?

People are made in a fixed order: first one for each occupied bed (the 25 of internal medicine are
written by hand in `data/ward_2101.toml`), then those who have been patients before, then the
awkward cases every identity office knows. A person depends on the day of reference only by age.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Any, NamedTuple

from liane.demo.awkward import AWKWARD
from liane.demo.chance import chance
from liane.demo.group import INTERNAL_MEDICINE, Bed, Unit, units, wards
from liane.demo.identity import ins_number
from liane.demo.tables import table

POPULATION = 2000
STATUSES = ("qualifiee", "validee", "recuperee", "provisoire")
STATUS_WEIGHTS = (78, 9, 6, 7)


class Place(NamedTuple):
    """A place of birth: its COG code and name; the postcode is empty for a country."""

    cog: str
    name: str
    postcode: str


class Allergy(NamedTuple):
    """One listed allergy."""

    substance: str
    reaction: str
    year: int
    confirmed: bool
    severe: bool
    category: str


class Stay(NamedTuple):
    """Where a present person lies, why, and since how many hours before the reference instant."""

    unit: Unit
    bed: Bed
    story: str
    hours: float


@dataclass(frozen=True, slots=True)
class Person:
    """An invented person, with the traits of the French identity rules (RNIV)."""

    number: int
    sex: str
    birth: date
    family: str
    used_family: str
    given: tuple[str, ...]
    place: Place
    status: str
    attributes: tuple[str, ...]
    ins: str
    patient_numbers: tuple[tuple[str, str], ...]
    street: str
    town: Place
    phone: str
    protected: bool
    deceased_days_ago: int | None
    allergies: tuple[Allergy, ...] | None
    """None: not recorded. Empty: none known."""
    background: tuple[str, ...]
    flags: tuple[str, ...]
    stay: Stay | None
    weight_kg: float
    height_cm: int

    @property
    def id(self) -> str:
        """The id of the FHIR Patient."""
        return f"patient-{self.number:05d}"

    @property
    def first_name(self) -> str:
        """The first of the first names."""
        return self.given[0]

    @property
    def ipps(self) -> dict[str, str]:
        """The patient number in each establishment that knows this person."""
        return dict(self.patient_numbers)

    def age(self, today: date) -> int:
        """Age in whole years."""
        before = (today.month, today.day) < (self.birth.month, self.birth.day)
        return today.year - self.birth.year - before


@cache
def population(today: date) -> tuple[Person, ...]:
    """All people, in the order of their numbers."""
    stays = _stays()
    people = [
        _person(number, today, stays[number] if number < len(stays) else None)
        for number in range(POPULATION)
    ]
    first = POPULATION - len(AWKWARD)
    for offset, case in enumerate(AWKWARD):
        people[first + offset] = _awkward(people[first + offset], case, people)
    return tuple(people)


def present(today: date) -> tuple[Person, ...]:
    """Those who are in a bed at the reference instant."""
    return tuple(person for person in population(today) if person.stay is not None)


@cache
def _places() -> tuple[tuple[Place, ...], tuple[int, ...]]:
    rows = table("names")["place"]
    places = tuple(Place(row["cog"], row["name"], row["postcode"]) for row in rows)
    return places, tuple(row["weight"] for row in rows)


@cache
def _stays() -> tuple[Stay, ...]:
    """One stay per occupied bed: internal medicine as written, the other wards by chance."""
    stays = [_written_stay(row) for row in table("ward_2101")["bed"]]
    for unit in wards():
        if unit.code == INTERNAL_MEDICINE:
            continue
        draw = chance("beds", unit.code)
        chosen = sorted(draw.sample(range(len(unit.beds)), unit.filled))
        for turn, index in enumerate(chosen):
            stays.append(_stay(unit, unit.beds[index], unit.stories[turn % len(unit.stories)]))
    return tuple(stays)


def _written_stay(row: dict[str, Any]) -> Stay:
    unit = units()[INTERNAL_MEDICINE]
    bed = next(bed for bed in unit.beds if bed.label == row["bed"])
    if row["bed"] == "312-1":
        return Stay(unit, bed, row["story"], table("dubreuil")["stay_hours"])
    return _stay(unit, bed, row["story"])


def _stay(unit: Unit, bed: Bed, story: str) -> Stay:
    least, most = table("stories")["story"][story]["stay"]
    if unit.encounter_class == "EMER":
        least, most = 0.5, 9.0
    return Stay(unit, bed, story, chance("stay", bed.location_id).uniform(least, most))


def _person(number: int, today: date, stay: Stay | None) -> Person:
    draw = chance("person", number)
    written = table("ward_2101")["bed"][number] if number < units()["2101"].filled else None
    unit = stay.unit if stay else None
    sex = (unit.sex if unit and unit.sex else None) or draw.choice("FM")
    low, high = (unit.ages if unit and unit.ages else None) or ((38, 94) if unit else (1, 96))
    birth = today - timedelta(days=draw.randint(low * 366, high * 365))
    family, used_family, given = _names(draw, sex, birth, today)
    if written:
        family, used_family, first, sex, day = written["person"]
        birth = date.fromisoformat(day)
        given = (first, *_names(draw, sex, birth, today)[2][1:])
    place = draw.choices(*_places())[0]
    status = "qualifiee" if written else draw.choices(STATUSES, STATUS_WEIGHTS)[0]
    age = (today - birth).days / 365.25
    return Person(
        number=number,
        sex=sex,
        birth=birth,
        family=family.upper(),
        used_family=used_family.upper(),
        given=given,
        place=place,
        status=status,
        attributes=("homonyme",) if written and "homonyme" in written.get("flags", ()) else (),
        ins=ins_number(sex, birth, place.cog, number + 1)
        if status in {"qualifiee", "recuperee"}
        else "",
        patient_numbers=_patient_numbers(draw, number, unit),
        street=f"{draw.randint(1, 120)} {draw.choice(table('names')['address']['streets'])}",
        town=draw.choice(_places()[0][:6]),
        phone=f"06 39 98 {number // 100:02d} {number % 100:02d}",
        protected=stay is not None and not written and draw.random() < 0.012,
        deceased_days_ago=None
        if stay or age < 60 or draw.random() > 0.05
        else draw.randint(9, 600),
        allergies=_allergies(draw, written),
        background=() if number == _dubreuil_number() else _background(draw, sex, age, stay),
        flags=_flags(written, stay),
        stay=stay,
        weight_kg=round(_weight(draw, sex, age), 1),
        height_cm=_height(draw, sex, age),
    )


def _names(draw: Random, sex: str, birth: date, today: date) -> tuple[str, str, tuple[str, ...]]:
    names = table("names")
    years = (today - birth).days / 365.25
    generation = "old" if years > 68 else "middle" if years > 40 else "young"
    pool = names["first"][sex][generation]
    given = tuple(draw.sample(pool, draw.choice((1, 2, 2, 3))))
    family = draw.choice(names["family"]["names"])
    married = sex == "F" and years > 25 and draw.random() < min(0.75, years / 110)
    return family, draw.choice(names["family"]["names"]) if married else "", given


def _patient_numbers(draw: Random, number: int, unit: Unit | None) -> tuple[tuple[str, str], ...]:
    if number == _dubreuil_number():
        return (("chu", "0004812337"),)
    home = unit.establishment.id if unit else draw.choice(("chu", "chu", "chg"))
    others = [other for other in ("chu", "chg") if other != home and draw.random() < 0.22]
    bases = {"chu": 4_600_000, "chg": 1_200_000, "ehpad": 90_000}
    return tuple((key, f"{bases[key] + number * 7:010d}") for key in (home, *others))


@cache
def _dubreuil_number() -> int:
    beds = [row["bed"] for row in table("ward_2101")["bed"]]
    return beds.index("312-1")


def _allergies(draw: Random, written: dict[str, Any] | None) -> tuple[Allergy, ...] | None:
    if written:
        return _written_allergies(written)
    turn = draw.random()
    if turn < 0.22:
        return None
    if turn < 0.78:
        return ()
    data = table("allergies")
    chosen = draw.sample(data["substances"], draw.choice((1, 1, 1, 2)))
    found = []
    for substance, reactions, category in chosen:
        reaction = draw.choice(reactions)
        severe = reaction in data["severe"]
        year = draw.randint(1990, 2025)
        found.append(Allergy(substance, reaction, year, draw.random() < 0.7, severe, category))
    return tuple(found)


def _written_allergies(written: dict[str, Any]) -> tuple[Allergy, ...] | None:
    if written["allergy"] == "unknown":
        return None
    if written["allergy"] == "none":
        return ()
    rows = [written[key] for key in ("allergy", "allergy2") if key in written]
    return tuple(
        Allergy(
            substance=row[0],
            reaction=row[1],
            year=row[2],
            confirmed=row[3],
            severe=row[4],
            category="environment" if row[0] == "Latex" else "medication",
        )
        for row in rows
    )


def _background(draw: Random, sex: str, age: float, stay: Stay | None) -> tuple[str, ...]:
    required = table("stories")["story"][stay.story].get("background", []) if stay else []
    found = list(required)
    for key, row in table("backgrounds").items():
        wanted = age >= row["age"] and row.get("sex", sex) == sex
        if draw.random() < row["frequency"] and wanted and key not in found:
            found.append(key)
    return tuple(found)


def _flags(written: dict[str, Any] | None, stay: Stay | None) -> tuple[str, ...]:
    told = list(written.get("flags", ())) if written else []
    if stay and not written:
        told += table("stories")["story"][stay.story].get("flags", [])
    return tuple(flag for flag in told if flag != "homonyme")


def _weight(draw: Random, sex: str, age: float) -> float:
    if age < 15:
        return max(3.4, 8 + age * 3) * draw.uniform(0.9, 1.15)
    usual = 61 if sex == "F" else 76
    return max(38.0, draw.gauss(usual, 11))


def _height(draw: Random, sex: str, age: float) -> int:
    if age < 15:
        return round(74 + age * 6.5)
    return round(draw.gauss(162 if sex == "F" else 174, 6))


def _awkward(base: Person, case: dict[str, Any], people: list[Person]) -> Person:
    """A case the identity office must recognise, laid over the person made by chance."""
    changes = dict(case)
    twin_of = changes.pop("same_as", None)
    if twin_of is not None:
        model = next(
            person
            for person in people
            if person.given[0] == twin_of[0] and person.family == twin_of[1]
        )
        changes = {"family": model.family, "place": model.place, **changes}
        changes.setdefault("birth", model.birth)
    person = replace(base, deceased_days_ago=None, used_family="", **changes)
    if person.birth.year > 2010:
        person = replace(person, background=(), weight_kg=38.0, height_cm=146)
    else:
        person = replace(
            person, weight_kg=max(48.0, base.weight_kg), height_cm=max(152, base.height_cm)
        )
    known = person.status in ("qualifiee", "recuperee")
    number = ins_number(person.sex, person.birth, person.place.cog, person.number + 1)
    return replace(person, ins=number if known else "")
