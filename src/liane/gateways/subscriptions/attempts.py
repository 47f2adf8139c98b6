"""What happens when it is one subscription's turn: greet it, tell it, or let it know we live?

Order, once: the events that follow the last one taken, then the note that they were taken. A crash
between the two repeats the same numbers under the same key; nothing else is ever repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from liane.base.errors import LianeError
from liane.gateways.subscriptions import mail
from liane.gateways.subscriptions.model import Reason
from liane.gateways.subscriptions.notifications import Shown, notification
from liane.gateways.subscriptions.rest_hook import Method, Refused, RestHooks
from liane.gateways.subscriptions.state import TROUBLE, State, state_from
from liane.gateways.subscriptions.telling import journaled
from liane.gateways.subscriptions.transitions import D, become, reason_of
from liane.gateways.subscriptions.turns import Turn, Turns, cut, heartbeat_due, key_of

log = logging.getLogger(__name__)

BACK_OFF_SECONDS = (1, 5, 15, 60, 300, 900, 3600)
FAILURES_TO_ERROR = 3
AT_ONCE = 20
"""Notifications prepared together: the gate is asked, and the journal written, for all of them."""
FRESH_SECONDS = 2.0
"""How long the answer of the gate is believed; a slow receiver makes it be asked again."""
ROUNDS = 10
"""Of so many notifications; then others of the same host get their turn."""
GONE = 410


class Attempts:
    """Serves one subscription after the other, as the deliverer hands them over."""

    def __init__(self, turns: Turns, hooks: RestHooks) -> None:
        self._turns = turns
        self._database = turns.database
        self._policy = turns.policy
        self._hooks = hooks

    async def serve(self, state: State, process: int) -> None:
        """Do what is due for `state`, until nothing is, it fails, or its turn is over."""
        try:
            for _ in range(ROUNDS):
                following = await self._round(state, process)
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

    async def _round(self, state: State, process: int) -> State | None:
        """Some notifications; the state after them, or None when there is no more to do now."""
        now = self._database.clock.now()
        async with self._database.reading() as tx:
            turn = await self._turns.of(tx, state)
        if isinstance(turn, Reason):
            await become(self._database, state, "off", turn)
            return None
        what, parts = await self._due(turn, process, now)
        if what is None:
            return None
        shown = [one for part in parts for one in part]
        await journaled(self._database, turn.reader, state, shown, what)
        fresh_until = time.monotonic() + FRESH_SECONDS
        for part in parts:
            after = await self._tell(replace(turn, state=state), process, what, part)
            if after is None:
                return None
            state = after
            if time.monotonic() > fresh_until:
                break
        return state

    async def _tell(
        self, turn: Turn, process: int, what: str, shown: Sequence[Shown]
    ) -> State | None:
        """One notification; the state after it, or None when it was not taken."""
        now = self._database.clock.now()
        try:
            if len(shown) > 1:
                await self._intend(turn, process, shown)
            await self._send(turn, what, shown, now)
        except LianeError as problem:
            await self._failed(turn, process, problem, now)
            return None
        return await self._taken(turn, process, what, shown)

    async def _due(
        self, turn: Turn, process: int, now: datetime
    ) -> tuple[str | None, list[list[Shown]]]:
        """What is to be said, and the events of each notification."""
        state = turn.state
        if not state.greeted:
            return "handshake", [[]]
        if state.delivered < state.events:
            # After a failure one at a time: nothing is fetched, nor journaled, in vain.
            count = 1 if state.failures else AT_ONCE
            most = 1 if turn.wish.plain else turn.wish.channel.max_count
            shown = await self._turns.next_events(turn, process, most * count)
            return "event-notification" if shown else None, cut(shown, most)
        return ("heartbeat", [[]]) if heartbeat_due(state, now) else (None, [])

    async def _intend(self, turn: Turn, process: int, shown: Sequence[Shown]) -> None:
        """Write down where the notification ends, so that its repetition is the same."""
        async with self._database.transaction() as tx:
            await tx.execute(D["intend"], turn.state.id, process, shown[-1].event.number)

    async def _send(self, turn: Turn, what: str, shown: Sequence[Shown], now: datetime) -> None:
        state, channel = turn.state, turn.wish.channel
        key = key_of(state, what, shown, now)
        if turn.wish.plain is not None and channel.kind == "rest-hook":
            await self._send_plain(turn, key, shown)
            return
        told = replace(state.told(self._policy.base), error=None)
        bundle = notification(told, what, shown, channel.content, now)
        if channel.kind == "email":
            await self._send_letter(turn, key, what, bundle, now, len(shown))
        else:
            await self._hooks.send(channel, bundle, key)

    async def _send_plain(self, turn: Turn, key: str, shown: Sequence[Shown]) -> None:
        """R4 subscription.html: without payload an empty POST, with one an update or a delete."""
        channel = turn.wish.channel
        if not shown or not channel.mime or channel.content == "empty" or shown[0].withheld:
            await self._hooks.send(channel, "", key)
            return
        event = shown[0].event
        method: Method = "DELETE" if event.action == "delete" else "PUT"
        below = f"/{event.reference}"
        await self._hooks.send(channel, shown[0].body, key, method=method, below=below)

    async def _send_letter(
        self, turn: Turn, key: str, what: str, bundle: str, now: datetime, count: int
    ) -> None:
        server, channel = self._policy.mail, turn.wish.channel
        assert server is not None  # read() refuses a letter without it
        words = {"handshake": "abonnement / subscription", "heartbeat": "toujours là / alive"}
        subject = words.get(what, f"{count} événement(s) / event(s)")
        await mail.send(server, channel, mail.letter(server, channel, key, subject, bundle, now))

    async def _taken(
        self, turn: Turn, process: int, what: str, shown: Sequence[Shown]
    ) -> State | None:
        state = turn.state
        number = shown[-1].event.number if shown else state.delivered
        after = await self._turns.taken(state, process, number)
        if after is None or after.revision != state.revision or after.status == "off":
            return None
        if what == "handshake" or after.status == "error":
            await become(self._database, after, "active")
            after = replace(after, status="active", greeted=True)
        return after

    async def _failed(self, turn: Turn, process: int, problem: LianeError, now: datetime) -> None:
        state = turn.state
        step = min(state.failures, len(BACK_OFF_SECONDS) - 1)
        later = now + timedelta(seconds=BACK_OFF_SECONDS[step])
        reason = reason_of(problem)
        async with self._database.transaction() as tx:
            words = (reason.en, reason.fr)
            row = await tx.fetchrow(D["failed"], state.id, process, now, *words, later)
        if row is None:
            return
        after = state_from(row)
        gone = isinstance(problem, Refused) and problem.status == GONE
        since = after.failing_since or now
        if gone or now - since > timedelta(hours=self._policy.give_up_hours):
            await become(self._database, after, "off", reason)
        elif after.failures >= FAILURES_TO_ERROR and after.status != "error":
            await become(self._database, after, "error", reason)
