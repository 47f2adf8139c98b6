"""What does a Subscription resource ask for, and can it be done here?

The R4 profile of the backport guide (criteria = topic, filters and limits as extensions), and the
plain R4 form (criteria = a search). http://hl7.org/fhir/uv/subscriptions-backport
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from liane.gateways.subscriptions.criteria import parse, refused
from liane.gateways.subscriptions.model import (
    DEFINITIONS,
    JSON,
    Channel,
    ChannelKind,
    Content,
    Criteria,
    Topic,
    Wish,
)
from liane.gateways.subscriptions.policy import Policy

Json = Mapping[str, Any]

FILTER = f"{DEFINITIONS}/backport-filter-criteria"
CONTENT = f"{DEFINITIONS}/backport-payload-content"
HEARTBEAT = f"{DEFINITIONS}/backport-heartbeat-period"
TIMEOUT = f"{DEFINITIONS}/backport-timeout"
MAX_COUNT = f"{DEFINITIONS}/backport-max-count"
OTHER_CHANNEL = f"{DEFINITIONS}/backport-channel-type"

CHANNELS = ("rest-hook", "websocket", "email")
CONTENTS = ("empty", "id-only", "full-resource")
MOST_FILTERS = 20
MOST_HEADERS = 20
LONGEST_TIMEOUT = 30
MOST_EVENTS = 100
_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}):[ \t]*([^\r\n\0]{0,2000})")
_OWN_HEADERS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "trailer"}
    | {"idempotency-key", "upgrade", "proxy-authorization", "expect", "accept-encoding"}
)


def read(
    resource: Json, topic_of: Callable[[str], Topic | None], policy: Policy, now: datetime
) -> Wish:
    """The wish in a Subscription. Raises `Invalid` that names what is refused and what is not."""
    criteria = str(resource.get("criteria", ""))
    filters = _filters(resource)
    plain = topic = None
    if "?" in criteria or re.fullmatch(r"[A-Z][A-Za-z]{2,40}", criteria):
        plain = parse(criteria)
        if filters:
            raise refused(
                "Subscription.criteria.extension",
                "Des filtres demandent un thème (SubscriptionTopic) dans criteria.",
                "Filters need a topic (SubscriptionTopic) in criteria.",
            )
    else:
        topic = topic_of(criteria)
        if topic is None:
            raise refused(
                "Subscription.criteria",
                f"Le thème « {criteria[:200]} » n’est pas offert ; voir /fhir/metadata.",
                f"The topic '{criteria[:200]}' is not offered; see /fhir/metadata.",
            )
    return Wish(
        topic=topic.url if topic else "",
        criteria=criteria,
        plain=plain,
        filters=tuple(_filter(text, topic) for text in filters) if topic else (),
        channel=_channel(resource, policy, backport=topic is not None),
        ends=_end(resource, now),
    )


def _extensions(element: Any, url: str) -> Iterable[Json]:
    listed = element.get("extension", []) if isinstance(element, Mapping) else []
    return [one for one in listed if isinstance(one, Mapping) and one.get("url") == url]


def _filters(resource: Json) -> list[str]:
    found = [
        str(one.get("valueString", "")) for one in _extensions(resource.get("_criteria"), FILTER)
    ]
    if len(found) > MOST_FILTERS:
        raise refused(
            "Subscription.criteria.extension",
            f"Au plus {MOST_FILTERS} filtres.",
            f"At most {MOST_FILTERS} filters.",
        )
    return found


def _filter(text: str, topic: Topic) -> Criteria:
    path = "Subscription.criteria.extension"
    types = sorted({trigger.type for trigger in topic.triggers})
    given = text.partition("?")[0] if "?" in text else ""
    criteria = parse(text, type_=given or types[0], path=path)
    if criteria.type not in types:
        raise refused(
            path,
            f"Ce thème ne porte pas sur {criteria.type}, mais sur {', '.join(types)}.",
            f"This topic is not about {criteria.type}, but about {', '.join(types)}.",
        )
    for test in criteria.tests:
        if not topic.may_filter(criteria.type, test.param):
            accepted = ", ".join(sorted(topic.filters.get(criteria.type, ())))
            raise refused(
                path,
                f"Ce thème ne se filtre pas par {test.param}. Acceptés : {accepted or 'aucun'}.",
                f"This topic cannot be filtered by {test.param}. Accepted: {accepted or 'none'}.",
            )
    return criteria


def _channel(resource: Json, policy: Policy, *, backport: bool) -> Channel:
    channel = resource.get("channel")
    channel = channel if isinstance(channel, Mapping) else {}
    kind = channel.get("type")
    if kind not in CHANNELS or _extensions(channel.get("_type"), OTHER_CHANNEL):
        raise refused(
            "Subscription.channel.type",
            f"Canal « {str(kind)[:40]} » non offert. Acceptés : {', '.join(CHANNELS)}.",
            f"Channel '{str(kind)[:40]}' is not offered. Accepted: {', '.join(CHANNELS)}.",
        )
    mime = str(channel.get("payload", ""))
    return Channel(
        kind=cast("ChannelKind", kind),
        endpoint=_endpoint(kind, str(channel.get("endpoint", "")), policy),
        mime=_mime(mime),
        content=_content(channel, mime, backport=backport),
        headers=_headers(channel),
        heartbeat_seconds=_number(channel, HEARTBEAT, "valueUnsignedInt", 0, 86_400 * 7),
        timeout_seconds=_number(channel, TIMEOUT, "valueUnsignedInt", 10, LONGEST_TIMEOUT),
        max_count=max(1, _number(channel, MAX_COUNT, "valuePositiveInt", 1, MOST_EVENTS)),
    )


def _endpoint(kind: str, endpoint: str, policy: Policy) -> str:
    path = "Subscription.channel.endpoint"
    if kind == "websocket":
        return ""
    if kind == "email":
        address = endpoint.removeprefix("mailto:")
        if policy.mail is None or not policy.allows_mail(address):
            raise refused(
                path,
                "Cette adresse de courriel n’est pas autorisée (LIANE_SUBSCRIPTION_MAIL_DOMAINS).",
                "This e-mail address is not allowed (LIANE_SUBSCRIPTION_MAIL_DOMAINS).",
            )
        return address
    if len(endpoint) > 2000 or not policy.allows(endpoint):
        raise refused(
            path,
            "Ce serveur n’est pas sur la liste des destinataires autorisés, ou n’est pas en "
            "https. Demander au service informatique de l’ajouter à LIANE_SUBSCRIPTION_HOSTS.",
            "This server is not on the list of allowed receivers, or is not https. Ask the IT "
            "department to add it to LIANE_SUBSCRIPTION_HOSTS.",
        )
    return endpoint


def _mime(mime: str) -> str:
    bare = mime.partition(";")[0].strip().lower()
    if bare in ("", JSON, "application/json"):
        return bare and JSON
    raise refused(
        "Subscription.channel.payload",
        f"Format « {mime[:60]} » non offert. Accepté : {JSON}.",
        f"Format '{mime[:60]}' is not offered. Accepted: {JSON}.",
    )


def _content(channel: Json, mime: str, *, backport: bool) -> Content:
    asked = [one.get("valueCode") for one in _extensions(channel.get("_payload"), CONTENT)]
    if not asked:
        # A plain R4 subscription says by its payload whether it wants the resource.
        return "full-resource" if mime and not backport else "empty"
    if len(asked) > 1 or asked[0] not in CONTENTS:
        raise refused(
            "Subscription.channel.payload.extension",
            f"Contenu inconnu. Acceptés : {', '.join(CONTENTS)}.",
            f"Unknown content. Accepted: {', '.join(CONTENTS)}.",
        )
    if asked[0] != "empty" and not mime:
        raise refused(
            "Subscription.channel.payload",
            f"Un contenu {asked[0]} demande un format : {JSON}.",
            f"The content {asked[0]} needs a format: {JSON}.",
        )
    return cast("Content", asked[0])


def content_of(resource: Json) -> Content:
    """The content that a Subscription already accepted asks for."""
    channel = resource.get("channel")
    channel = channel if isinstance(channel, Mapping) else {}
    backport = "?" not in str(resource.get("criteria", ""))
    return _content(channel, str(channel.get("payload", "")), backport=backport)


def _headers(channel: Json) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    listed = channel.get("header", [])
    for text in listed if isinstance(listed, list) else []:
        match = _HEADER.fullmatch(str(text))
        if match is None or match[1].lower() in _OWN_HEADERS or len(found) == MOST_HEADERS:
            raise refused(
                "Subscription.channel.header",
                "Un en-tête s’écrit « Nom: valeur » et ne remplace pas ceux de la notification.",
                "A header is written 'Name: value' and replaces none of the notification's own.",
            )
        found.append((match[1], match[2].strip()))
    return tuple(found)


def _number(channel: Json, url: str, name: str, default: int, most: int) -> int:
    given = [one.get(name) for one in _extensions(channel, url)]
    if not given:
        return default
    value = given[0]
    if len(given) > 1 or type(value) is not int or value < 0:
        short = url.rsplit("/", 1)[-1]
        raise refused(
            "Subscription.channel.extension",
            f"{short} attend un seul nombre ({name}).",
            f"{short} expects a single number ({name}).",
        )
    return min(value, most)


def _end(resource: Json, now: datetime) -> datetime | None:
    text = resource.get("end")
    if text is None:
        return None
    try:
        end = datetime.fromisoformat(str(text))
        end = end if end.tzinfo else end.replace(tzinfo=UTC)
    except ValueError:
        end = now
    if end <= now:
        raise refused(
            "Subscription.end",
            "La fin doit être un instant à venir.",
            "The end must be an instant in the future.",
        )
    return end
