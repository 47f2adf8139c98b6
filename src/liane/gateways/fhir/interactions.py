"""How is one resource read, made, changed, deleted, and its history told? (R4, RESTful API)"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from liane.base.errors import Denied, Invalid, NotFound
from liane.fhir import definitions
from liane.fhir.dates import interval
from liane.gateways.fhir import authority
from liane.gateways.fhir.answers import bundle_of_versions
from liane.gateways.fhir.conditions import matching
from liane.gateways.fhir.exchange import Answer, Exchange, version_wanted
from liane.store import Tx, resources
from liane.store.resources import HistoryCursor, Version, Write

HISTORY_PAGE = 50
HISTORY_LIMIT = 500


async def read(exchange: Exchange, tx: Tx, type_: str, id_: str) -> Answer:
    """http://hl7.org/fhir/R4/http.html#read"""
    authority.require_type(exchange.actor, type_, "r")
    version = _present(await resources.read(tx, type_, id_), type_, id_)
    return await _shown(exchange, tx, version)


async def vread(exchange: Exchange, tx: Tx, type_: str, id_: str, number: str) -> Answer:
    """http://hl7.org/fhir/R4/http.html#vread"""
    authority.require_type(exchange.actor, type_, "r")
    wanted = int(number) if number.isdecimal() and len(number) < 10 else 0
    version = _present(await resources.vread(tx, type_, id_, wanted), type_, id_)
    return await _shown(exchange, tx, version)


async def _shown(exchange: Exchange, tx: Tx, version: Version) -> Answer:
    patient = authority.patient_of(version)
    await authority.require_read(tx, exchange.actor, patient, version.type)
    if exchange.if_none_match is not None and version_wanted(exchange.if_none_match) == (
        version.version
    ):
        return Answer(304, version=version, patients=(patient,))
    return Answer(200, version.body, version, patients=(patient,))


def _present(version: Version | None, type_: str, id_: str) -> Version:
    if version is None:
        raise NotFound(
            "fhir.not-found",
            f"{type_}/{id_} n’existe pas.",
            f"{type_}/{id_} does not exist.",
        )
    if version.deleted:
        raise NotFound(
            "fhir.gone",
            f"{type_}/{id_} a été supprimé ; son historique reste lisible.",
            f"{type_}/{id_} was deleted; its history can still be read.",
        )
    return version


def checked_type(resource: dict[str, Any], type_: str) -> dict[str, Any]:
    """The resource, when it is of the type the address names."""
    if resource.get("resourceType") != type_:
        raise Invalid(
            "fhir.type-mismatch",
            f"Le corps n’est pas une ressource {type_}.",
            f"The body is not a {type_} resource.",
        )
    return resource


async def create(exchange: Exchange, tx: Tx, type_: str) -> Answer:
    """http://hl7.org/fhir/R4/http.html#create, and conditional create by If-None-Exist"""
    actor = exchange.actor
    authority.require_type(actor, type_, "c")
    resource = checked_type(exchange.body, type_)
    if exchange.if_none_exist:
        authority.require_type(actor, type_, "s")
        found = await matching(exchange, tx, type_, exchange.if_none_exist)
        if found is not None:
            return _written(exchange, found, 200)
    fresh = {name: value for name, value in resource.items() if name != "id"}
    return _written(exchange, await _write(exchange, tx, Write(fresh)), 201)


async def update(exchange: Exchange, tx: Tx, type_: str, id_: str) -> Answer:
    """http://hl7.org/fhir/R4/http.html#update; an unknown id is created with it"""
    authority.require_type(exchange.actor, type_, "u")
    resource = checked_type(exchange.body, type_)
    if resource.get("id") != id_:
        raise Invalid(
            "fhir.id-mismatch",
            "L’identifiant du corps n’est pas celui de l’adresse.",
            "The id in the body is not the id in the address.",
        )
    former = await resources.read(tx, type_, id_)
    exists = former is not None and not former.deleted
    if not exists:
        authority.require_type(exchange.actor, type_, "c")
    wish = Write(resource, id=id_, if_match=version_wanted(exchange.if_match))
    version = await _write(exchange, tx, wish, former if exists else None)
    return _written(exchange, version, 200 if exists else 201)


async def conditional_update(exchange: Exchange, tx: Tx, type_: str, criteria: str) -> Answer:
    """http://hl7.org/fhir/R4/http.html#cond-update"""
    authority.require_type(exchange.actor, type_, "s")
    found = await matching(exchange, tx, type_, criteria)
    resource = checked_type(exchange.body, type_)
    if found is None:
        authority.require_type(exchange.actor, type_, "c")
        return _written(exchange, await _write(exchange, tx, Write(resource)), 201)
    authority.require_type(exchange.actor, type_, "u")
    if resource.get("id") not in (None, found.id):
        raise Invalid(
            "fhir.id-mismatch",
            "La ressource trouvée n’a pas l’identifiant du corps.",
            "The resource found does not have the id in the body.",
        )
    wish = Write({**resource, "id": found.id}, id=found.id)
    return _written(exchange, await _write(exchange, tx, wish, found), 200)


async def delete(exchange: Exchange, tx: Tx, type_: str, id_: str) -> Answer:
    """http://hl7.org/fhir/R4/http.html#delete; deleting what is absent is no error"""
    authority.require_type(exchange.actor, type_, "d")
    former = await resources.read(tx, type_, id_)
    if former is None or former.deleted:
        return Answer(204, version=former)
    wish = Write(
        {"resourceType": type_, "id": id_},
        id=id_,
        if_match=version_wanted(exchange.if_match),
        deletes=True,
    )
    return Answer(204, version=await _write(exchange, tx, wish, former))


async def _write(exchange: Exchange, tx: Tx, wish: Write, former: Version | None = None) -> Version:
    """One write through the room that owns the type, once the gate agrees for the patient it
    belonged to and for the one it will belong to.
    """
    concerned: set[str | None] = set()
    if former is not None:
        concerned.add(authority.patient_of(former))
    if not wish.deletes:
        concerned.add(_patient_after(wish, former))
    await authority.require_write(tx, exchange.actor, concerned)
    type_ = wish.resource["resourceType"]
    reason = f"FHIR {exchange.method}"
    write = exchange.parts.writer(type_)
    return (await write(tx, exchange.actor, [wish], reason=reason))[0]


def _patient_after(wish: Write, former: Version | None) -> str | None:
    """A Patient that does not exist yet is nobody's: who may write at all may make it."""
    if wish.resource["resourceType"] == "Patient" and former is None:
        return None
    return authority.patient_of_resource(wish.resource)


def _written(exchange: Exchange, version: Version, status: int) -> Answer:
    location = f"{exchange.parts.base}/{version.reference}/_history/{version.version}"
    body = version.body if exchange.representation else ""
    return Answer(status, body, version, location)


async def history(exchange: Exchange, tx: Tx, type_: str | None, id_: str | None) -> Answer:
    """http://hl7.org/fhir/R4/http.html#history"""
    wanted = [type_] if type_ else list(definitions.types())
    for name in wanted:
        authority.require_type(exchange.actor, name, "r")
    if id_ is None and (exchange.actor.kind != "client" or exchange.actor.establishment):
        raise Denied(
            "fhir.history",
            "L’historique d’un type entier est réservé aux programmes du groupe.",
            "The history of a whole type is only for programs of the group.",
        )
    query = dict(exchange.query)
    count = exchange.number("_count", HISTORY_PAGE, HISTORY_LIMIT)
    versions = await resources.history(
        tx,
        type_,
        id_,
        since=_instant(query.get("_since")),
        at=_instant(query.get("_at")),
        count=count + 1,
        before=_cursor(query.get("_cursor")),
    )
    if id_ is not None and not versions:
        raise NotFound(
            "fhir.not-found", f"{type_}/{id_} n’existe pas.", f"{type_}/{id_} does not exist."
        )
    patients = await _history_patients(exchange, tx, versions, id_)
    page, more = versions[:count], len(versions) > count > 0
    next_query = _next(exchange.query, page[-1]) if more else None
    body = bundle_of_versions(exchange, page, next_query)
    return Answer(200, body, patients=patients, detail={"count": len(page)})


async def _history_patients(
    exchange: Exchange, tx: Tx, versions: Sequence[Version], id_: str | None
) -> tuple[str | None, ...]:
    patients = tuple(dict.fromkeys(authority.patient_of(v) for v in versions if not v.deleted))
    if id_ is not None:
        for patient in patients:
            await authority.require_read(tx, exchange.actor, patient, versions[0].type)
    return patients or (None,)


def _next(query: list[tuple[str, str]], last: Version) -> list[tuple[str, str]]:
    cursor = f"{last.updated.isoformat()}|{last.type}|{last.id}|{last.version}"
    return [(name, value) for name, value in query if name != "_cursor"] + [("_cursor", cursor)]


def _cursor(text: str | None) -> HistoryCursor | None:
    if text is None:
        return None
    try:
        updated, type_, id_, version = text.split("|")
        return HistoryCursor(datetime.fromisoformat(updated), type_, id_, int(version))
    except ValueError:
        raise Invalid(
            "fhir.cursor", "Page inconnue : repartir du début.", "Unknown page: start again."
        ) from None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return interval(text.replace(" ", "+"))[0].astimezone(UTC)
    except ValueError:
        raise Invalid(
            "fhir.date", "Date illisible dans la demande.", "A date of the request is unreadable."
        ) from None
