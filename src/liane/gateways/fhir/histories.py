"""What did a resource, a type or the whole record look like before? (R4 http, history)"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from liane.base.errors import Denied, Invalid
from liane.fhir import definitions
from liane.fhir.dates import interval
from liane.gateways.fhir import authority, general
from liane.gateways.fhir.answers import bundle_of_versions
from liane.gateways.fhir.conditions import Q
from liane.gateways.fhir.exchange import Answer, Exchange, Items
from liane.store import Tx
from liane.store.resources import HistoryCursor, Version
from liane.store.resources import history as stored_history

PAGE = 50
LIMIT = 500


class Period(NamedTuple):
    """Versions that were current at some moment of it (`_at`)."""

    start: datetime
    end: datetime


async def of_instance(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#history of one resource"""
    authority.require_type(exchange.actor, exchange.type, "r")
    versions = await _versions(exchange, tx, exchange.type, exchange.id)
    if not versions and not await stored_history(tx, exchange.type, exchange.id, count=1):
        raise authority.absent(exchange.type, exchange.id)
    patients = [await authority.require_open(tx, exchange.actor, one) for one in versions]
    return _page(exchange, versions, patients)


async def of_type(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#history of all resources of a type"""
    authority.require_type(exchange.actor, exchange.type, "r")
    return await _of_many(exchange, tx, exchange.type)


async def of_system(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/http.html#history of everything"""
    for name in definitions.types():
        authority.require_type(exchange.actor, name, "r")
    return await _of_many(exchange, tx, None)


async def _of_many(exchange: Exchange, tx: Tx, type_: str | None) -> Answer:
    if authority.restricted(exchange.actor):
        raise Denied(
            "fhir.history",
            "L’historique d’un type entier est réservé aux programmes du groupe.",
            "The history of a whole type is only for programs of the group.",
        )
    versions = await _versions(exchange, tx, type_, None)
    return _page(exchange, versions, [authority.patient_of(v) for v in versions if not v.deleted])


async def _versions(
    exchange: Exchange, tx: Tx, type_: str | None, id_: str | None
) -> list[Version]:
    """One more than the page holds."""
    general.require_known(exchange, "_since", "_at", "_count", "_cursor")
    query = dict(exchange.query)
    count = _count(exchange) + 1
    since, before = _instant(query.get("_since")), _cursor(query.get("_cursor"))
    period = _period(query.get("_at"))
    if period is None:
        return await stored_history(tx, type_, id_, since=since, count=count, before=before)
    types = [type_] if type_ else list(definitions.types())
    mark = before or (None, None, None, None)
    rows = await tx.fetch(Q["history_at"], types, id_, since, *period, count, *mark)
    return [Version(*row) for row in rows]


def _count(exchange: Exchange) -> int:
    return max(1, exchange.number("_count", PAGE, LIMIT))


def _page(
    exchange: Exchange, versions: Sequence[Version], patients: Sequence[str | None]
) -> Answer:
    count = _count(exchange)
    page = versions[:count]
    following = _next(exchange.query, page[-1]) if len(versions) > count else None
    body = bundle_of_versions(exchange, page, following)
    known = tuple(dict.fromkeys(patients)) or (None,)
    return Answer(200, body, patients=known, detail={"count": len(page)})


def _next(query: Items, last: Version) -> Items:
    cursor = f"{last.updated.isoformat()}|{last.type}|{last.id}|{last.version}"
    return [(name, value) for name, value in query if name != "_cursor"] + [("_cursor", cursor)]


def _cursor(text: str | None) -> HistoryCursor | None:
    if text is None:
        return None
    try:
        updated, type_, id_, version = text.split("|")
        number = int(version)
        at = datetime.fromisoformat(updated)
    except ValueError:
        number, at = -1, datetime.min  # noqa: DTZ901 - refused below
    if at.tzinfo is None or not 0 <= number < 1 << 31:
        raise Invalid(
            "fhir.cursor", "Page inconnue : repartir du début.", "Unknown page: start again."
        )
    return HistoryCursor(at, type_, id_, number)


def _instant(text: str | None) -> datetime | None:
    period = _period(text)
    return None if period is None else period.start


def _period(text: str | None) -> Period | None:
    """The stretch of time that a date stands for: a day, a month, an instant."""
    if text is None:
        return None
    try:
        start, end = interval(text.replace(" ", "+"))
        return Period(start.astimezone(UTC), end.astimezone(UTC))
    except (ValueError, OverflowError):
        raise Invalid(
            "fhir.date",
            f"La date « {text[:40]} » est illisible.",
            f"The date '{text[:40]}' cannot be read.",
            "Écrire par exemple 2026-01-31 ou 2026-01-31T10:20:30Z.",
            "Write for example 2026-01-31 or 2026-01-31T10:20:30Z.",
        ) from None
