"""What is one subscription told over its socket, from the first word to the last?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from liane.gateways.subscriptions.model import Reason
from liane.gateways.subscriptions.notifications import Shown, notification
from liane.gateways.subscriptions.process import Process
from liane.gateways.subscriptions.state import TROUBLE, State, state_from
from liane.gateways.subscriptions.telling import journaled
from liane.gateways.subscriptions.transitions import D, become
from liane.gateways.subscriptions.turns import Turn, Turns, cut, heartbeat_due

BATCH = 50
"""Events told before it is written down that they were; after a crash they are told again."""
SEND_SECONDS = 20.0
QUIET_SECONDS = 30.0


class Over(Exception):
    """The subscription is not served over this socket any more."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Line:
    """One socket; several subscriptions may speak over it, one at a time."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self._socket = socket
        self._turn = asyncio.Lock()
        self._closed = False

    async def say(self, text: str) -> None:
        """Send one message. Raises `Over` when nobody reads for too long."""
        async with self._turn:
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._socket.send_data(text, mode="text")
            except TimeoutError:
                raise Over(4408, "nobody reads") from None
            except RuntimeError:
                raise WebSocketDisconnect(detail="closed") from None

    async def close(self, code: int, reason: str) -> None:
        """Close the socket, once."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self._socket.close(code=code, reason=reason[:120])


class Listening:
    """One subscription on one socket."""

    def __init__(self, id_: str, line: Line, turns: Turns, process: Process) -> None:
        self._id = id_
        self._line = line
        self._turns = turns
        self._process = process
        self._task: asyncio.Task[Any] | None = None
        self.wake = asyncio.Event()
        self.ended = asyncio.Event()

    async def end(self) -> None:
        """Another socket of this node takes over."""
        if self._task is not None:
            self._task.cancel()
        await self.ended.wait()
        await self._line.close(4409, "bound to another socket")

    async def run(self) -> None:
        """Tell until the socket or the subscription is over. Raises `Over`."""
        self._task = asyncio.current_task()
        if not self._process.number:
            async with asyncio.timeout(5):
                await self._process.known.wait()
        number = self._process.number
        state = await self._take(number)
        try:
            turn = await self._turn(state)
            if turn.wish.plain is None:
                await self._tell(turn, "handshake", ())
            else:
                await self._line.say(f"bound {self._id}")
            while True:
                self.wake.clear()
                state = await self._told(await self._mine(number), number)
                await self._pause(state)
        finally:
            await self._let_go(number)

    async def _take(self, number: int) -> State:
        async with self._turns.database.transaction() as tx:
            row = await tx.fetchrow(D["take"], self._id, number)
        if row is None or row["status"] == "off" or row["channel"] != "websocket":
            raise Over(4404, "the subscription is off or gone")
        return state_from(row)

    async def _mine(self, number: int) -> State:
        async with self._turns.database.reading() as tx:
            row = await tx.fetchrow(D["mine"], self._id, number)
        if row is None or self._process.number != number:
            raise Over(4409, "bound to another socket")
        state = state_from(row)
        if state.status == "off":
            raise Over(4404, "the subscription is off")
        return state

    async def _turn(self, state: State) -> Turn:
        async with self._turns.database.reading() as tx:
            turn = await self._turns.of(tx, state)
        if isinstance(turn, Reason):
            await become(self._turns.database, state, "off", turn)
            raise Over(4403, turn.en)
        return turn

    async def _told(self, state: State, number: int) -> State:
        """Everything there is to tell now; the state after it."""
        now = self._turns.database.clock.now()
        while state.delivered < state.events:
            turn = await self._turn(state)
            shown = await self._turns.next_events(turn, number, BATCH)
            if not shown:
                return await self._mine(number)
            await self._tell_events(turn, shown)
            after = await self._turns.taken(state, number, shown[-1].event.number)
            if after is None:
                raise Over(4409, "bound to another socket")
            state = after
        if heartbeat_due(state, now):
            await self._tell(await self._turn(state), "heartbeat", ())
            state = await self._turns.taken(state, number, state.delivered) or state
        return state

    async def _tell_events(self, turn: Turn, shown: Sequence[Shown]) -> None:
        what = "event-notification"
        await journaled(self._turns.database, turn.reader, turn.state, shown, what)
        if turn.wish.plain is not None:
            for _ in shown:
                await self._line.say(f"ping {self._id}")
            return
        for part in cut(shown, turn.wish.channel.max_count):
            await self._say(turn, what, part)

    async def _tell(self, turn: Turn, what: str, shown: Sequence[Shown]) -> None:
        await journaled(self._turns.database, turn.reader, turn.state, shown, what)
        await self._say(turn, what, shown)

    async def _say(self, turn: Turn, what: str, shown: Sequence[Shown]) -> None:
        told = replace(turn.state.told(self._turns.policy.base), error=None)
        now = self._turns.database.clock.now()
        await self._line.say(notification(told, what, shown, turn.wish.channel.content, now))

    async def _pause(self, state: State) -> None:
        seconds = float(state.heartbeat_seconds or QUIET_SECONDS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), max(0.05, min(seconds, QUIET_SECONDS)))

    async def _let_go(self, number: int) -> None:
        with contextlib.suppress(*TROUBLE):
            async with self._turns.database.transaction() as tx:
                await tx.execute(D["release"], self._id, number)
