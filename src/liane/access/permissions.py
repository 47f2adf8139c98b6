"""What are all the things a person or a program may be allowed to do here?

Every route names exactly one of these; there is no default. Which role holds which permission
stands in `policy`; whether it applies to one given patient is decided in `decision`.
"""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One enum for every door of the house."""

    PUBLIC = "public"
    """Sign-in, health, discovery, static files: nothing else."""
    SIGNED_IN = "signed-in"
    """Any signed-in member of staff: the home page, one's own settings, signing out."""

    BOARD_VIEW = "board.view"
    """The beds of a unit, with the patients the reader may see."""
    PATIENT_SEARCH = "patient.search"
    """Look for a patient; the answer lists only those the reader may see."""
    CHART_READ = "chart.read"
    """Open a chart: stays, conditions, treatments, observations, notes."""
    CHART_WRITE = "chart.write"
    """Add to a chart what has no permission of its own below."""
    RESULT_READ = "result.read"
    """Laboratory results and reports of examinations."""
    RESULT_WRITE = "result.write"
    """File, correct or cancel a result or a report."""
    DOCUMENT_READ = "document.read"
    """Letters and other documents."""
    DOCUMENT_WRITE = "document.write"
    IMAGE_READ = "image.read"
    """Imaging studies, thumbnails and pixels."""
    NOTE_WRITE = "note.write"
    """Targeted notes (transmissions ciblées) and observations in words."""
    VITALS_WRITE = "vitals.write"
    """Vital signs: enter or accept."""
    ORDER_WRITE = "order.write"
    """Ask for an examination or an act of care."""
    PRESCRIBE = "prescription.write"
    """Prescribe a treatment."""
    ADMINISTER = "administration.write"
    """Give a treatment and say so."""
    ALLERGY_WRITE = "allergy.write"

    IDENTITY_READ = "identity.read"
    """Identity traits of any patient of the establishment (admission, identity vigilance)."""
    IDENTITY_WRITE = "identity.write"
    """Create or correct an identity, change its status."""
    IDENTITY_MERGE = "identity.merge"
    """Merge two identities, or undo it."""
    MOVEMENT_WRITE = "movement.write"
    """Admit, transfer, discharge, plan."""
    BED_WRITE = "bed.write"
    """Say that an empty bed is clean, to clean, being cleaned, closed or blocked."""
    MESSAGES_HELD = "messages.held"
    """The queue of messages held for the identity staff."""

    INTERFACES_VIEW = "interfaces.view"
    """State, rates and errors of each partner; messages without their clinical text."""
    INTERFACES_CONTENT = "interfaces.content"
    """The clinical text inside a message."""
    INTERFACES_REPLAY = "interfaces.replay"
    """Apply a kept message again."""

    JOURNAL_VIEW = "journal.view"
    """Who did what, when: the journal's entries."""
    STAFF_ADMIN = "staff.admin"
    """Accounts, roles, sessions of others, API clients."""
    OPERATIONS_VIEW = "operations.view"
    """Health, load and back-ups of the installation."""
    STYLEGUIDE = "styleguide"
    """The living style guide."""

    FHIR_API = "fhir"
    """The FHIR API; each interaction is then limited by the token's scopes."""
    DICOMWEB = "dicomweb"
    """QIDO-RS, WADO-RS, STOW-RS; limited by the token's scopes."""
    LIVE = "live"
    """The live socket; each topic is then decided on its own."""
