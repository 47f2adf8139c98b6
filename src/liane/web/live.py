"""How does a page learn within half a second that something has changed?

One hub per process follows the change feed and tells each open tab what happened on the topics it
shows. A tab names the last position it saw, so nothing is missed or said twice after a cut. What
a tab may follow is decided by the gate when it asks, and again every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler

from liane.access import gate, relations
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.access.sessions import COOKIE
from liane.base.errors import LianeError
from liane.store import Tx
from liane.store.changes import Change, current_position, listen, read_since
from liane.ui.services import Services

log = logging.getLogger("liane.web.live")

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
RECHECK_SECONDS = 4.0
BATCH = 1000
MAX_TOPICS = 64
REPLAY_LIMIT = 5000
"""A tab that was away for longer than this many changes reloads its page instead."""


@dataclass(eq=False, slots=True)
class Tab:
    """One open page and what it follows."""

    socket: WebSocket[Any, Any, Any]
    cookie: str
    topics: set[str] = field(default_factory=set)
    position: int = 0
    queue: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(maxsize=200))


class Hub:
    """Follows the change feed once and tells every tab of this process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tabs: dict[str, set[Tab]] = defaultdict(set)
        self._wake = asyncio.Event()
        self.position = 0

    async def run(self) -> None:
        """Follow the feed until cancelled; a lost database is retried, nothing is skipped."""
        async with self._services.database.reading() as tx:
            self.position = await current_position(tx)
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                try:
                    await self._step()
                except (OSError, asyncpg.PostgresError, LianeError) as error:
                    log.warning("the change feed cannot be read: %s", error)
                    await asyncio.sleep(POLL_SECONDS)
        finally:
            listener.cancel()

    async def _step(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        self._wake.clear()
        while True:
            async with self._services.database.reading() as tx:
                changes = await read_since(tx, self.position, BATCH)
                units = await _units_of(tx, changes) if self._tabs else {}
            if not changes:
                return
            self.position = changes[-1].position
            self._tell(changes, units)

    async def _listen(self) -> None:
        """Hear the wake-ups; the table stays the truth."""
        database = self._services.database
        await listen(
            database.dsn, asyncio.Event(), lambda _: self._wake.set(), tenant=database.tenant
        )

    def _tell(self, changes: Sequence[Change], units: dict[str, list[str]]) -> None:
        news: dict[Tab, list[dict[str, object]]] = defaultdict(list)
        for change in changes:
            for topic in _topics(change, units):
                for tab in self._tabs.get(topic, ()):
                    if change.position > tab.position:
                        news[tab].append(_event(topic, change))
        for tab, events in news.items():
            self._send(tab, changes[-1].position, events)

    def _send(self, tab: Tab, position: int, events: list[dict[str, object]]) -> None:
        tab.position = position
        try:
            tab.queue.put_nowait(orjson.dumps({"position": position, "events": events}))
        except asyncio.QueueFull:
            # A tab that reads nothing for so long is told to start again from its page.
            self.leave(tab)
            tab.queue.get_nowait()
            tab.queue.put_nowait(b'{"reload":true}')

    def follow(self, tab: Tab, topics: Iterable[str]) -> None:
        """Let `tab` hear of `topics` from now on."""
        for topic in topics:
            if len(tab.topics) < MAX_TOPICS:
                tab.topics.add(topic)
                self._tabs[topic].add(tab)

    def leave(self, tab: Tab, topics: Iterable[str] | None = None) -> None:
        """Stop telling `tab` of `topics` (all of them by default)."""
        for topic in list(tab.topics if topics is None else topics):
            tab.topics.discard(topic)
            self._tabs[topic].discard(tab)
            if not self._tabs[topic]:
                del self._tabs[topic]


def _topics(change: Change, units: dict[str, list[str]]) -> Iterable[str]:
    named = change.facts.get("topics", ()) if change.facts else ()
    topics = {str(topic) for topic in named} if isinstance(named, list) else set()
    if change.patient:
        topics.add(f"patient:{change.patient}")
        topics.update(f"unit:{unit}" for unit in units.get(change.patient, ()))
    return topics


def _event(topic: str, change: Change) -> dict[str, object]:
    return {
        "topic": topic,
        "type": change.type,
        "id": change.id,
        "version": change.version,
        "patient": change.patient,
        "at": change.at.isoformat() if change.at else None,
    }


async def _units_of(tx: Tx, changes: Sequence[Change]) -> dict[str, list[str]]:
    patients = sorted({change.patient for change in changes if change.patient})
    return await relations.units_of_patients(tx, patients) if patients else {}


async def allowed_topics(tx: Tx, actor: Actor, topics: Iterable[str]) -> set[str]:
    """Those of `topics` that this person may follow now."""
    allowed: set[str] = set()
    for topic in topics:
        kind, _, name = topic.partition(":")
        try:
            match kind:
                case "patient":
                    await gate.require(tx, actor, Permission.CHART_READ, patient=name)
                case "unit":
                    await gate.require_unit(tx, actor, Permission.BOARD_VIEW, unit=name)
                case "interfaces":
                    await gate.require(tx, actor, Permission.INTERFACES_VIEW)
                case _:
                    continue
        except LianeError:
            continue
        allowed.add(topic)
    return allowed


def live_handler(services: Services, hub: Hub) -> WebsocketRouteHandler:
    """The `/live` socket."""

    @websocket("/live")
    async def live(socket: WebSocket[Any, Any, Any]) -> None:
        cookie = socket.cookies.get(COOKIE, "")
        origin = socket.headers.get("Origin", "")
        if origin.partition("://")[2] != socket.headers.get("Host", ""):
            await socket.close(code=4403, reason="origin")
            return
        await socket.accept()
        tab = Tab(socket, cookie, position=hub.position)
        tasks = [
            asyncio.create_task(_write(tab)),
            asyncio.create_task(_recheck(services, hub, tab)),
        ]
        try:
            await _read(services, hub, tab)
        except WebSocketDisconnect:
            pass
        finally:
            hub.leave(tab)
            for task in tasks:
                task.cancel()

    return live


async def _write(tab: Tab) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            try:
                message = await asyncio.wait_for(tab.queue.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                message = b'{"heartbeat":true}'
            await tab.socket.send_data(message.decode(), mode="text")


async def _read(services: Services, hub: Hub, tab: Tab) -> None:
    while True:
        text = await tab.socket.receive_text()
        if len(text) > 16_384:
            await tab.socket.close(code=1009)
            return
        try:
            message = orjson.loads(text)
            topics = {str(topic) for topic in message["subscribe"]}
            since = int(message.get("since") or 0)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue
        await _subscribe(services, hub, tab, topics, since)


async def _subscribe(services: Services, hub: Hub, tab: Tab, topics: set[str], since: int) -> None:
    """Follow exactly `topics`; say again what happened after `since`, in order and once."""
    session = await services.sessions.resolve(tab.cookie)
    if session is None:
        await tab.socket.close(code=4401, reason="signed out")
        return
    async with services.database.reading() as tx:
        allowed = await allowed_topics(tx, session.actor, topics)
        hub.leave(tab)
        hub.follow(tab, allowed)
        upto = tab.position = hub.position
        missed: list[Change] = []
        if since and since < upto:
            missed = await read_since(tx, since, REPLAY_LIMIT)
        units = await _units_of(tx, missed)
    if len(missed) == REPLAY_LIMIT:
        tab.queue.put_nowait(b'{"reload":true}')
        return
    events = [
        _event(topic, change)
        for change in missed
        if change.position <= upto
        for topic in _topics(change, units)
        if topic in allowed
    ]
    refused = sorted(topics - allowed)
    tab.queue.put_nowait(
        orjson.dumps({"position": upto, "events": events, "refused": refused, "following": True})
    )


async def _recheck(services: Services, hub: Hub, tab: Tab) -> None:
    """Close what this person may no longer follow within a few seconds of the revocation."""
    while True:
        await asyncio.sleep(RECHECK_SECONDS)
        try:
            session = await services.sessions.resolve(tab.cookie)
            allowed: set[str] = set()
            if session is not None:
                async with services.database.reading() as tx:
                    allowed = await allowed_topics(tx, session.actor, tab.topics)
        except LianeError:
            continue
        if session is None:
            hub.leave(tab)
            await tab.socket.close(code=4401, reason="signed out")
            return
        if lost := tab.topics - allowed:
            hub.leave(tab, lost)
