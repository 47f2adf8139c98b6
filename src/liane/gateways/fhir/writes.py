"""How is one resource written for a program, and what does the answer show of it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from liane.base.errors import Invalid, Issue, NotFound
from liane.fhir.json import dumps
from liane.gateways.fhir import authority
from liane.gateways.fhir.conditions import Q
from liane.gateways.fhir.exchange import Answer, Exchange, version_wanted
from liane.gateways.fhir.outcomes import shown_issue
from liane.store import Tx, conformance, resources
from liane.store.resources import Version, Write
from liane.store.writing import stale


def checked_type(resource: dict[str, Any], type_: str) -> dict[str, Any]:
    """The resource, when it is of the type the address names."""
    if resource.get("resourceType") != type_:
        raise Invalid(
            "fhir.type-mismatch",
            f"Le corps n’est pas une ressource {type_}.",
            f"The body is not a {type_} resource.",
        )
    return resource


def precondition(french: str, english: str) -> Invalid:
    """A condition of the request does not hold (412)."""
    return Invalid("fhir.precondition", french, english)


async def locked(tx: Tx, type_: str, id_: str) -> Version | None:
    """The current version, which nobody else changes until this transaction ends."""
    row = await tx.fetchrow(Q["read_locked"], type_, id_)
    return await resources.deletion(tx, type_, id_) if row is None else Version(*row)


def require_match(exchange: Exchange, former: Version | None) -> None:
    """Refuse (412) when If-Match names another version than the record holds, or none is there."""
    if exchange.if_match is None:
        return
    wanted = version_wanted(exchange.if_match)
    if former is None or former.deleted:
        raise precondition(
            "If-Match désigne une version d’une ressource qui n’existe pas.",
            "If-Match names a version of a resource that does not exist.",
        )
    if wanted is not None and wanted != former.version:
        raise stale((former.type, former.id), wanted, former.version)


def require_known(exchange: Exchange, version: Version | None, type_: str, id_: str) -> Version:
    """The version to change, when it is there; for all others it reads as absent."""
    if version is None:
        raise authority.absent(type_, id_)
    if version.deleted:
        if authority.restricted(exchange.actor):
            raise authority.absent(type_, id_)
        raise gone(version)
    return version


def gone(version: Version) -> NotFound:
    """It was there, and was deleted (410)."""
    return NotFound(
        "fhir.gone",
        f"{version.reference} a été supprimé ; son historique reste lisible.",
        f"{version.reference} was deleted; its history can still be read.",
    )


async def write(exchange: Exchange, tx: Tx, wish: Write, former: Version | None = None) -> Version:
    """One write through the room that owns the type, once the gate agrees for the patient it
    belonged to and for the one it will belong to.
    """
    concerned: set[str | None] = set()
    if former is not None:
        concerned.add(authority.patient_of(former))
    if not wish.deletes:
        concerned.add(_patient_after(wish, former))
    await authority.require_write(tx, exchange.actor, concerned)
    if exchange.returns == "OperationOutcome":
        conformance.listen()
    reason = f"FHIR {exchange.method}"
    action = exchange.parts.writer(wish.resource["resourceType"])
    return (await action(tx, exchange.actor, [wish], reason=reason))[0]


def _patient_after(wish: Write, former: Version | None) -> str | None:
    """A Patient that does not exist yet is nobody's: who may write at all may make it."""
    if wish.resource["resourceType"] == "Patient" and former is None:
        return None
    return authority.patient_of_resource(wish.resource)


def written(exchange: Exchange, version: Version, status: int) -> Answer:
    """The answer to a write, showing what `Prefer: return` asks for."""
    location = f"{exchange.parts.base}/{version.reference}/_history/{version.version}"
    body = ""
    if exchange.returns == "representation" and not version.deleted:
        body = version.body
    elif exchange.returns == "OperationOutcome":
        body = told(
            f"{version.reference} : version {version.version} enregistrée.",
            f"{version.reference}: version {version.version} stored.",
            exchange.language,
            conformance.heard(version.type, version.id),
        )
    return Answer(status, body, version, location)


def told(french: str, english: str, language: str, warnings: Sequence[Issue] = ()) -> str:
    """An OperationOutcome that says what was done, and what to look at."""
    text = english if language == "en" else french
    issue = {"severity": "information", "code": "informational", "diagnostics": text}
    issues = [issue, *(shown_issue(one, language) for one in warnings)]
    return dumps({"resourceType": "OperationOutcome", "issue": issues})
