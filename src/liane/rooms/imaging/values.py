"""What does a gateway tell the imaging room about an image, in plain values?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

UnknownPatient = Literal["provisional", "hold"]
Outcome = Literal["stored", "duplicate", "conflict", "held"]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose image it is, in the words of the machine."""

    number: str = ""
    """(0010,0020) Patient ID."""
    issuer: str = ""
    """(0010,0021) Issuer of Patient ID."""
    family: str = ""
    given: tuple[str, ...] = ()
    birth_date: str = ""
    """FHIR date, or empty."""
    sex: str = ""
    """FHIR gender, or empty."""

    @property
    def key(self) -> str:
        """Equal for two images of the same person of the same machine."""
        return f"{self.issuer}|{self.number}" if self.number else ""

    @property
    def dicom_name(self) -> str:
        """The name as a DICOM PN, visible characters only."""
        return "^".join((self.family, *self.given))


@dataclass(frozen=True, slots=True)
class Policy:
    """How the images of one partner are understood."""

    source: str
    """Name of the partner, as people know it."""
    unknown_patient: UnknownPatient = "hold"
    quarantine: bool = False
    establishment: str = ""
    authorities: Mapping[str, str] = field(default_factory=dict)
    """Issuer as written -> identifier system; "" for images that name no issuer."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One object that is already durable as a blob."""

    sop_uid: str
    sha256: str
    size: int
    study_uid: str
    series_uid: str
    sop_class: str
    transfer_syntax: str
    subject: Subject
    dataset_offset: int
    number: int | None = None
    position: float | None = None
    """Place of the slice along the axis of the stack, in millimetres."""
    rows: int = 0
    columns: int = 0
    frames: int = 0
    photometric: str = ""
    bits: int = 0
    pixel_offset: int | None = None
    pixel_length: int | None = None
    fragments: int | None = None
    given_uid: str = ""
    """The UID as the machine wrote it, when it broke the rules and ours replaced it."""
    accession: str = ""
    study_description: str = ""
    started: str = ""
    """FHIR dateTime of the study, or empty."""
    institution: str = ""
    modality: str = ""
    series_number: int | None = None
    series_description: str = ""
    body_part: str = ""
    laterality: str = ""
    station: str = ""
    series_started: str = ""


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of one object."""

    sop_uid: str
    sha256: str
    outcome: Outcome
    sop_class: str
    series_uid: str
    study_uid: str
    study_id: str
    """The id of the ImagingStudy resource, made when a patient is known."""
    patient: str | None
    reason: str = ""
    """A message key that says why it is held or in conflict."""
