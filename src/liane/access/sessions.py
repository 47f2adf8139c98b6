"""Which browser is signed in as whom, and until when?

A session is an opaque random cookie; the database keeps only its SHA-256. It ends after a time
without use, at an absolute limit, at sign-out, when an administrator ends it, or when the person's
account is closed. Roles are read with each look-up: a role taken away counts at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from liane.access.actor import Actor
from liane.access.staff import Person, person_from
from liane.store import Database, Tx
from liane.store.sql import queries

Q = queries("liane.access", "sessions.sql")

COOKIE = "liane_session"
TOUCH_EVERY = timedelta(seconds=60)
"""How stale `seen` may be: it is written at most once a minute for each session."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts. The defaults suit shared posts of a ward with shifts of 12 h."""

    idle: timedelta = timedelta(hours=12)
    absolute: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Session:
    """A live session, with the person as known now."""

    actor: Actor
    csrf_token: str
    started: datetime
    ends: datetime
    id_token: str | None


def digest(token: str) -> bytes:
    """What the database keeps of a secret that only the browser holds."""
    return hashlib.sha256(token.encode()).digest()


class Sessions:
    """The signed-in browsers of one installation."""

    def __init__(self, database: Database, limits: Limits | None = None) -> None:
        self._database = database
        self.limits = limits or Limits()

    async def start(self, tx: Tx, person: Person, *, id_token: str | None = None) -> str:
        """Open a session for `person` and give the secret for the cookie (never stored).

        Always a fresh secret: whatever cookie the browser held before means nothing afterwards.
        """
        token = secrets.token_urlsafe(32)
        await tx.execute(
            Q["start"],
            tx.tenant,
            digest(token),
            secrets.token_hex(6),
            person.practitioner,
            person.login,
            tx.now,
            tx.now + self.limits.absolute,
            id_token,
            secrets.token_urlsafe(24),
        )
        return token

    async def resolve(self, token: str | None) -> Session | None:
        """The live session of this cookie, or None. Counts as use (at most once a minute)."""
        if not token or len(token) > 128:
            return None
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                Q["resolve"], tx.tenant, digest(token), tx.now, tx.now - self.limits.idle
            )
            person = person_from(rows)
            now = tx.now
        if person is None or not person.active:
            return None
        if now - rows[0]["seen"] >= TOUCH_EVERY:
            async with self._database.transaction() as tx:
                await tx.execute(Q["touch"], tx.tenant, digest(token), tx.now)
        return _session(rows[0], person)

    async def end(self, tx: Tx, token: str, *, reason: str = "sign-out") -> None:
        """Close this session for good."""
        await tx.execute(Q["end"], tx.tenant, digest(token), tx.now, reason)

    async def end_all_of(self, tx: Tx, login: str, *, reason: str) -> int:
        """Close every session of an account (closed account, new password, theft); how many."""
        tag = await tx.execute(Q["end_all_of"], tx.tenant, login, tx.now, reason)
        return int(tag.rsplit(" ", 1)[-1])

    async def forget_old(self, tx: Tx) -> None:
        """Erase sessions closed or out of time for 30 days, and sign-ins never finished."""
        await tx.execute(Q["forget_old"], tx.tenant, tx.now - timedelta(days=30))
        await tx.execute(Q["forget_sign_ins"], tx.tenant, tx.now - timedelta(hours=1))


def _session(row: Any, person: Person) -> Session:
    actor = Actor(
        kind="staff",
        id=person.practitioner,
        name=person.name,
        roles=person.roles,
        session=row["session"],
        login=person.login,
    )
    return Session(
        actor,
        row["csrf_token"],
        row["started"],
        row["ends"],
        row["id_token"],
    )


def csrf_matches(session: Session, given: str | None) -> bool:
    """Whether a form or header carries the session's own token (constant time)."""
    return given is not None and hmac.compare_digest(session.csrf_token.encode(), given.encode())
