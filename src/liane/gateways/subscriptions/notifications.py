"""What does a notification look like? (backport guide, R4: a history Bundle, its status first)

The stored text of each resource goes in as it is, so that every digit stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from liane.base.ids import new_id
from liane.fhir.json import dumps
from liane.gateways.subscriptions.model import DEFINITIONS, Content, Event, Status
from liane.store.versions import instant

NOTIFICATION = f"{DEFINITIONS}/backport-subscription-notification-r4"
STATUS = f"{DEFINITIONS}/backport-subscription-status-r4"

_METHOD = {"create": "POST", "update": "PUT", "delete": "DELETE"}
_ANSWER = {"create": "201", "update": "200", "delete": "204"}


@dataclass(frozen=True, slots=True)
class Told:
    """What a status says of its subscription."""

    base: str
    id: str
    topic: str
    status: Status
    events: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """An event and what may be shown of it; `withheld` when its reader has lost the right."""

    event: Event
    body: str = ""
    withheld: bool = False
    context: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """Resources sent along: reference and text."""


def status(told: Told, type_: str, events: Sequence[Shown], content: Content) -> dict[str, Any]:
    """The SubscriptionStatus, which R4 carries in a Parameters."""
    parameters: list[dict[str, Any]] = [
        {
            "name": "subscription",
            "valueReference": {"reference": f"{told.base}/Subscription/{told.id}"},
        },
        {"name": "topic", "valueCanonical": told.topic},
        {"name": "status", "valueCode": told.status},
        {"name": "type", "valueCode": type_},
        {"name": "events-since-subscription-start", "valueString": str(told.events)},
    ]
    parameters += [
        {"name": "notification-event", "part": _event(told, shown, content)} for shown in events
    ]
    if told.error:
        parameters.append({"name": "error", "valueCodeableConcept": {"text": told.error}})
    return {
        "resourceType": "Parameters",
        "id": new_id(),
        "meta": {"profile": [STATUS]},
        "parameter": parameters if told.topic else [parameters[0], *parameters[2:]],
    }


def _event(told: Told, shown: Shown, content: Content) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        {"name": "event-number", "valueString": str(shown.event.number)},
        {"name": "timestamp", "valueInstant": instant(shown.event.at)},
    ]
    if content == "empty" or shown.withheld:
        return parts
    reference = f"{told.base}/{shown.event.reference}"
    parts.append({"name": "focus", "valueReference": {"reference": reference}})
    for other, _ in shown.context:
        named = {"reference": f"{told.base}/{other}"}
        parts.append({"name": "additional-context", "valueReference": named})
    return parts


def notification(
    told: Told, type_: str, events: Sequence[Shown], content: Content, now: datetime
) -> str:
    """The Bundle text: `handshake`, `heartbeat`, `event-notification` or `query-event`."""
    first = status(told, type_, events, content)
    head = {
        "resourceType": "Bundle",
        "id": new_id(),
        "meta": {"profile": [NOTIFICATION]},
        "type": "history",
        "timestamp": instant(now),
    }
    entries = [_status_entry(told, first)]
    seen: set[str] = set()
    for shown in events:
        if content == "empty" or shown.withheld:
            continue
        entries.append(_entry(told, shown, content))
        for reference, body in shown.context:
            if reference not in seen and content == "full-resource":
                seen.add(reference)
                entries.append(_context(told, reference, body))
    text = dumps(head)
    return f'{text[:-1]},"entry":[{",".join(entries)}]}}'


def _status_entry(told: Told, parameters: Mapping[str, Any]) -> str:
    return dumps(
        {
            "fullUrl": f"urn:uuid:{parameters['id']}",
            "resource": parameters,
            "request": {"method": "GET", "url": f"{told.base}/Subscription/{told.id}/$status"},
            "response": {"status": "200"},
        }
    )


def _entry(told: Told, shown: Shown, content: Content) -> str:
    event = shown.event
    full = f"{told.base}/{event.reference}"
    facts = dumps(
        {
            "fullUrl": full,
            "request": {
                "method": _METHOD[event.action],
                "url": event.type if event.action == "create" else event.reference,
            },
            "response": {
                "status": _ANSWER[event.action],
                "etag": f'W/"{event.version}"',
                "lastModified": instant(event.at),
            },
        }
    )
    if content != "full-resource" or not shown.body:
        return facts
    return f'{facts[:-1]},"resource":{shown.body}}}'


def _context(told: Told, reference: str, body: str) -> str:
    facts = dumps(
        {
            "fullUrl": f"{told.base}/{reference}",
            "request": {"method": "GET", "url": reference},
            "response": {"status": "200"},
        }
    )
    return f'{facts[:-1]},"resource":{body}}}'
