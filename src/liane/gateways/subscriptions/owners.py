"""What may the owner of a subscription read now, at the moment something is told?

The rights are those of the token that wrote it, narrowed by what its program or account may do
today: a program removed or a person who left hears nothing more.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from liane.access import staff
from liane.access.actor import Actor
from liane.base.errors import Denied
from liane.gateways.subscriptions.state import State
from liane.store import Tx

CACHE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What the identity service says of a program or an account that is open."""

    scopes: tuple[str, ...] | None = None
    """The widest scopes a program may have; None for a person."""
    establishment: str | None = None


StandingOf = Callable[[str, str], Awaitable[Standing | None]]
"""Kind (`client` or `staff`) and client id or login; None: closed, removed or unknown."""


@dataclass(slots=True)
class Reader:
    """An owner as known now, for one round of deliveries."""

    actors: tuple[Actor, ...]
    """As its token was, and as it stands today: both must be allowed."""
    _known: dict[tuple[str | None, str], bool] = field(default_factory=dict)

    @property
    def actor(self) -> Actor:
        """For the journal."""
        return self.actors[0]

    async def may_read(self, tx: Tx, type_: str, patient: str | None) -> bool:
        """Whether the gate opens this patient's resources of this type to the owner now."""
        key = (patient, type_)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = await self._ask(tx, type_, patient)
        return known

    async def _ask(self, tx: Tx, type_: str, patient: str | None) -> bool:
        # The FHIR door imports our operations: it cannot be there before us.
        from liane.gateways.fhir import authority

        if not all(authority.allows_type(actor, type_, "r") for actor in self.actors):
            return False
        try:
            for actor in self.actors:
                await authority.require_read(tx, actor, patient, type_)
        except Denied:
            return False
        return True


class Owners:
    """Finds out how owners stand; the identity service is asked again after a few seconds."""

    def __init__(self, standing_of: StandingOf) -> None:
        self._standing_of = standing_of
        self._answers: dict[tuple[str, str], tuple[float, Standing | None]] = {}

    async def reader(self, tx: Tx, state: State) -> Reader | None:
        """The owner as a reader; None when it may read nothing any more."""
        if state.owner_kind == "system":
            return Reader((_actor(state),))
        kind = state.owner_kind
        name = state.owner_login or "" if kind == "staff" else state.owner_id.partition(":")[2]
        standing = await self._standing(kind, name)
        if standing is None:
            return None
        if kind == "client":
            now = Actor(
                "client",
                state.owner_id,
                state.owner_name,
                scopes=standing.scopes or (),
                establishment=standing.establishment,
            )
            return Reader((_actor(state), now))
        person = await staff.find(tx, name)
        if person is None or not person.active:
            return None
        return Reader((_actor(state, person),))

    async def _standing(self, kind: str, name: str) -> Standing | None:
        at, answer = self._answers.get((kind, name), (0.0, None))
        if time.monotonic() - at > CACHE_SECONDS or not at:
            answer = await self._standing_of(kind, name)
            self._answers[kind, name] = (time.monotonic(), answer)
        return answer


def _actor(state: State, person: staff.Person | None = None) -> Actor:
    return Actor(
        state.owner_kind,  # type: ignore[arg-type] # written from an Actor
        state.owner_id,
        state.owner_name,
        roles=person.roles if person else (),
        scopes=state.owner_scopes,
        establishment=state.owner_establishment,
        login=state.owner_login,
    )
