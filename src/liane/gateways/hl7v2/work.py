"""With what does an interpreter work when it turns one message into effects?"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from liane.access.actor import Actor
from liane.base.errors import Conflict, Invalid
from liane.gateways.hl7v2.codec import Message, Segment
from liane.gateways.hl7v2.mapping.datatypes import Source, instant
from liane.gateways.hl7v2.partners import Partner
from liane.store import Tx
from liane.store.blobs import Blobs

if TYPE_CHECKING:
    from liane.store.resources import Version


class PatientUnknown(Conflict):
    """The message waits for the identity staff: its patient is not known, or not for sure."""


class AgreedTraits:
    """Patients whose name and birth date were compared with those of a message a moment ago: a
    laboratory sends many messages for one patient, and the same traits need not be read each time.
    """

    SECONDS = 30.0
    MOST = 20_000

    def __init__(self) -> None:
        self._until: dict[tuple[str, str, str], float] = {}

    def lately(self, patient: str, family: str, born: str) -> bool:
        """Whether these traits were found to agree within the last seconds."""
        return self._until.get((patient, family, born), 0.0) > time.monotonic()

    def remember(self, patient: str, family: str, born: str) -> None:
        """They agree now."""
        if len(self._until) >= self.MOST:
            self._until.clear()
        self._until[patient, family, born] = time.monotonic() + self.SECONDS


class NotInterpreted(Exception):
    """A well-formed message that asks nothing of us."""

    def __init__(self, fr: str, en: str) -> None:
        super().__init__(en)
        self.fr = fr
        self.en = en


@dataclass(slots=True)
class Work:
    """One message being applied, in one transaction."""

    tx: Tx
    actor: Actor
    blobs: Blobs
    agreed: AgreedTraits
    partner: Partner
    message: Message
    source: Source
    received_at: datetime
    resources: list[str] = field(default_factory=list)
    patient: str | None = None
    flags: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """What the journal says of the effects."""
        return f"HL7 v2 {self.message.kind} {self.message.control_id}"[:200]

    @property
    def said_at(self) -> datetime:
        """When the sender made the message (MSH-7), else when it came."""
        return instant(self.message.header.get(7)) or self.received_at

    def made(self, versions: Iterable[Version]) -> None:
        """Remember which resources the message made or changed."""
        for version in versions:
            self.touched(version.type, version.id)

    def touched(self, kind: str, resource_id: str) -> None:
        """Remember one resource."""
        reference = f"{kind}/{resource_id}"
        if reference not in self.resources[-5:]:
            self.resources.append(reference)

    def pid(self) -> Segment:
        """The PID segment; a message about a patient without one cannot be applied."""
        segment = self.message.segment("PID")
        if segment is None:
            raise Invalid(
                "hl7v2.no-pid",
                "Le message ne dit pas de quel patient il s'agit (pas de segment PID).",
                "The message does not say which patient it is about (no PID segment).",
                "Demandez à l'émetteur d'ajouter le segment PID, puis de renvoyer le message.",
                "Ask the sender to add the PID segment, then to send the message again.",
                hl7_code="100",
                location="PID",
            )
        return segment
