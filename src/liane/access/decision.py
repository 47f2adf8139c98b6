"""May this person or program do this, to this patient, now? The one function that decides.

Pure: everything it needs is in `Facts`. Deny by default: each line below opens one door and says
why; whoever matches none is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from liane.access.actor import Actor, Role
from liane.access.permissions import Permission
from liane.access.policy import CLINICAL_ROLES, OF_THE_ROLE_ALONE, permissions_of
from liane.access.scopes import allows

RelationKind = Literal["present", "expected", "care_team", "recent"]

PROGRAM_PERMISSIONS = frozenset({Permission.FHIR_API, Permission.DICOMWEB})


@dataclass(frozen=True, slots=True)
class Relation:
    """One tie between a patient and the house, valid at the instant of the decision."""

    kind: RelationKind
    unit: str
    establishment: str
    practitioner: str = ""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """What the decision needs to know of a patient."""

    relations: tuple[Relation, ...] = ()
    protected: bool = False
    """Identity under protection (CSP R.1112-45): fewer people reach the chart."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Who asks for what, about whom. `patient` None = the request concerns no single patient."""

    actor: Actor
    permission: Permission
    patient: PatientFacts | None = None
    purpose: str = "treatment"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, with the rule that gave it and a sentence for the journal."""

    allowed: bool
    rule: str
    reason: str


def decide(facts: Facts) -> Decision:
    """Answer for these facts. Never raises."""
    if facts.permission is Permission.PUBLIC:
        return Decision(True, "public", "open to everyone")
    match facts.actor.kind:
        case "system":
            return Decision(True, "system", "the platform itself")
        case "partner":
            return _partner(facts)
        case "client":
            return _client(facts)
        case "staff":
            return _staff(facts)
    return Decision(False, "unknown-kind", "who acts is not known")


def _partner(facts: Facts) -> Decision:
    """A partner feeds the record through its gateway; it never reads charts through pages."""
    if facts.permission in PARTNER_WRITES:
        return Decision(True, "partner", "a known partner feeds the record")
    return Decision(False, "partner", "a partner only feeds the record")


PARTNER_WRITES = frozenset(
    {
        Permission.IDENTITY_WRITE,
        Permission.IDENTITY_MERGE,
        Permission.MOVEMENT_WRITE,
        Permission.CHART_WRITE,
        Permission.RESULT_WRITE,
        Permission.DOCUMENT_WRITE,
        Permission.ORDER_WRITE,
        Permission.VITALS_WRITE,
    }
)


def _client(facts: Facts) -> Decision:
    """A program passes the API doors only; its scopes are checked per interaction (`scopes`)."""
    if facts.permission is Permission.IDENTITY_MERGE:
        return _client_merges(facts.actor)
    if facts.permission not in PROGRAM_PERMISSIONS:
        return Decision(False, "client", "a program has no access to this page")
    if not facts.actor.scopes:
        return Decision(False, "scope", "the token carries no scope")
    limit = facts.actor.establishment
    if facts.patient is None or limit is None:
        return Decision(True, "client", "a program acting for the group, within its scopes")
    if any(relation.establishment == limit for relation in facts.patient.relations):
        return Decision(True, "client-establishment", "a patient of the program's establishment")
    return Decision(False, "client-establishment", "not a patient of the program's establishment")


def _client_merges(actor: Actor) -> Decision:
    """A merge changes resources of every type: only a program of the group that may update all."""
    if actor.establishment is None and allows(actor.scopes, "*", "u"):
        return Decision(True, "client", "a program of the group that may update everything")
    return Decision(False, "scope", "a merge asks for system/*.u over the whole group")


def _staff(facts: Facts) -> Decision:
    if facts.permission is Permission.SIGNED_IN:
        return Decision(True, "signed-in", "any signed-in member of staff")
    wanted = _as_reading(facts.permission)
    roles = tuple(role for role in facts.actor.roles if wanted in permissions_of(role.code))
    if not roles:
        return Decision(False, "role", "no role of this person has the permission")
    if facts.patient is None or facts.permission in OF_THE_ROLE_ALONE:
        return Decision(True, "role", f"the role {roles[0].code} has the permission")
    return _relation(roles, facts.actor.id, facts.patient)


def _as_reading(permission: Permission) -> Permission:
    """A person at a program's door needs what the pages would ask of them: to read the chart."""
    return Permission.CHART_READ if permission is Permission.FHIR_API else permission


def _relation(roles: Iterable[Role], practitioner: str, patient: PatientFacts) -> Decision:
    """The first tie that opens the chart: care team, own unit, then a declared wider scope."""
    roles = tuple(roles)
    for relation in patient.relations:
        if relation.kind == "care_team":
            if relation.practitioner == practitioner:
                return Decision(True, "care-team", "member of the patient's care team")
        elif any(relation.unit in role.units for role in roles):
            return Decision(True, f"unit-{relation.kind}", f"patient {relation.kind} in the unit")
    for role in roles:
        if patient.protected and role.code not in CLINICAL_ROLES:
            continue
        if role.scope == "group":
            return Decision(True, "scope-group", f"{role.code} with a scope over the group")
        if role.scope == "establishment" and any(
            relation.establishment == role.establishment for relation in patient.relations
        ):
            return Decision(True, "scope-establishment", f"{role.code} for the establishment")
    if patient.protected and any(role.scope != "unit" for role in roles):
        return Decision(False, "protected", "the identity is protected and no care tie exists")
    return Decision(False, "no-relation", "no tie with this patient")
