"""How does a Subscription enter the record, and become something that is served?

The write action of the types Subscription and Basic (topics): what cannot be done is refused
before it is stored. Whoever wrote a Subscription last is its owner: it tells nothing that its
owner may not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from liane.access.actor import Actor
from liane.fhir import json as fhir_json
from liane.gateways.subscriptions import state, topics
from liane.gateways.subscriptions.model import Topic, Wish
from liane.gateways.subscriptions.policy import Policy, host_of
from liane.gateways.subscriptions.reading import read
from liane.gateways.subscriptions.state import Q, State
from liane.store import Tx, search
from liane.store.resources import Version, Write

if TYPE_CHECKING:
    from liane.gateways.fhir.exchange import WriteMany

MASK = "********"
_ESSENTIAL = ("criteria", "_criteria", "channel", "end")


def subscription_writer(policy: Policy, write: WriteMany) -> WriteMany:
    """The action that writes Subscriptions; `write` is the one that stores."""

    async def write_subscriptions(
        tx: Tx, actor: Actor, writes: Sequence[Write], *, reason: str
    ) -> list[Version]:
        asked = [await _asked(tx, one, policy) for one in writes]
        versions = await write(tx, actor, [one.write for one in asked], reason=reason)
        for one, version in zip(asked, versions, strict=True):
            await _follow(tx, actor, one, version)
        return versions

    return write_subscriptions


def topic_writer(write: WriteMany) -> WriteMany:
    """The action that writes Basic resources: a topic that cannot be served is refused."""

    async def write_basics(
        tx: Tx, actor: Actor, writes: Sequence[Write], *, reason: str
    ) -> list[Version]:
        for one in writes:
            if not one.deletes and topics.is_topic(one.resource):
                topics.from_basic(one.resource)
        return await write(tx, actor, writes, reason=reason)

    return write_basics


class _Asked:
    """One write of a Subscription: what is stored, and what is to be served."""

    def __init__(
        self, write: Write, wish: Wish | None, full: dict[str, Any], former: State | None
    ) -> None:
        self.write = write
        self.wish = wish
        self.full = full
        self.former = former


async def _asked(tx: Tx, write: Write, policy: Policy) -> _Asked:
    id_ = write.id or write.resource.get("id")
    former = await state.find(tx, id_) if id_ else None
    if write.deletes:
        return _Asked(write, None, {}, former)
    full = _unmasked(write.resource, former)
    if full.get("status") == "off":
        return _Asked(replace(write, resource=_masked(full)), None, full, former)
    criteria = str(full.get("criteria", ""))
    topic = await find_topic(tx, criteria)
    wish = read(full, lambda _: topic, policy, tx.now)
    full = {**full, "status": _status(full, wish, former)}
    if full["status"] != "error":
        full.pop("error", None)
    return _Asked(replace(write, resource=_masked(full)), wish, full, former)


def _status(full: dict[str, Any], wish: Wish, former: State | None) -> str:
    """A changed or new wish begins again; WebSocket and plain ones have nobody to greet."""
    if former is not None and former.status in ("active", "error"):
        before = former.resource
        if full.get("status") == former.status and all(
            full.get(name) == before.get(name) for name in _ESSENTIAL
        ):
            return former.status
    greets = wish.channel.kind != "websocket" and wish.plain is None
    return "requested" if greets else "active"


async def _follow(tx: Tx, actor: Actor, asked: _Asked, version: Version) -> None:
    if asked.write.deletes:
        await tx.execute(Q["forget"], version.id)
        return
    if asked.wish is None:
        await tx.execute(Q["switch_off"], version.id)
        return
    channel = asked.wish.channel
    await tx.execute(Q["open_place"], tx.tenant)
    await tx.execute(
        Q["ask"],
        tx.tenant,
        version.id,
        fhir_json.dumps(asked.full),
        asked.full["status"],
        asked.wish.topic,
        channel.kind,
        _host(channel.kind, channel.endpoint),
        channel.heartbeat_seconds,
        asked.wish.ends,
        actor.kind,
        actor.id,
        actor.name,
        actor.login,
        list(actor.scopes),
        actor.establishment,
        tx.now,
    )


def _host(kind: str, endpoint: str) -> str:
    if kind == "rest-hook":
        return host_of(endpoint)
    return "mail" if kind == "email" else ""


async def find_topic(tx: Tx, url: str) -> Topic | None:
    """The topic of this address: ours, or one that a Basic resource carries."""
    known = topics.built_in(url)
    if known is not None or not url:
        return known
    return (await written_topics(tx)).get(url)


async def written_topics(tx: Tx) -> dict[str, Topic]:
    """The topics that programs have written, by address."""
    asked = [("code", f"{topics.CODE_SYSTEM}|{topics.CODE}"), ("_count", "1000")]
    page = await search.run(tx, search.parse_query("Basic", asked))
    found = (topics.from_basic(version.resource) for version in page.versions)
    return {topic.url: topic for topic in found if topic is not None}


def _masked(full: dict[str, Any]) -> dict[str, Any]:
    """The resource as everyone may read it: header values are secrets."""
    channel = full.get("channel")
    if not isinstance(channel, dict) or not isinstance(channel.get("header"), list):
        return full
    shown = [f"{str(text).partition(':')[0]}: {MASK}" for text in channel["header"]]
    return {**full, "channel": {**channel, "header": shown}}


def _unmasked(resource: dict[str, Any], former: State | None) -> dict[str, Any]:
    """A header sent back masked keeps the value it had."""
    channel = resource.get("channel")
    if former is None or not isinstance(channel, dict):
        return resource
    before = former.resource.get("channel", {}).get("header", [])
    known = {str(text).partition(":")[0].lower(): text for text in before}
    given = channel.get("header")
    if not isinstance(given, list) or not known:
        return resource
    kept = [
        known.get(str(text).partition(":")[0].lower(), text)
        if str(text).partition(":")[2].strip() == MASK
        else text
        for text in given
    ]
    return {**resource, "channel": {**channel, "header": kept}}
