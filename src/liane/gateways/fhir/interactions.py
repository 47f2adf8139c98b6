"""How is one resource read, made, replaced and deleted? (R4, RESTful API)"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from liane.base.errors import Invalid
from liane.gateways.fhir import authority, binaries, general
from liane.gateways.fhir.conditions import matching
from liane.gateways.fhir.exchange import Answer, Exchange, version_wanted
from liane.gateways.fhir.writes import (
    checked_type,
    gone,
    locked,
    precondition,
    require_match,
    told,
    write,
    written,
)
from liane.store import Tx, resources
from liane.store.resources import Version, Write


async def read(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#read"""
    authority.require_type(exchange.actor, exchange.type, "r")
    return await _shown(exchange, tx, await resources.read(tx, exchange.type, exchange.id))


async def vread(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#vread"""
    authority.require_type(exchange.actor, exchange.type, "r")
    number = exchange.path[3]
    wanted = int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 0
    return await _shown(exchange, tx, await resources.vread(tx, exchange.type, exchange.id, wanted))


async def _shown(exchange: Exchange, tx: Tx, version: Version | None) -> Answer:
    general.require_known(exchange)
    if version is None:
        current = len(exchange.path) == 2
        raise await authority.nothing(
            tx, exchange.actor, exchange.type, exchange.id, deletion_sought=current
        )
    patient = await authority.require_open(tx, exchange.actor, version)
    if version.deleted:
        raise gone(version)
    if _is_fresh(exchange, version):
        return Answer(304, version=version, patients=(patient,))
    if exchange.type == "Binary" and binaries.wants_content(exchange, version):
        return binaries.content(version, patient)
    return Answer(200, general.shaped(exchange, version.body), version, patients=(patient,))


def _is_fresh(exchange: Exchange, version: Version) -> bool:
    """Whether the reader has this version already (R4 http, conditional read)."""
    if exchange.if_none_match is not None:
        tags = [tag.strip().removeprefix("W/") for tag in exchange.if_none_match.split(",")]
        return "*" in tags or f'"{version.version}"' in tags
    if exchange.if_modified_since is None:
        return False
    try:
        since = parsedate_to_datetime(exchange.if_modified_since)
    except (ValueError, TypeError, OverflowError):
        return False  # RFC 9110, 13.1.3: a date that cannot be read is passed over
    known = since if since.tzinfo else since.replace(tzinfo=UTC)
    return _whole_second(version.updated) <= known


def _whole_second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


async def create(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#create, and conditional create by If-None-Exist"""
    actor, type_ = exchange.actor, exchange.type
    authority.require_type(actor, type_, "c")
    general.require_known(exchange)
    resource = checked_type(exchange.body, type_)
    if exchange.if_none_exist is not None:
        authority.require_type(actor, type_, "s")
        found = await matching(exchange, tx, type_, exchange.if_none_exist)
        if found is not None:
            await authority.require_open(tx, actor, found)
            return written(exchange, found, 200)
    fresh = {name: value for name, value in resource.items() if name != "id"}
    return written(exchange, await write(exchange, tx, Write(fresh)), 201)


async def update(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#update; an unknown id is created with it"""
    type_, id_ = exchange.type, exchange.id
    authority.require_type(exchange.actor, type_, "u")
    general.require_known(exchange)
    resource = checked_type(exchange.body, type_)
    if resource.get("id") != id_:
        raise Invalid(
            "fhir.id-mismatch",
            "L’identifiant du corps n’est pas celui de l’adresse.",
            "The id in the body is not the id in the address.",
            f"Le corps doit porter « id » : « {id_} ».",
            f'The body must carry "id": "{id_}".',
        )
    former = await resources.read(tx, type_, id_)
    exists = former is not None and not former.deleted
    require_match(exchange, former)
    if exists and (exchange.if_none_match or "").strip() == "*":
        raise precondition(f"{type_}/{id_} existe déjà.", f"{type_}/{id_} exists already.")
    if not exists:
        authority.require_type(exchange.actor, type_, "c")
        require_update_create(exchange)
    wish = Write(resource, id=id_, if_match=version_wanted(exchange.if_match))
    version = await write(exchange, tx, wish, former if exists else None)
    return written(exchange, version, 200 if exists else 201)


def require_update_create(exchange: Exchange) -> None:
    """Refuse (405) an update of what does not exist where the house has turned that off."""
    if not exchange.parts.choices.update_create:
        raise Invalid(
            "fhir.method",
            "Cette ressource n’existe pas, et créer par PUT est désactivé ici.",
            "This resource does not exist, and creation by PUT is turned off here.",
            "Créer par POST.",
            "Create by POST.",
            allowed="POST",
        )


async def delete(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#delete; deleting what is absent is no error"""
    type_, id_ = exchange.type, exchange.id
    authority.require_type(exchange.actor, type_, "d")
    general.require_known(exchange)
    former = await locked(tx, type_, id_)
    if former is None or former.deleted:
        if authority.restricted(exchange.actor):
            raise await authority.nothing(tx, exchange.actor, type_, id_)
        require_match(exchange, former)
        return Answer(204, version=former)
    return await delete_known(exchange, tx, former)


async def delete_known(exchange: Exchange, tx: Tx, former: Version) -> Answer:
    """Delete what is there, and locked."""
    await authority.require_open(tx, exchange.actor, former)
    require_match(exchange, former)
    wish = Write({"resourceType": former.type, "id": former.id}, id=former.id, deletes=True)
    version = await write(exchange, tx, wish, former)
    if exchange.returns != "OperationOutcome":
        return Answer(204, version=version)
    done = told(f"{former.reference} supprimé.", f"{former.reference} deleted.", exchange.language)
    return Answer(200, done, version)
