"""What happens when it is one subscription's turn: greet it, tell it, or let it know we live?

Order, once: the events that follow the last one taken, then the note that they were taken. A crash
between the two repeats the same numbers under the same key; nothing else is ever repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from liane.base.errors import Invalid, LianeError
from liane.gateways.subscriptions import mail
from liane.gateways.subscriptions import state as states
from liane.gateways.subscriptions.model import Topic, Wish
from liane.gateways.subscriptions.notifications import Shown, notification
from liane.gateways.subscriptions.owners import Owners, Reader
from liane.gateways.subscriptions.policy import Policy
from liane.gateways.subscriptions.reading import read
from liane.gateways.subscriptions.registering import find_topic
from liane.gateways.subscriptions.rest_hook import Method, Refused, RestHooks
from liane.gateways.subscriptions.state import TROUBLE, State, state_from
from liane.gateways.subscriptions.telling import journaled, shown_to
from liane.gateways.subscriptions.transitions import D, become, reason_of
from liane.store import Database, Tx

log = logging.getLogger(__name__)

BACK_OFF_SECONDS = (1, 5, 15, 60, 300, 900, 3600)
FAILURES_TO_ERROR = 3
AT_MOST_IN_A_TURN = 200
"""Notifications before others of the same host get their turn."""
GONE = 410


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything one subscription's turn needs."""

    state: State
    wish: Wish
    topic: Topic | None
    reader: Reader


class Attempts:
    """Serves one subscription after the other, as the deliverer hands them over."""

    def __init__(
        self, database: Database, owners: Owners, policy: Policy, hooks: RestHooks
    ) -> None:
        self._database = database
        self._owners = owners
        self._policy = policy
        self._hooks = hooks

    async def serve(self, state: State, process: int) -> None:
        """Do what is due for `state`, until nothing is, it fails, or its turn is over."""
        try:
            for _ in range(AT_MOST_IN_A_TURN):
                following = await self._step(state, process)
                if following is None:
                    break
                state = following
        except TROUBLE as failure:
            log.warning("subscription %s: the turn was cut short: %s", state.id, failure)
        except Exception:
            log.exception("subscription %s could not be served", state.id)
        finally:
            await self._release(state, process)

    async def _release(self, state: State, process: int) -> None:
        try:
            async with self._database.transaction() as tx:
                await tx.execute(D["release"], state.id, process)
        except TROUBLE as failure:
            # The lock of this process goes with it; another one takes over then.
            log.warning("subscription %s is not released: %s", state.id, failure)

    async def _step(self, state: State, process: int) -> State | None:
        """One notification; the state after it, or None when there is no more to do now."""
        now = self._database.clock.now()
        if state.ends is not None and state.ends <= now:
            await become(self._database, state, "off", "The subscription has ended.")
            return None
        async with self._database.reading() as tx:
            turn = await self._turn(tx, state)
        if isinstance(turn, str):
            await become(self._database, state, "off", turn)
            return None
        what, shown = await self._due(turn, process, now)
        if what is None:
            return None
        try:
            await self._send(turn, what, shown, now)
        except LianeError as problem:
            await self._failed(turn, process, problem, now)
            return None
        return await self._taken(turn, process, what, shown)

    async def _turn(self, tx: Tx, state: State) -> Turn | str:
        """The turn, or why the subscription is over."""
        reader = await self._owners.reader(tx, state)
        if reader is None:
            return "Its owner may not read any more."
        topic = await find_topic(tx, state.topic) if state.topic else None
        try:
            wish = read({**state.resource, "end": None}, lambda _: topic, self._policy, tx.now)
        except Invalid as problem:
            return problem.en
        return Turn(state, wish, topic, reader)

    async def _due(self, turn: Turn, process: int, now: datetime) -> tuple[str | None, list[Shown]]:
        state = turn.state
        if not state.greeted:
            return "handshake", []
        if state.delivered < state.events:
            shown = await self._next_events(turn, process)
            return ("event-notification" if shown else None), shown
        beat = timedelta(seconds=state.heartbeat_seconds)
        if beat and (state.contacted is None or state.contacted + beat <= now):
            return "heartbeat", []
        return None, []

    async def _next_events(self, turn: Turn, process: int) -> list[Shown]:
        state, channel = turn.state, turn.wish.channel
        last = state.sending if state.sending > state.delivered else state.events
        most = 1 if turn.wish.plain else channel.max_count
        includes = turn.topic.includes if turn.topic else ()
        async with self._database.reading() as tx:
            events = await states.events(tx, state.id, state.delivered + 1, last, most)
            shown = await shown_to(tx, turn.reader, events, channel.content, includes)
        if not events:
            # Too old to be kept: the receiver sees the gap in the numbers.
            async with self._database.transaction() as tx:
                await tx.fetch(D["delivered"], state.id, process, last, tx.now)
            return []
        if most > 1:
            async with self._database.transaction() as tx:
                await tx.execute(D["intend"], state.id, process, events[-1].number)
        return shown

    async def _send(self, turn: Turn, what: str, shown: Sequence[Shown], now: datetime) -> None:
        state, channel = turn.state, turn.wish.channel
        key = _key(state, what, shown, now)
        await journaled(self._database, turn.reader, state, shown, what)
        if turn.wish.plain is not None and channel.kind == "rest-hook":
            await self._send_plain(turn, key, shown[0])
            return
        told = replace(state.told(self._policy.base), error=None)
        if what == "handshake":
            told = replace(told, status="requested")
        bundle = notification(told, what, shown, channel.content, now)
        if channel.kind == "email":
            assert self._policy.mail is not None
            words = {"handshake": "abonnement / subscription", "heartbeat": "toujours là / alive"}
            subject = words.get(what, f"{len(shown)} événement(s) / event(s)")
            letter = mail.letter(self._policy.mail, channel, key, subject, bundle, now)
            await mail.send(self._policy.mail, channel, letter)
        else:
            await self._hooks.send(channel, bundle, key)

    async def _send_plain(self, turn: Turn, key: str, shown: Shown) -> None:
        """R4 subscription.html: without payload an empty POST, with one an update or a delete."""
        channel, event = turn.wish.channel, shown.event
        if channel.content == "empty" or not channel.mime or shown.withheld:
            await self._hooks.send(channel, "", key)
            return
        method: Method = "DELETE" if event.action == "delete" else "PUT"
        await self._hooks.send(channel, shown.body, key, method=method, below=f"/{event.reference}")

    async def _taken(
        self, turn: Turn, process: int, what: str, shown: Sequence[Shown]
    ) -> State | None:
        state = turn.state
        number = shown[-1].event.number if shown else state.delivered
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(D["delivered"], state.id, process, number, tx.now)
        if row is None:
            return None  # another process serves it now, or it is gone
        after = state_from(row)
        if what == "handshake" or after.status == "error":
            await become(self._database, after, "active")
            after = replace(after, status="active", greeted=True)
        return after if after.revision == state.revision and after.status != "off" else None

    async def _failed(self, turn: Turn, process: int, problem: LianeError, now: datetime) -> None:
        state = turn.state
        step = min(state.failures, len(BACK_OFF_SECONDS) - 1)
        later = now + timedelta(seconds=BACK_OFF_SECONDS[step])
        reason = reason_of(problem)
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(D["failed"], state.id, process, now, reason, later)
        if row is None:
            return
        after = state_from(row)
        gone = isinstance(problem, Refused) and problem.status == GONE
        since = after.failing_since or now
        if gone or now - since > timedelta(hours=self._policy.give_up_hours):
            await become(self._database, after, "off", reason)
        elif after.failures >= FAILURES_TO_ERROR and after.status != "error":
            await become(self._database, after, "error", reason)


def _key(state: State, what: str, shown: Sequence[Shown], now: datetime) -> str:
    """The same whenever the same events are repeated."""
    if not shown:
        return f"{state.id}/{what}/{int(now.timestamp() * 1000)}"
    return f"{state.id}/{shown[0].event.number}-{shown[-1].event.number}"
