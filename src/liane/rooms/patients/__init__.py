"""Who are the patients, where are they, and which beds are free?

Owns the FHIR resources Patient, Encounter, Location and Organization (care units). Other rooms and
the gateways use the functions named here; nothing else of this room is public.
"""

from .actions.identity import change_identifier, find_patient, register_identity
from .actions.merging import merge, undo_merge
from .actions.movements import record_movement
from .actions.places import resolve_location
from .actions.projection import project
from .reads.matching import Match, match_patients
from .rules.values import (
    Attending,
    Identifier,
    Movement,
    MovementResult,
    Place,
    PointOfCare,
    Registered,
)

__all__ = [
    "Attending",
    "Identifier",
    "Match",
    "Movement",
    "MovementResult",
    "Place",
    "PointOfCare",
    "Registered",
    "change_identifier",
    "find_patient",
    "match_patients",
    "merge",
    "project",
    "record_movement",
    "register_identity",
    "resolve_location",
    "undo_merge",
]
