"""Is this access allowed, given what the database knows of the patient at this instant?

`require` guards one act; `restriction` limits a list or a search to what the reader may see, so
that counts and pages are computed after filtering.
"""

from __future__ import annotations

from collections.abc import Callable

from liane.access import scopes
from liane.access.actor import Actor
from liane.access.decision import Decision, Facts, decide
from liane.access.permissions import Permission
from liane.access.policy import CLINICAL_ROLES, OF_THE_ROLE_ALONE, permissions_of
from liane.access.relations import establishment_of_unit, facts_of
from liane.base.errors import Denied
from liane.store import Tx
from liane.store.search import Restriction
from liane.store.sql import queries

Q = queries("liane.access", "gate.sql")

REFERENCE_TYPES = frozenset(
    {"Organization", "Location", "Practitioner", "PractitionerRole", "HealthcareService"}
    | {"Endpoint", "Medication", "Substance", "Device", "ValueSet", "CodeSystem", "ConceptMap"}
    | {"StructureDefinition", "SearchParameter", "Questionnaire", "PlanDefinition"}
    | {"ActivityDefinition", "Schedule", "Slot", "CapabilityStatement", "OperationDefinition"}
)
"""Types that describe the house, not a patient: staff may read those of their rows that
belong to no patient."""


def may(actor: Actor, permission: Permission) -> bool:
    """Whether some role of the actor holds the permission at all (to show or hide a link)."""
    return decide(Facts(actor, permission)).allowed


async def check(
    tx: Tx,
    actor: Actor,
    permission: Permission,
    *,
    patient: str | None = None,
    purpose: str = "treatment",
) -> Decision:
    """The decision for this act, without raising."""
    known = None
    if patient is not None and actor.kind not in ("system", "partner"):
        known = await facts_of(tx, patient, ever=actor.kind == "client")
    return decide(Facts(actor, permission, known, purpose))


async def require(
    tx: Tx,
    actor: Actor,
    permission: Permission,
    *,
    patient: str | None = None,
    purpose: str = "treatment",
) -> Decision:
    """The decision for this act; raises `Denied` when it is a refusal.

    The refusal reads the same whether the patient exists or not (no probing by error message).
    """
    decision = await check(tx, actor, permission, patient=patient, purpose=purpose)
    if not decision.allowed:
        raise _denied(decision, permission, patient)
    return decision


_TIE_RULES = ("no-relation", "protected", "client-establishment")


async def require_unit(tx: Tx, actor: Actor, permission: Permission, *, unit: str) -> None:
    """Raise `Denied` unless one of the actor's roles reaches this unit: it is one of the role's
    units, or the role's scope covers the unit's establishment or the group.
    """
    roles = [role for role in actor.roles if permission in permissions_of(role.code)]
    if actor.kind == "system" or any(unit in role.units or role.scope == "group" for role in roles):
        return
    wide = {role.establishment for role in roles if role.scope == "establishment"}
    if wide and await establishment_of_unit(tx, unit) in wide:
        return
    raise Denied(
        "access.other-unit",
        "Cette unité n'est pas ouverte à votre compte.",
        "This unit is not open to your account.",
        "Choisissez une de vos unités, ou demandez au cadre de vous y affecter.",
        "Choose one of your units, or ask the ward manager to assign you to it.",
        rule="other-unit",
        permission=str(permission),
    )


def _denied(decision: Decision, permission: Permission, patient: str | None) -> Denied:
    if patient is not None and decision.rule in (
        "no-relation",
        "protected",
        "client-establishment",
    ):
        return Denied(
            "access.no-relation",
            "Ce dossier n'est pas ouvert à votre compte : aucun lien de soin avec ce patient.",
            "This chart is not open to your account: no tie of care with this patient.",
            "Si vous prenez ce patient en charge, faites enregistrer son mouvement ou votre "
            "appartenance à l'équipe de soins.",
            "If this patient is in your care, have the movement or your place in the care team "
            "recorded.",
            rule="no-relation",
            permission=str(permission),
        )
    return Denied(
        "access.denied",
        "Votre rôle ne permet pas cette action.",
        "Your role does not allow this.",
        "Adressez-vous à votre cadre ou à la direction informatique si vous en avez besoin.",
        "Ask your head nurse or the IT department if you need it.",
        rule=decision.rule,
        permission=str(permission),
    )


def sees(actor: Actor) -> Callable[[str], bool]:
    """Whether this actor may learn which resources of a type exist, whoever they belong to."""
    if actor.kind == "system":
        return lambda _type: True
    if restriction(actor, Permission.FHIR_API) is not None:
        return lambda _type: False
    return lambda type_: scopes.allows(actor.scopes, type_, "r")


def restriction(
    actor: Actor,
    permission: Permission = Permission.CHART_READ,
    *,
    resource_type: str | None = None,
) -> Restriction | None:
    """Which rows of a list this actor may see; None = all of them.

    The predicate is over the row's patient (`{patient}`), its arguments are `{1}`, `{2}` ...
    Rows without patient pass only for the types of `REFERENCE_TYPES`.
    """
    patientless = resource_type in REFERENCE_TYPES
    if actor.kind == "system":
        return None
    if actor.kind == "client" and permission in (Permission.CHART_READ, Permission.FHIR_API):
        if not actor.scopes:
            return Restriction(Q["nobody"], (), False)
        if actor.establishment is None:
            return None
        return Restriction(Q["of_establishments"], ([actor.establishment],), patientless)
    if actor.kind != "staff":
        return Restriction(Q["nobody"], (), False)
    return _staff_restriction(actor, permission, patientless=patientless)


def _staff_restriction(
    actor: Actor, permission: Permission, *, patientless: bool
) -> Restriction | None:
    wanted = Permission.CHART_READ if permission is Permission.FHIR_API else permission
    roles = [role for role in actor.roles if wanted in permissions_of(role.code)]
    if not roles:
        return Restriction(Q["nobody"], (), False)
    if permission in OF_THE_ROLE_ALONE - {Permission.PATIENT_SEARCH, Permission.BOARD_VIEW}:
        return None
    clinical = [role for role in roles if role.code in CLINICAL_ROLES]
    if patientless and any(role.scope == "group" for role in clinical):
        return None
    wide = [role for role in roles if role not in clinical]
    args = (
        [unit for role in roles for unit in role.units],
        actor.id,
        [role.establishment for role in clinical if role.scope == "establishment"],
        any(role.scope == "group" for role in clinical),
        [role.establishment for role in wide if role.scope == "establishment"],
        any(role.scope == "group" for role in wide),
    )
    return Restriction(Q["of_staff"], args, patientless)


def visible_patients_sql(
    actor: Actor, permission: Permission = Permission.CHART_READ
) -> tuple[str, tuple[object, ...]]:
    """The same limit as `restriction`, as a predicate to place in a query of one's own.

    `{patient}` stands for the column, `{1}` ... for the arguments: see `place`.
    """
    limit = restriction(actor, permission)
    return ("true", ()) if limit is None else (limit.sql, tuple(limit.args))


def place(sql: str, patient: str, first: int) -> str:
    """The predicate with the column `patient` and its arguments numbered from `$first`.

    Raises `ValueError` for a column of the predicate's own tables: it would compare each tie with
    itself and let every row pass.
    """
    if patient.startswith("gate_"):
        raise ValueError(f"{patient}: names that begin with gate_ are reserved")
    placed = sql.replace("{patient}", patient)
    for number in range(9, 0, -1):
        placed = placed.replace(f"{{{number}}}", f"${first + number - 1}")
    return placed
