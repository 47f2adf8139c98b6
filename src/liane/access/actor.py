"""Who is acting: a member of staff, a program, a partner system, or the platform itself?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["staff", "client", "partner", "system"]
Scope = Literal["unit", "establishment", "group"]


@dataclass(frozen=True, slots=True)
class Role:
    """What a person is, and where: one PractitionerRole resource."""

    code: str
    """A key of `policy.POLICY`, for example `ide` or `medecin`."""
    establishment: str
    """The Organization id of the establishment."""
    units: tuple[str, ...] = ()
    """Organization ids of the care units (UF)."""
    scope: Scope = "unit"
    """How far the role reaches: its units, its establishment, or the whole group."""


@dataclass(frozen=True, slots=True)
class Actor:
    """One acting person or program, as known at this instant."""

    kind: Kind
    id: str
    """Practitioner id, client id, partner name or name of the part of the platform."""
    name: str
    roles: tuple[Role, ...] = ()
    scopes: tuple[str, ...] = ()
    """SMART scopes of the token, for programs (`system/Observation.rs`)."""
    session: str | None = None
    """A public name of the session (never its secret)."""
    establishment: str | None = None
    """The establishment a program is limited to; None = the whole group."""
    login: str | None = None

    @property
    def units(self) -> tuple[str, ...]:
        """Every unit of every role, each once."""
        return tuple(dict.fromkeys(unit for role in self.roles for unit in role.units))

    @property
    def home_establishment(self) -> str | None:
        """The establishment this actor acts from: its limit, or that of the first role."""
        if self.establishment is not None:
            return self.establishment
        return self.roles[0].establishment if self.roles else None


def SYSTEM(name: str) -> Actor:  # noqa: N802 (reads as a constant at its many call sites)
    """The platform itself, in the part called `name` (`simulator`, `import`, `sealer` ...)."""
    return Actor(kind="system", id=f"system:{name}", name=name)


def partner(name: str, establishment: str | None = None) -> Actor:
    """A partner system known by its address or certificate (a laboratory, a PACS ...)."""
    return Actor(kind="partner", id=f"partner:{name}", name=name, establishment=establishment)
