"""How is a person of the index told on a tile, a search line, a list?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from liane.rooms.patients.rules.identity import Traits
from liane.rooms.patients.rules.likeness import look_alike

_SEX = {"male": "M", "female": "F"}


@dataclass(frozen=True, slots=True)
class Person:
    """The traits shown, in the order shown everywhere."""

    id: str
    family: str
    used: str
    given: str
    used_given: str
    sex: str
    born: date | None
    born_text: str
    status: str
    attributes: tuple[str, ...]
    protected: bool
    deceased: bool
    traits: Traits

    @property
    def died(self) -> None:
        """Lists do not carry the date of death; the banner of the chart does."""
        return None

    @property
    def one_line(self) -> str:
        """DUBREUIL (MOREL) Jeanne: for titles and messages."""
        used = f" ({self.used})" if self.used else ""
        return f"{self.family}{used} {self.given}".strip()


def person_of(row: Mapping[str, Any]) -> Person:
    """A person from a row that has the columns of `patients.index`."""
    traits = Traits(
        row["birth_name"],
        row["given"],
        row["birth_date"],
        row["sex"],
        row["birth_place"],
        row["used_name"],
        row["used_given"],
    )
    family, used = traits.birth_name.upper(), traits.used_name.upper()
    return Person(
        id=row["patient"],
        family=family or used,
        used=used if used and used != family and family else "",
        given=traits.given or traits.used_given,
        used_given=traits.used_given if traits.used_given not in {"", traits.given} else "",
        sex=_SEX.get(traits.sex, "I"),
        born=_date(traits.birth_date),
        born_text=traits.birth_date,
        status=row.get("identity_status") or row["status"],
        attributes=tuple(row["attributes"] or ()),
        protected=row["protected"],
        deceased=row["deceased"],
        traits=traits,
    )


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def namesakes(people: Sequence[Person]) -> dict[str, list[Person]]:
    """For each person, the others of the group that a tired eye could take them for."""
    found: dict[str, list[Person]] = {}
    for index, one in enumerate(people):
        for other in people[index + 1 :]:
            if one.id != other.id and look_alike(one.traits, other.traits):
                found.setdefault(one.id, []).append(other)
                found.setdefault(other.id, []).append(one)
    return found
