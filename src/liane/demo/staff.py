"""Who works in the demonstration group, in which unit, and with which login do they sign in?"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

from liane.demo.chance import chance
from liane.demo.group import Unit, units
from liane.demo.tables import table

DOCTORS = {"medecin", "interne", "anesthesiste", "biologiste", "radiologue"}


@dataclass(frozen=True, slots=True)
class Colleague:
    """A member of staff."""

    number: int
    login: str
    given: str
    family: str
    role: str
    establishment: str
    unit_codes: tuple[str, ...]
    scope: str
    signs_in: bool
    """Whether this is one of the demonstration accounts."""

    @property
    def id(self) -> str:
        """The id of the FHIR Practitioner."""
        return f"staff-{self.number:04d}"

    @property
    def rpps(self) -> str:
        """An invented number in the form of the national directory (RPPS)."""
        return f"99700{self.number:06d}"

    @property
    def name(self) -> str:
        """As people say it: Dr Nadia Haddad, Claire Renard."""
        title = "Dr " if self.role in DOCTORS - {"interne"} else ""
        return f"{title}{self.given} {self.family}"


@cache
def staff() -> tuple[Colleague, ...]:
    """Everybody, the demonstration accounts first."""
    everybody: list[Colleague] = []
    for login, given, family, role, home, codes, scope in table("staff")["accounts"]:
        number = len(everybody) + 1
        everybody.append(
            Colleague(number, login, given, family, role, home, tuple(codes), scope, True)
        )
    for unit in units().values():
        for role, count in _wanted(unit):
            for _ in range(count):
                everybody.append(_colleague(len(everybody) + 1, role, unit))
    return tuple(everybody)


def accounts() -> tuple[Colleague, ...]:
    """Those whose login is a demonstration account."""
    return tuple(colleague for colleague in staff() if colleague.signs_in)


def title(role: str) -> str:
    """The words of a role."""
    return str(table("staff")["title"][role])


@cache
def doctors_of(unit_code: str) -> tuple[Colleague, ...]:
    """The doctors of a unit; those of the whole establishment when it has none."""
    found = [one for one in staff() if one.role == "medecin" and unit_code in one.unit_codes]
    home = units()[unit_code].establishment.id
    others = [one for one in staff() if one.role == "medecin" and one.establishment == home]
    return tuple(found or others)


def _wanted(unit: Unit) -> list[tuple[str, int]]:
    data = table("staff")
    if not unit.beds:
        rows = data["technical"].get(unit.code, [])
    elif unit.resident:
        rows = data["residence"]
    else:
        rows = data["maternity"] if unit.code in {"4101", "5501"} else data["ward"]
    return [(row[0], row[1]) for row in rows]


def _colleague(number: int, role: str, unit: Unit) -> Colleague:
    draw = chance("staff", number)
    names = table("names")
    given = draw.choice(names["first"][draw.choice("FM")][draw.choice(("middle", "young"))])
    family = draw.choice(names["family"]["names"])
    wide = {"pharmacien", "anesthesiste", "radiologue", "biologiste"}
    return Colleague(
        number=number,
        login=f"{_login(given)}.{_login(family)}.{number}",
        given=given,
        family=family,
        role=role,
        establishment=unit.establishment.id,
        unit_codes=(unit.code,),
        scope="establishment" if role in wide else "unit",
        signs_in=False,
    )


def _login(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().replace("œ", "oe"))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalpha())
