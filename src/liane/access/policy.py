"""Which role may do what?

One readable table. A role absent from it, or a permission absent from its line, is refused.
Whether the permission then reaches a given patient is decided in `decision`, by the relation.
"""

from __future__ import annotations

from collections.abc import Mapping

from liane.access.actor import Scope
from liane.access.permissions import Permission as P  # noqa: N817 (the table must be readable)

SEE_WARD = frozenset({P.BOARD_VIEW, P.PATIENT_SEARCH, P.LIVE})
READ_CHART = SEE_WARD | {P.CHART_READ, P.RESULT_READ, P.DOCUMENT_READ, P.IMAGE_READ, P.DICOMWEB}
CARE = READ_CHART | {P.BED_WRITE, P.CHART_WRITE, P.NOTE_WRITE, P.VITALS_WRITE, P.ALLERGY_WRITE}
NURSE = CARE | {P.ADMINISTER, P.DOCUMENT_WRITE}
DOCTOR = CARE | {P.PRESCRIBE, P.ORDER_WRITE, P.DOCUMENT_WRITE, P.RESULT_WRITE, P.ADMINISTER}
ADMISSION = SEE_WARD | {P.IDENTITY_READ, P.IDENTITY_WRITE, P.MOVEMENT_WRITE, P.MESSAGES_HELD}

POLICY: Mapping[str, frozenset[P]] = {
    "ide": NURSE,
    "as": SEE_WARD | {P.BED_WRITE, P.CHART_READ, P.RESULT_READ, P.NOTE_WRITE, P.VITALS_WRITE},
    "medecin": DOCTOR,
    "interne": DOCTOR,
    "sage_femme": NURSE | {P.PRESCRIBE, P.ORDER_WRITE},
    "anesthesiste": DOCTOR,
    "pharmacien": READ_CHART | {P.CHART_WRITE, P.NOTE_WRITE, P.ALLERGY_WRITE},
    "biologiste": READ_CHART | {P.RESULT_WRITE, P.INTERFACES_VIEW, P.INTERFACES_CONTENT},
    "radiologue": READ_CHART
    | {P.RESULT_WRITE, P.DOCUMENT_WRITE, P.INTERFACES_VIEW, P.INTERFACES_CONTENT},
    "hygiene": READ_CHART | {P.NOTE_WRITE},
    "equipe_mobile": CARE | {P.DOCUMENT_WRITE},
    "cadre": READ_CHART | {P.BED_WRITE, P.NOTE_WRITE, P.MOVEMENT_WRITE, P.IDENTITY_READ},
    "secretaire": ADMISSION | {P.DOCUMENT_READ, P.DOCUMENT_WRITE, P.IDENTITY_MERGE},
    "regulateur": SEE_WARD | {P.MOVEMENT_WRITE, P.BED_WRITE},
    "dsi": frozenset(
        {P.INTERFACES_VIEW, P.INTERFACES_REPLAY, P.OPERATIONS_VIEW, P.STYLEGUIDE, P.LIVE}
    ),
    "rssi": frozenset({P.JOURNAL_VIEW, P.OPERATIONS_VIEW, P.INTERFACES_VIEW}),
    "dpo": frozenset({P.JOURNAL_VIEW}),
    "admin": frozenset(
        {P.STAFF_ADMIN, P.OPERATIONS_VIEW, P.INTERFACES_VIEW, P.INTERFACES_REPLAY, P.STYLEGUIDE}
        | {P.LIVE}
    ),
}

CLINICAL_ROLES = frozenset(
    {"ide", "as", "medecin", "interne", "sage_femme", "anesthesiste", "pharmacien", "biologiste"}
    | {"radiologue", "hygiene", "equipe_mobile"}
)
"""Roles of care: a declared wider scope opens to them the charts of protected patients too."""

OF_THE_ROLE_ALONE = frozenset(
    {
        P.SIGNED_IN,
        P.PATIENT_SEARCH,
        P.BOARD_VIEW,
        P.IDENTITY_READ,
        P.IDENTITY_WRITE,
        P.IDENTITY_MERGE,
        P.MOVEMENT_WRITE,
        P.BED_WRITE,
        P.MESSAGES_HELD,
        P.INTERFACES_VIEW,
        P.INTERFACES_CONTENT,
        P.INTERFACES_REPLAY,
        P.JOURNAL_VIEW,
        P.STAFF_ADMIN,
        P.OPERATIONS_VIEW,
        P.STYLEGUIDE,
        P.LIVE,
    }
)
"""Permissions that need no relation to the patient: the role suffices (what lists show is
restricted by the gate)."""

DEFAULT_SCOPE: Mapping[str, Scope] = {
    "pharmacien": "establishment",
    "anesthesiste": "establishment",
    "radiologue": "establishment",
    "biologiste": "establishment",
    "hygiene": "establishment",
    "equipe_mobile": "establishment",
    "regulateur": "establishment",
    "secretaire": "unit",
}
"""The scope given at enrolment when none is declared; every other role reaches its units only."""


def permissions_of(role_code: str) -> frozenset[P]:
    """What the role may do; nothing when the role is unknown."""
    return POLICY.get(role_code, frozenset())


def default_scope(role_code: str) -> Scope:
    """How far a role reaches when its enrolment does not say."""
    return DEFAULT_SCOPE.get(role_code, "unit")
