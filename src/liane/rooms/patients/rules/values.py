"""What do other systems tell us about a patient, a stay and a place, in plain values?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Action = Literal["INSERT", "UPDATE", "CANCEL"]


@dataclass(frozen=True, slots=True)
class Identifier:
    """A number given by somebody: an IPP, an INS, a venue number (HL7 CX, FHIR Identifier)."""

    system: str
    value: str
    type: str = "PI"


@dataclass(frozen=True, slots=True)
class PointOfCare:
    """Where a message says the patient is (HL7 PL): unit, room, bed, as the sender writes them."""

    unit: str | None = None
    room: str | None = None
    bed: str | None = None
    facility: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The same, as ids of our Organization and Location resources."""

    unit: str | None = None
    """Organization of the care unit (UF)."""
    ward: str | None = None
    room: str | None = None
    bed: str | None = None

    @property
    def finest(self) -> str | None:
        """The most precise Location known."""
        return self.bed or self.room or self.ward


@dataclass(frozen=True, slots=True)
class Attending:
    """The doctor in charge, as the message names the doctor."""

    identifier: str | None = None
    name: str | None = None
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement message (IHE PAM.fr): what happened to a stay, said by one system.

    `key` is ZBE-1; None when the sender has no movement identifiers, a key is then derived.
    `action` is ZBE-4; None means: what the trigger event implies. `original_event` is ZBE-6.
    """

    patient_id: str
    venue: Identifier
    event: str
    at: datetime
    source: str
    key: str | None = None
    action: Action | None = None
    original_event: str | None = None
    message_at: datetime | None = None
    unit: str | None = None
    room: str | None = None
    bed: str | None = None
    facility: str | None = None
    encounter_class: str | None = None
    """IMP, EMER, AMB (HL7 ActCode)."""
    expected: bool = False
    ends: datetime | None = None
    expected_end: datetime | None = None
    attending: Attending | None = None
    nature: str | None = None
    """ZBE-9: which responsibilities change (H lodging, M medical, S nursing ...)."""
    medical_unit: str | None = None
    nursing_unit: str | None = None
    establishment: str | None = None


@dataclass(frozen=True, slots=True)
class MovementResult:
    """What recording a movement did."""

    encounter_id: str
    patient_id: str
    status: str
    changed: bool
    warnings: tuple[str, ...] = ()
    versions: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Registered:
    """What registering an identity did."""

    patient_id: str
    created: bool
    status: str
    warnings: tuple[str, ...] = ()
