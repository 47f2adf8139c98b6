"""Who sends this request, and may they do this to that resource?

Every interaction passes here before it touches the record: the token, its scopes for the type,
then the gate for the patient concerned.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from liane.access import gate, scopes
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.access.scopes import Letter
from liane.base.errors import Denied, LianeError, NotFound
from liane.fhir import definitions
from liane.fhir.extraction import extract
from liane.store import Tx, resources
from liane.store.resources import Version
from liane.store.versions import UNTOLD


class Unauthenticated(LianeError):
    """No token, or one that is unknown, expired or revoked."""

    http_status = 401
    fhir_code = "login"


class Hidden(NotFound):
    """A refusal that must read like an absence, so that nobody learns what exists."""


NOBODY = Actor("partner", "anonymous", "anonymous")
"""Who reads what is public."""


def is_refusal(error: LianeError) -> bool:
    """Whether the gate has spoken: such answers leave a trace in the journal."""
    return error.http_status == 403 or isinstance(error, Hidden)


def absent(type_: str, id_: str, kind: type[NotFound] = NotFound) -> NotFound:
    """Nothing of that name, or nothing this reader may know of."""
    return kind("fhir.not-found", f"{type_}/{id_} n’existe pas.", f"{type_}/{id_} does not exist.")


def unauthenticated() -> Unauthenticated:
    """The refusal that asks for a token."""
    return Unauthenticated(
        "fhir.token",
        "Un jeton d’accès valide est nécessaire.",
        "A valid access token is needed.",
        "Demandez un jeton au point token_endpoint, puis : Authorization: Bearer …",
        "Get a token from the token_endpoint, then: Authorization: Bearer ...",
    )


def require_type(actor: Actor, type_: str, letter: Letter) -> None:
    """Raise `Denied` unless the token's scopes cover this interaction on this type."""
    if actor.kind == "staff":
        own = [f"system/{s.removeprefix('user/')}" for s in actor.scopes if s.startswith("user/")]
        if not scopes.allows(own, type_, letter):
            raise Denied(
                "access.scope",
                f"Le jeton ne donne pas ce droit sur {type_}.",
                f"The token does not give this right on {type_}.",
                f"Demandez la portée user/{type_}.{letter}.",
                f"Ask for the scope user/{type_}.{letter}.",
            )
        return
    scopes.require_scope(actor, type_, letter)


def allows_type(actor: Actor, type_: str, letter: Letter) -> bool:
    """As `require_type`, as an answer."""
    try:
        require_type(actor, type_, letter)
    except Denied:
        return False
    return True


def patient_of(version: Version) -> str | None:
    """The patient whose compartment holds this version; None for a deletion."""
    if version.deleted:
        return None
    if version.patient != UNTOLD:
        return version.patient
    return extract(version.resource).patient


async def require_open(tx: Tx, actor: Actor, version: Version) -> str | None:
    """The patient of a version that this actor may read.

    Raises `Hidden`, which reads like an absence, when they may not (nobody learns by trying which
    resources exist).
    """
    await gate.require(tx, actor, Permission.FHIR_API)
    patient = await _patient_at_last(tx, actor, version)
    try:
        await require_read(tx, actor, patient, version.type)
    except Denied as refusal:
        if not version.deleted:
            await _look_further(tx, version.type, version.id)
        raise absent(version.type, version.id, Hidden) from refusal
    return patient


async def nothing(
    tx: Tx, actor: Actor, type_: str, id_: str, *, deletion_sought: bool = True
) -> NotFound:
    """The refusal of what is not there, after the work that a hidden resource costs: the gate is
    asked about a patient whom nobody knows, and the refusal leaves its trace in the journal. So
    the time of an answer does not tell which ids exist.
    """
    if not restricted(actor):
        return absent(type_, id_)
    await gate.require(tx, actor, Permission.FHIR_API)
    with suppress(Denied):
        await require_read(tx, actor, UNTOLD, type_)
    if not deletion_sought:
        await resources.deletion(tx, type_, id_)
    await resources.vread(tx, type_, id_, 0)
    return absent(type_, id_, Hidden)


async def _look_further(tx: Tx, type_: str, id_: str) -> None:
    """What is hidden is looked for in the history too, as what is absent or deleted is."""
    await resources.deletion(tx, type_, id_)
    await resources.vread(tx, type_, id_, 0)


async def _patient_at_last(tx: Tx, actor: Actor, version: Version) -> str | None:
    """The patient of a version; of a deletion, the one of the version before it."""
    if not version.deleted:
        return patient_of(version)
    if not restricted(actor):
        return None
    last = await resources.vread(tx, version.type, version.id, version.version - 1)
    return None if last is None else patient_of(last)


async def require_read(tx: Tx, actor: Actor, patient: str | None, type_: str) -> None:
    """Raise `Denied` unless this actor may read a resource of this patient."""
    if patient is None:
        await gate.require(tx, actor, Permission.FHIR_API)
        limit = gate.restriction(actor, Permission.FHIR_API, resource_type=type_)
        if limit is not None and not limit.patientless:
            raise _not_yours()
        return
    await gate.require(tx, actor, Permission.FHIR_API, patient=_relevant(actor, patient))


async def require_write(tx: Tx, actor: Actor, patients: Iterable[str | None]) -> None:
    """Raise `Denied` unless this actor may write for each of these patients.

    Staff need the right to write in the chart; what belongs to no patient (the structure of the
    house) is only for those who manage it.
    """
    for patient in set(patients):
        if actor.kind != "staff":
            known = patient if patient is None else _relevant(actor, patient)
            await gate.require(tx, actor, Permission.FHIR_API, patient=known)
        elif patient is None:
            await gate.require(tx, actor, Permission.STAFF_ADMIN)
        else:
            await gate.require(tx, actor, Permission.CHART_WRITE, patient=patient)


def patient_of_resource(resource: dict[str, Any]) -> str | None:
    """The patient a resource being written belongs to."""
    if resource.get("resourceType") not in definitions.types():
        return None
    return extract(resource).patient


def restricted(actor: Actor) -> bool:
    """Whether there are resources that this actor may not see; not so a program of the group."""
    return actor.kind != "client" or actor.establishment is not None


def _relevant(actor: Actor, patient: str) -> str | None:
    """For a program of the whole group the patient does not change the decision."""
    return patient if restricted(actor) else None


def _not_yours() -> Denied:
    return Denied(
        "access.no-relation",
        "Cette ressource n’est pas ouverte à votre compte.",
        "This resource is not open to your account.",
    )
