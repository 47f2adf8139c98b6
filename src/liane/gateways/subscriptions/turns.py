"""What is due for a subscription now, and what may its owner be told?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from liane.base.errors import Invalid
from liane.gateways.subscriptions import state as states
from liane.gateways.subscriptions.model import Reason, Topic, Wish
from liane.gateways.subscriptions.notifications import Shown
from liane.gateways.subscriptions.owners import Owners, Reader
from liane.gateways.subscriptions.policy import Policy
from liane.gateways.subscriptions.reading import read
from liane.gateways.subscriptions.registering import find_topic
from liane.gateways.subscriptions.state import State
from liane.gateways.subscriptions.telling import shown_to
from liane.gateways.subscriptions.transitions import ENDED, NOT_ANY_MORE, D, reason_of
from liane.store import Database, Tx


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything one subscription's turn needs."""

    state: State
    wish: Wish
    topic: Topic | None
    reader: Reader


class Turns:
    """Prepares the turns of one process."""

    def __init__(self, database: Database, owners: Owners, policy: Policy) -> None:
        self.database = database
        self.policy = policy
        self._owners = owners

    async def of(self, tx: Tx, state: State) -> Turn | Reason:
        """The turn, or why the subscription is over."""
        if state.ends is not None and state.ends <= tx.now:
            return ENDED
        reader = await self._owners.reader(tx, state)
        if reader is None:
            return NOT_ANY_MORE
        topic = await find_topic(tx, state.topic) if state.topic else None
        try:
            wish = read({**state.resource, "end": None}, lambda _: topic, self.policy, tx.now)
        except Invalid as problem:
            return reason_of(problem)
        return Turn(state, wish, topic, reader)

    async def next_events(self, turn: Turn, process: int, most: int) -> list[Shown]:
        """At most so many events that follow the last one taken, as far as they are still kept.

        Those of a notification that was under way come alone, so that it is repeated as it was.
        """
        state, channel = turn.state, turn.wish.channel
        last = state.sending if state.sending > state.delivered else state.events
        includes = turn.topic.includes if turn.topic else ()
        async with self.database.reading() as tx:
            events = await states.events(tx, state.id, state.delivered + 1, last, most)
            shown = await shown_to(tx, turn.reader, events, channel.content, includes)
        if not events:
            # Too old to be kept: the receiver sees the gap in the numbers.
            async with self.database.transaction() as tx:
                await tx.fetch(D["delivered"], state.id, process, last, tx.now)
        return shown

    async def taken(self, state: State, process: int, number: int) -> State | None:
        """Write down that everything up to `number` was taken; None when another process serves
        the subscription now, or it is gone.
        """
        async with self.database.transaction() as tx:
            row = await tx.fetchrow(D["delivered"], state.id, process, number, tx.now)
        return None if row is None else states.state_from(row)


def cut(shown: Sequence[Shown], most: int) -> list[list[Shown]]:
    """Pieces of at most so many."""
    return [list(shown[start : start + most]) for start in range(0, len(shown), most)]


def heartbeat_due(state: State, now: datetime) -> bool:
    """Whether it is time to say that nothing has happened."""
    beat = timedelta(seconds=state.heartbeat_seconds)
    return bool(beat) and (state.contacted is None or state.contacted + beat <= now)


def key_of(state: State, what: str, shown: Sequence[Shown], now: datetime) -> str:
    """The name of a notification: the same whenever the same events are repeated."""
    if not shown:
        return f"{state.id}/{what}/{int(now.timestamp() * 1000)}"
    return f"{state.id}/{shown[0].event.number}-{shown[-1].event.number}"
