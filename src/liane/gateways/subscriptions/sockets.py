"""How does a program listen over a WebSocket? (`/fhir/ws`, the backport guide's channel)

The program asks `$get-ws-binding-token`, opens the socket, sends `bind-with-token TOKEN`, is
greeted for each subscription, then told of what it has not been told. One socket at a time serves
a subscription, on whichever node: the newest takes over.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler

from liane.access.actor import Actor
from liane.gateways.subscriptions import state as states
from liane.gateways.subscriptions.listening import Line, Listening, Over
from liane.gateways.subscriptions.owners import Owners, StandingOf
from liane.gateways.subscriptions.policy import Policy
from liane.gateways.subscriptions.process import Process
from liane.gateways.subscriptions.state import TROUBLE
from liane.gateways.subscriptions.transitions import D
from liane.gateways.subscriptions.turns import Turns
from liane.store import Database

log = logging.getLogger(__name__)

BIND_SECONDS = 10.0
LONGEST_MESSAGE = 4096
MOST_LINES = 2000
MOST_SUBSCRIPTIONS = 100
POLL_SECONDS = 1.0

TokenCheck = Callable[[str], Awaitable[Actor | None]]
Socket = WebSocket[Any, Any, Any]


class Sockets:
    """The sockets of one web node."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        standing_of: StandingOf,
        check_token: TokenCheck | None = None,
    ) -> None:
        self._database = database
        self._process = Process(database)
        self._turns = Turns(database, Owners(standing_of), policy)
        self._check_token = check_token
        self._served: dict[str, Listening] = {}
        self._lines = 0

    async def run(self) -> None:
        """Hold this node's number, and wake those who listen, until cancelled."""
        stop = asyncio.Event()
        holding = asyncio.create_task(self._process.run(stop))
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wake.wait(), POLL_SECONDS)
                self._process.wake.clear()
                try:
                    await self._look()
                except TROUBLE as failure:
                    log.warning("sockets: events cannot be read: %s", failure)
        finally:
            stop.set()
            holding.cancel()

    async def _look(self) -> None:
        """One question for all subscriptions served here: which have news, which were taken?"""
        if not self._served:
            return
        ids = list(self._served)
        async with self._database.reading() as tx:
            rows = await tx.fetch(D["waiting"], self._process.number, ids)
        known = {row["id"]: row for row in rows}
        for id_, one in list(self._served.items()):
            row = known.get(id_)
            if row is None or row["delivered"] < row["events"] or row["status"] == "off":
                one.wake.set()

    def handler(self) -> WebsocketRouteHandler:
        """The route `/fhir/ws`."""

        @websocket("/fhir/ws")
        async def fhir_socket(socket: Socket) -> None:
            if self._lines >= MOST_LINES:
                await socket.close(code=1013, reason="too many sockets")
                return
            self._lines += 1
            try:
                await socket.accept()
                await self._hold(socket)
            except (WebSocketDisconnect, TimeoutError):
                pass
            finally:
                self._lines -= 1

        return fhir_socket

    async def _hold(self, socket: Socket) -> None:
        line = Line(socket)
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                wait = BIND_SECONDS if not tasks else None
                text = await asyncio.wait_for(socket.receive_text(), wait)
                tasks |= await self._obey(socket, line, text)
        except TimeoutError:
            await socket.close(code=4408, reason="nothing was bound in time")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _obey(self, socket: Socket, line: Line, text: str) -> set[asyncio.Task[None]]:
        word, _, rest = text[:LONGEST_MESSAGE].strip().partition(" ")
        if word == "ping":
            return set()
        try:
            ids = await self._opened(socket, word, rest.strip())
        except TROUBLE as failure:
            log.warning("a socket cannot be bound: %s", failure)
            await socket.close(code=1013, reason="try again later")
            return set()
        if not ids:
            await socket.close(code=4401, reason="the token is unknown, used or out of time")
        return {asyncio.create_task(self._serve(line, id_)) for id_ in ids}

    async def _opened(self, socket: Socket, word: str, value: str) -> list[str]:
        """The subscriptions that the message opens: those of its token, or (R4) its id, for a
        socket that brought a bearer token.
        """
        if word == "bind-with-token":
            digest = hashlib.sha256(value.encode()).digest()
            async with self._database.transaction() as tx:
                row = await tx.fetchrow(D["bound"], digest, tx.now)
            return list(row["subscriptions"])[:MOST_SUBSCRIPTIONS] if row else []
        scheme, _, token = socket.headers.get("authorization", "").partition(" ")
        if word != "bind" or scheme.lower() != "bearer" or self._check_token is None:
            return []
        actor = await self._check_token(token.strip())
        async with self._database.reading() as tx:
            state = await states.find(tx, value)
        known = actor is not None and state is not None and state.owner_id == actor.id
        return [value] if known and state is not None and state.channel == "websocket" else []

    async def _serve(self, line: Line, id_: str) -> None:
        """Serve one subscription over the socket, from here and nowhere else."""
        former = self._served.get(id_)
        if former is not None:
            await former.end()
        one = self._served[id_] = Listening(id_, line, self._turns, self._process)
        try:
            await one.run()
        except Over as over:
            await line.close(over.code, over.reason)
        except WebSocketDisconnect:
            pass
        except TROUBLE as failure:
            log.warning("subscription %s: its socket is closed: %s", id_, failure)
            await line.close(1013, "try again later")
        except Exception:
            log.exception("subscription %s: its socket is closed", id_)
            await line.close(1011, "our mistake")
        finally:
            if self._served.get(id_) is one:
                del self._served[id_]
            one.ended.set()
