"""What is a subscription made of: a topic, filters, a channel, and events with numbers?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Action = Literal["create", "update", "delete"]
ChannelKind = Literal["rest-hook", "websocket", "email"]
Content = Literal["empty", "id-only", "full-resource"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a subscription fails or is over, for people; no address, no secret."""

    fr: str
    en: str


Status = Literal["requested", "active", "error", "off"]

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport"
DEFINITIONS = f"{BACKPORT}/StructureDefinition"
OPERATIONS = f"{BACKPORT}/OperationDefinition"
JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Test:
    """`name:modifier=value,value` of a filter, understood."""

    param: str
    kind: str
    modifier: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Criteria:
    """All tests that a resource of one type must pass."""

    type: str
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """When does a topic see an event in a change of one type of resource? (R5 SubscriptionTopic)"""

    type: str
    actions: frozenset[Action] = frozenset({"create", "update", "delete"})
    previous: Criteria | None = None
    current: Criteria | None = None
    on_create: bool = True
    """What the test of the previous version says when there is none (resultForCreate)."""
    on_delete: bool = False
    """What the test of the current version says when there is none (resultForDelete)."""
    both: bool = False
    """Both tests must pass (requireBoth); otherwise one suffices."""
    path: str = ""
    """A FHIRPath test over %previous and %current."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Something a program can subscribe to."""

    url: str
    title: str
    description: str
    triggers: tuple[Trigger, ...]
    filters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Search parameters a subscription may filter by, by type; `*` stands for all of the type."""
    includes: tuple[str, ...] = ()
    """References sent along with the focus (`Encounter:patient`), from notificationShape."""

    def may_filter(self, type_: str, param: str) -> bool:
        """Whether the topic lets its subscriptions filter by this parameter."""
        allowed = self.filters.get(type_, frozenset())
        return param in allowed or "*" in allowed


@dataclass(frozen=True, slots=True)
class Channel:
    """Where and how notifications go."""

    kind: ChannelKind
    endpoint: str
    mime: str
    content: Content
    headers: tuple[tuple[str, str], ...]
    heartbeat_seconds: int
    timeout_seconds: int
    max_count: int


@dataclass(frozen=True, slots=True)
class Wish:
    """A Subscription, read and found possible. Without topic it is a plain R4 one."""

    topic: str
    criteria: str
    plain: Criteria | None
    filters: tuple[Criteria, ...]
    channel: Channel
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered event of one subscription."""

    number: int
    at: datetime
    action: Action
    type: str
    id: str
    version: int
    patient: str | None

    @property
    def reference(self) -> str:
        """`Encounter/1`"""
        return f"{self.type}/{self.id}"
