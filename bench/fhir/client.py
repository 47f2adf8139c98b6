"""How does the load reach a server while costing the machine as little as possible?

Raw sockets under asyncio and uvloop, one request at a time on each kept-open connection, answers
cut by the parser that web servers use; a body is only looked into when its caller asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httptools


@dataclass
class Reply:
    """What came back."""

    status: int = 0
    body: bytes = b""
    location: str = ""


class Connection(asyncio.Protocol):
    """One kept-open connection."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.transport: Any = None
        self.waiting: asyncio.Future[Reply] | None = None
        self.parts: list[bytes] = []
        self.location = ""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(exc or ConnectionError("closed by the server"))

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.parts, self.location = [], ""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"location":
            self.location = value.decode()

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        reply = Reply(self.parser.get_status_code(), b"".join(self.parts), self.location)
        if not self.parser.should_keep_alive() and self.transport is not None:
            self.transport.close()
            self.transport = None
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(reply)

    async def send(self, data: bytes) -> Reply:
        assert self.transport is not None
        self.parser = httptools.HttpResponseParser(self)
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return await self.waiting


@dataclass
class Client:
    """Requests to one server over one connection, opened again when the server closed it."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    connection: Connection | None = None

    async def ask(
        self, method: str, path: str, body: bytes = b"", extra: dict[str, str] | None = None
    ) -> Reply:
        """One request; `path` begins below `/fhir`."""
        lines = [f"{method} /fhir{path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in {**self.headers, **(extra or {})}.items()]
        if body or method in ("POST", "PUT"):
            lines += ["Content-Type: application/fhir+json", f"Content-Length: {len(body)}"]
        if self.connection is None or self.connection.transport is None:
            loop = asyncio.get_running_loop()
            _, self.connection = await loop.create_connection(Connection, "127.0.0.1", self.port)
        return await self.connection.send("\r\n".join([*lines, "", ""]).encode() + body)

    def close(self) -> None:
        """Hang up."""
        if self.connection is not None and self.connection.transport is not None:
            self.connection.transport.close()


Work = Callable[[int, Client], Awaitable[None]]


async def together(port: int, headers: dict[str, str], connections: int, work: Work) -> None:
    """Run `work(number, client)` on so many connections at once, to its end."""
    clients = [Client(port, headers) for _ in range(connections)]
    try:
        await asyncio.gather(*(work(number, one) for number, one in enumerate(clients)))
    finally:
        for one in clients:
            one.close()
