"""Who sends this request, and may they see this examination?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from liane.access import gate, scopes
from liane.access.actor import Actor
from liane.access.journal import Act
from liane.access.journal_reads import reads_of
from liane.access.permissions import Permission
from liane.access.scopes import Letter
from liane.base.errors import Denied, LianeError
from liane.rooms.imaging import reads
from liane.store import Tx
from liane.store.search import Restriction
from liane.ui.services import Services

TokenCheck = Callable[[str], Awaitable[Actor | None]]


class Unauthenticated(LianeError):
    """No token, or one that is unknown, expired or revoked."""

    http_status = 401
    fhir_code = "login"


@dataclass(frozen=True, slots=True)
class Caller:
    """The program behind one request."""

    actor: Actor
    services: Services

    async def journal(
        self, action: str, patients: Iterable[str | None], study: str = "", **detail: Any
    ) -> None:
        """Return once the trace is committed; answers leave only after."""
        resource = f"ImagingStudy/{study}" if study else None
        acts = [Act(action, one, resource, detail) for one in dict.fromkeys(patients)]
        await reads_of(self.services.database).record(self.actor, acts)

    def restriction(self) -> Restriction | None:
        """Whose examinations a search may list."""
        client = self.actor.kind == "client"
        return gate.restriction(self.actor, Permission.FHIR_API if client else Permission.DICOMWEB)

    async def study(self, tx: Tx, study_uid: str) -> Mapping[str, Any]:
        """The examination of this UID; the same refusal whether it exists or is not theirs."""
        row = await reads.study_of_uid(tx, study_uid)
        if row is None or row["patient"] is None:
            raise reads.not_found()
        alone = self.actor.kind == "client" and self.actor.establishment is None
        decision = await gate.check(
            tx, self.actor, Permission.DICOMWEB, patient=None if alone else row["patient"]
        )
        if not decision.allowed:
            await self.journal("DICOMweb", [row["patient"]], row["id"], refused=decision.rule)
            raise reads.not_found()
        return row


async def caller(
    services: Services, check: TokenCheck, authorization: str, letter: Letter
) -> Caller:
    """The program whose token this is, if its scopes cover the interaction."""
    scheme, _, token = authorization.partition(" ")
    actor = await check(token.strip()) if scheme.lower() == "bearer" and token.strip() else None
    if actor is None:
        raise Unauthenticated(
            "dicomweb.token",
            "Un jeton d’accès valide est nécessaire.",
            "A valid access token is needed.",
        )
    if actor.kind not in ("client", "staff") or (letter == "c" and actor.kind != "client"):
        raise Denied(
            "dicomweb.kind",
            "Ce compte ne peut pas utiliser cette porte.",
            "This account cannot use this door.",
        )
    scopes.require_scope(actor, "ImagingStudy", letter)
    return Caller(actor, services)
