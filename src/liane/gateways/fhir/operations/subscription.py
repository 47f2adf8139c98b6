"""What can a program ask about its subscriptions: how they stand, what it missed, how to listen?

The operations of the backport guide, http://hl7.org/fhir/uv/subscriptions-backport, and the list
of the topics offered. A program sees its own subscriptions; one without limits sees all.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, cast

from liane.access.actor import Actor
from liane.base.errors import Invalid, NotFound
from liane.fhir import definitions
from liane.fhir.json import dumps
from liane.gateways.fhir import authority
from liane.gateways.fhir.answers import bundle
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations.registry import Operation
from liane.gateways.subscriptions import notifications, state, topics
from liane.gateways.subscriptions.model import BACKPORT, DEFINITIONS, Content
from liane.gateways.subscriptions.model import OPERATIONS as DEFINED
from liane.gateways.subscriptions.owners import Reader
from liane.gateways.subscriptions.policy import socket_url
from liane.gateways.subscriptions.reading import CONTENTS, content_of
from liane.gateways.subscriptions.registering import find_topic, written_topics
from liane.gateways.subscriptions.state import State
from liane.gateways.subscriptions.telling import shown_to
from liane.gateways.subscriptions.transitions import D
from liane.store import Tx
from liane.store.versions import instant

TOKEN_MINUTES = 5
MOST_EVENTS = 500
TYPES = frozenset({"Subscription"})


async def status(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status"""
    authority.require_type(exchange.actor, "Subscription", "r")
    found = await _asked_for(exchange, tx)
    base = exchange.parts.base
    entries = []
    for one in found:
        told = notifications.status(one.told(base), "query-status", (), "empty")
        full = dumps(f"urn:uuid:{told['id']}")
        entries.append(f'{{"fullUrl":{full},"resource":{dumps(told)},"search":{{"mode":"match"}}}}')
    text = bundle("searchset", entries, (), total=len(entries))
    return Answer(200, text, patients=(None,), detail={"count": len(entries)})


async def events(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-events"""
    authority.require_type(exchange.actor, "Subscription", "r")
    one = await _own(exchange, tx, exchange.path[1])
    given = dict(exchange.parameters())
    first = _number(given, "eventsSinceNumber", 1)
    last = _number(given, "eventsUntilNumber", one.events)
    content = _content(given, one)
    topic = await find_topic(tx, one.topic) if one.topic else None
    found = await state.events(tx, one.id, first, last, MOST_EVENTS)
    reader = Reader((exchange.actor,))
    includes = topic.includes if topic else ()
    shown = await shown_to(tx, reader, found, content, includes)
    told = one.told(exchange.parts.base)
    text = notifications.notification(told, "query-event", shown, content, tx.now)
    patients = tuple(
        dict.fromkeys(s.event.patient for s in shown if content != "empty" and not s.withheld)
    )
    return Answer(200, text, patients=patients or (None,), detail={"count": len(shown)})


async def binding_token(exchange: Exchange, _tx: None) -> Answer:
    """http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-get-ws-binding-token"""
    actor = exchange.actor
    authority.require_type(actor, "Subscription", "r")
    async with exchange.parts.database.transaction() as tx:
        found = [
            one
            for one in await _asked_for(exchange, tx)
            if one.channel == "websocket" and one.status != "off" and one.owner_id == actor.id
        ]
        if not found:
            raise Invalid(
                "subscription.no-websocket",
                "Aucun abonnement WebSocket de ce compte n’est désigné.",
                "No WebSocket subscription of this account is named.",
                "Nommez-le : Subscription/ID/$get-ws-binding-token, ou le paramètre id.",
                "Name it: Subscription/ID/$get-ws-binding-token, or the parameter id.",
            )
        token = secrets.token_urlsafe(32)
        expires = tx.now + timedelta(minutes=TOKEN_MINUTES)
        ids = [one.id for one in found]
        digest = hashlib.sha256(token.encode()).digest()
        await tx.execute(D["bind"], tx.tenant, digest, ids, actor.id, expires)
    parameters: list[dict[str, Any]] = [
        {"name": "token", "valueString": token},
        {"name": "expiration", "valueDateTime": instant(expires)},
    ]
    parameters += [{"name": "subscription", "valueString": id_} for id_ in ids]
    parameters.append({"name": "websocket-url", "valueUrl": socket_url(exchange.parts.base)})
    text = dumps({"resourceType": "Parameters", "parameter": parameters})
    return Answer(200, text, patients=(None,), detail={"subscriptions": ids})


async def list_topics(exchange: Exchange, tx: Tx) -> Answer:
    """The topics offered, each as the Basic resource that R4 carries it in."""
    authority.require_type(exchange.actor, "Subscription", "r")
    offered = [*topics.clinical(), *(await written_topics(tx)).values()]
    entries = [
        f'{{"fullUrl":{dumps(one.url)},"resource":{dumps(topics.to_basic(one))}}}'
        for one in offered
    ]
    return Answer(200, bundle("collection", entries, ()), patients=(None,))


async def _asked_for(exchange: Exchange, tx: Tx) -> list[State]:
    """The subscriptions named by the address or the parameters, as far as this actor may."""
    if len(exchange.path) > 2:
        return [await _own(exchange, tx, exchange.path[1])]
    items = exchange.parameters()
    ids = [id_ for name, value in items if name == "id" for id_ in value.split(",") if id_]
    wanted = [code for name, value in items if name == "status" for code in value.split(",")]
    owner = None if _sees_all(exchange.actor) else exchange.actor.id
    return await state.find_many(tx, ids or None, owner=owner, status=wanted or None)


async def _own(exchange: Exchange, tx: Tx, id_: str) -> State:
    found = await state.find(tx, id_)
    actor = exchange.actor
    if found is None or (found.owner_id != actor.id and not _sees_all(actor)):
        raise NotFound(
            "fhir.not-found",
            f"Subscription/{id_} n’existe pas ou n’est pas de ce compte.",
            f"Subscription/{id_} does not exist or does not belong to this account.",
        )
    return found


def _sees_all(actor: Actor) -> bool:
    return actor.kind == "client" and actor.establishment is None


def _number(given: dict[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise Invalid(
            "fhir.number", f"{name} attend un nombre entier.", f"{name} expects a whole number."
        )
    return int(text)


def _content(given: dict[str, str], one: State) -> Content:
    text = given.get("content")
    if text is None:
        return content_of(one.resource)
    if text not in CONTENTS:
        listed = ", ".join(CONTENTS)
        raise Invalid(
            "subscription.content",
            f"content accepte {listed}.",
            f"content accepts {listed}.",
        )
    return cast("Content", text)


GUIDE = f"{BACKPORT}/CapabilityStatement/backport-subscription-server-r4"


def topic_extensions() -> list[dict[str, Any]]:
    """Our topics as the CapabilityStatement tells them, on the type Subscription."""
    url = f"{DEFINITIONS}/capabilitystatement-subscriptiontopic-canonical"
    generic = [topics.OURS + type_ for type_ in definitions.types()]
    return [
        {"url": url, "valueCanonical": canonical}
        for canonical in [*(one.url for one in topics.clinical()), *generic]
    ]


def websocket_extension(base: str) -> dict[str, Any]:
    """Where the WebSocket channel is, as the CapabilityStatement of R4 tells it."""
    url = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket"
    return {"url": url, "valueUri": socket_url(base)}


OPERATIONS = (
    Operation(
        "status",
        frozenset({"type", "instance"}),
        TYPES,
        status,
        f"{DEFINED}/backport-subscription-status",
    ),
    Operation(
        "events", frozenset({"instance"}), TYPES, events, f"{DEFINED}/backport-subscription-events"
    ),
    Operation(
        "get-ws-binding-token",
        frozenset({"type", "instance"}),
        TYPES,
        binding_token,
        f"{DEFINED}/backport-subscription-get-ws-binding-token",
        alone=True,
    ),
    Operation(
        "topics",
        frozenset({"type"}),
        TYPES,
        list_topics,
        "https://liane.example/fhir/OperationDefinition/subscription-topics",
    ),
)
