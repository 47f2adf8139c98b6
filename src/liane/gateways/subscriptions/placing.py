"""Which events does each subscription have, and which number has each?

One process at a time turns the change feed into numbered events, a few hundred changes in each
transaction, together with the place it has come to: so an event is numbered once and in order,
whichever process dies when.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from liane.base.errors import Invalid, LianeError
from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.gateways.subscriptions import topics
from liane.gateways.subscriptions.matching import Happening, Subject, concerns
from liane.gateways.subscriptions.model import Action, Topic, Wish
from liane.gateways.subscriptions.owners import Owners, Reader
from liane.gateways.subscriptions.paths import path_holds
from liane.gateways.subscriptions.policy import Policy
from liane.gateways.subscriptions.reading import read
from liane.gateways.subscriptions.registering import written_topics
from liane.gateways.subscriptions.state import TROUBLE, Q, State, state_from
from liane.gateways.subscriptions.transitions import NOT_ANY_MORE, become
from liane.store import Database, Tx
from liane.store.changes import Change, current_position, read_since

log = logging.getLogger(__name__)

BATCH = 500
ROUND_SECONDS = 0.02
"""At most so many rounds that a wake-up is sent some tens of times a second."""
IDLE_SECONDS = 0.25
TROUBLE_SECONDS = 5.0


class Placer:
    """Turns changes into events."""

    def __init__(self, database: Database, owners: Owners, policy: Policy) -> None:
        self._database = database
        self._owners = owners
        self._policy = policy
        self._wishes: dict[str, tuple[int, Wish | None]] = {}
        self._topics: dict[str, Topic] | None = None
        self._position = -1

    async def run(self, stop: asyncio.Event, wake: asyncio.Event) -> None:
        """Follow the feed until `stop`; `wake` says that it may have grown."""
        while not stop.is_set():
            wake.clear()
            try:
                more = await self.place_some()
            except TROUBLE as failure:
                log.warning("subscriptions: the feed cannot be followed: %s", failure)
                more = False
            except Exception:
                # Nothing was numbered; the same changes are tried again.
                log.exception("subscriptions: the feed cannot be followed")
                more = False
                await asyncio.sleep(TROUBLE_SECONDS)
            await asyncio.sleep(ROUND_SECONDS)
            if not more:
                await _either(stop, wake, IDLE_SECONDS)

    async def place_some(self) -> bool:
        """One round; whether there may be more to do at once."""
        async with self._database.transaction() as tx:
            position = await tx.fetchval(Q["take_place"])
            top = await current_position(tx)
            if position is None or top <= position:
                return False
            if not await tx.fetchval(Q["any_live"]):
                # Nobody listens: whoever begins to, later, begins after this place.
                await tx.execute(Q["move_place"], top)
                return False
            changes = await read_since(tx, position, BATCH)
            await self._know_topics(tx, position, changes)
            # Read after the changes: a subscription made before a change is seen with it.
            live = [state_from(row) for row in await tx.fetch(Q["live"])]
            readers: dict[str, Reader | None] = {}
            if live:
                readers = await self._number(tx, live, changes)
            await tx.execute(Q["move_place"], changes[-1].position)
        self._position = changes[-1].position
        for state in live:
            if readers.get(state.id, state) is None:
                await become(self._database, state, "off", NOT_ANY_MORE)
        return len(changes) >= BATCH // 2

    async def dismiss(self) -> None:
        """Switch off what belongs to programs and accounts that are closed."""
        async with self._database.reading() as tx:
            live = [state_from(row) for row in await tx.fetch(Q["live"])]
            gone = [one for one in live if await self._owners.reader(tx, one) is None]
        for state in gone:
            await become(self._database, state, "off", NOT_ANY_MORE)

    async def _know_topics(self, tx: Tx, position: int, changes: Sequence[Change]) -> None:
        """Topics are read again when some have changed, or when another process was at work."""
        if (
            self._topics is None
            or position != self._position
            or any(c.type == "Basic" for c in changes)
        ):
            try:
                self._topics = await written_topics(tx)
            except Invalid as problem:
                log.warning("subscriptions: a topic cannot be read: %s", problem)
                self._topics = self._topics or {}

    async def _number(
        self, tx: Tx, live: Sequence[State], changes: Sequence[Change]
    ) -> dict[str, Reader | None]:
        """Number the events in these changes; the owners asked on the way."""
        wishes = [(state, wish) for state in live if (wish := self._wish(state, tx)) is not None]
        types = {type_ for _, wish in wishes for type_ in self._types(wish)}
        wanted = [c for c in changes if c.type in types and c.id is not None and c.version]
        readers: dict[str, Reader | None] = {}
        happenings = await _happenings(tx, wanted)
        rows: list[tuple[Any, ...]] = []
        counts: dict[str, int] = {}
        for change, happening in zip(wanted, happenings, strict=True):
            for state, wish in wishes:
                if not self._concerns(wish, happening):
                    continue
                if not await self._may_hear(tx, state, change, readers):
                    continue
                counts[state.id] = counts.get(state.id, 0) + 1
                rows.append(_row(state.id, counts[state.id], change, happening.action))
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            ids, numbers = list(counts), list(counts.values())
            await tx.execute(Q["number_events"], tx.tenant, ids, numbers, *columns)
            await tx.execute(Q["wake"], str(tx.tenant))
        return readers

    def _concerns(self, wish: Wish, happening: Happening) -> bool:
        try:
            return concerns(wish, self._topic(wish), happening, path_holds)
        except LianeError as problem:
            log.warning("subscriptions: a change cannot be compared: %s", problem)
            return False

    async def _may_hear(
        self, tx: Tx, state: State, change: Change, readers: dict[str, Reader | None]
    ) -> bool:
        if state.id not in readers:
            readers[state.id] = await self._owners.reader(tx, state)
        reader = readers[state.id]
        return reader is not None and await reader.may_read(tx, change.type, change.patient)

    def _wish(self, state: State, tx: Tx) -> Wish | None:
        revision, wish = self._wishes.get(state.id, (-1, None))
        if revision != state.revision:
            wish = self._read(state, tx)
            self._wishes[state.id] = (state.revision, wish)
        return wish

    def _read(self, state: State, tx: Tx) -> Wish | None:
        try:
            return read(state.resource | {"end": None}, self._topic_of, self._policy, tx.now)
        except Invalid as problem:
            log.warning("subscription %s cannot be served any more: %s", state.id, problem)
            return None

    def _topic_of(self, url: str) -> Topic | None:
        return topics.built_in(url) or (self._topics or {}).get(url)

    def _topic(self, wish: Wish) -> Topic | None:
        return self._topic_of(wish.topic) if wish.topic else None

    def _types(self, wish: Wish) -> set[str]:
        if wish.plain is not None:
            return {wish.plain.type}
        topic = self._topic(wish)
        return {trigger.type for trigger in topic.triggers} if topic else set()


def _row(id_: str, nth: int, change: Change, action: Action) -> tuple[Any, ...]:
    return (
        id_, nth, change.written_at, action, change.type, change.id, change.version,
        change.patient,
    )  # fmt: skip


async def _happenings(tx: Tx, changes: Sequence[Change]) -> list[Happening]:
    """Each change with its version and the one before."""
    keys = [(c.type, str(c.id), c.version or 0) for c in changes]
    before = [(type_, id_, version - 1) for type_, id_, version in keys]
    bodies = await _bodies(tx, [*keys, *before])
    found = []
    for change, key, former in zip(changes, keys, before, strict=True):
        current = None if change.deleted else bodies.get(key)
        previous = bodies.get(former)
        action: Action = "delete" if change.deleted else "update" if previous else "create"
        found.append(Happening(action, change.type, current, previous))
    return found


async def _bodies(
    tx: Tx, keys: Sequence[tuple[str, str, int]]
) -> Mapping[tuple[str, str, int], Subject]:
    known = [key for key in dict.fromkeys(keys) if key[2] > 0 and key[0] in definitions.types()]
    columns = [list(column) for column in zip(*known, strict=True)] if known else [[], [], []]
    rows = await tx.fetch(Q["bodies"], *columns)
    return {
        known[row["n"] - 1]: Subject(fhir_json.loads(row["body"])) for row in rows if row["body"]
    }


async def _either(stop: asyncio.Event, wake: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, wake)]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
