"""What the tests of subscriptions stand on: the FHIR door, a worker, and real receivers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from litestar import Litestar

from liane.access.actor import Actor
from liane.access.sessions import Limits, Sessions
from liane.fhir import json as fhir_json
from liane.gateways.fhir import fhir_router
from liane.gateways.subscriptions import (
    Policy,
    Sockets,
    serve,
    subscription_writer,
    topic_writer,
)
from liane.gateways.subscriptions.owners import Standing
from liane.rooms import record
from liane.store import Database, sequencer
from liane.store.blobs import Blobs
from liane.ui.services import Services
from tests.gateways.fhir.conftest import ACTORS, Fhir

BASE = "http://liane/fhir"
PROFILE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
OURS = "https://liane.example/fhir/SubscriptionTopic/"


@dataclass
class Received:
    """One request a receiver was sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def bundle(self) -> dict[str, Any]:
        return fhir_json.loads(self.body)

    @property
    def status(self) -> dict[str, list[Any]]:
        """The values of the SubscriptionStatus by name."""
        return status_of(self.bundle)

    @property
    def kind(self) -> str:
        return str(self.status["type"][0])

    @property
    def numbers(self) -> list[int]:
        return numbers_of(self.bundle)


def status_of(bundle: dict[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in bundle["entry"][0]["resource"]["parameter"]:
        value = next((v for k, v in one.items() if k.startswith("value")), one.get("part"))
        found.setdefault(one["name"], []).append(value)
    return found


def numbers_of(bundle: dict[str, Any]) -> list[int]:
    return [
        int(part["valueString"])
        for event in status_of(bundle).get("notification-event", [])
        for part in event
        if part["name"] == "event-number"
    ]


@dataclass
class Receiver:
    """A real HTTP server that somebody else would run."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    answers: Callable[[Received], Awaitable[int]] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        one = Received(scope["method"], scope["path"], headers, body)
        status = 200 if self.answers is None else await self.answers(one)
        if status < 300:
            self.got.append(one)
            self.changed.set()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def until(self, count: int, kind: str = "", seconds: float = 20) -> list[Received]:
        """Wait for so many notifications (of one kind)."""
        async with asyncio.timeout(seconds):
            while True:
                self.changed.clear()
                found = [one for one in self.got if not kind or one.kind == kind]
                if len(found) >= count:
                    return found
                await self.changed.wait()


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = uvicorn.Server(
        uvicorn.Config(receiver, port=0, lifespan="off", log_config=None, access_log=False)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    receiver.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
def policy() -> Policy:
    here = frozenset({"127.0.0.1"})
    return Policy(base=BASE, hosts=here, plain_hosts=here)


@pytest.fixture
def standings() -> dict[str, Standing]:
    """What the identity service says; a test takes rights away here."""
    found = {actor.id.partition(":")[2]: actor for actor in ACTORS.values()}
    return {
        **{
            name: Standing(scopes=actor.scopes, establishment=actor.establishment)
            for name, actor in found.items()
        },
        "nurse": Standing(),
    }


@pytest.fixture
async def fhir(
    database: Database, blobs: Blobs, tmp_path: Path, policy: Policy
) -> AsyncIterator[Fhir]:
    services = Services(
        database=database, blobs=blobs, home=tmp_path, sessions=Sessions(database, Limits())
    )

    async def check(token: str) -> Actor | None:
        return ACTORS.get(token)

    writers = {
        "Subscription": subscription_writer(policy, record.write_resources),
        "Basic": topic_writer(record.write_resources),
    }
    app = Litestar([fhir_router(services, check, writers)], openapi_config=None)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://liane") as http:
        yield Fhir(http)


@contextlib.asynccontextmanager
async def working(
    database: Database, policy: Policy, standings: dict[str, Standing]
) -> AsyncIterator[None]:
    """A worker: the sequencer and the deliveries."""
    stop = asyncio.Event()

    async def standing_of(kind: str, name: str) -> Standing | None:
        del kind
        return standings.get(name)

    tasks = [
        asyncio.create_task(sequencer.run(database.dsn, stop)),
        asyncio.create_task(serve(database, policy, standing_of, stop)),
    ]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 20)


@pytest.fixture
async def worker(
    database: Database, policy: Policy, standings: dict[str, Standing]
) -> AsyncIterator[None]:
    async with working(database, policy, standings):
        yield


def wish(
    endpoint: str,
    topic: str = OURS + "Observation",
    *,
    content: str = "id-only",
    kind: str = "rest-hook",
    filters: tuple[str, ...] = (),
    **extra: Any,
) -> dict[str, Any]:
    """A Subscription of the backport profile."""
    channel: dict[str, Any] = {
        "type": kind,
        "payload": "application/fhir+json",
        "_payload": {
            "extension": [{"url": f"{PROFILE}/backport-payload-content", "valueCode": content}]
        },
    }
    if endpoint:
        channel["endpoint"] = endpoint
    limits = {
        "heartbeat": ("backport-heartbeat-period", "valueUnsignedInt"),
        "timeout": ("backport-timeout", "valueUnsignedInt"),
        "max_count": ("backport-max-count", "valuePositiveInt"),
    }
    extensions = [
        {"url": f"{PROFILE}/{url}", name: extra.pop(key)}
        for key, (url, name) in limits.items()
        if key in extra
    ]
    if extensions:
        channel["extension"] = extensions
    if "header" in extra:
        channel["header"] = extra.pop("header")
    resource = {
        "resourceType": "Subscription",
        "meta": {"profile": [f"{PROFILE}/backport-subscription"]},
        "status": "requested",
        "reason": "test",
        "criteria": topic,
        "channel": channel,
        **extra,
    }
    if filters:
        resource["_criteria"] = {
            "extension": [
                {"url": f"{PROFILE}/backport-filter-criteria", "valueString": text}
                for text in filters
            ]
        }
    return resource


async def until(what: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not await what():
            await asyncio.sleep(0.05)


@dataclass
class Site:
    """The FHIR door and its socket on a real port."""

    url: str
    policy: Policy

    async def ask(
        self, method: str, path: str, body: Any = None, token: str = "all"
    ) -> dict[str, Any]:
        content = None if body is None else fhir_json.dump_bytes(body)
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/fhir+json",
        }
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            answer = await http.request(method, self.url + path, content=content, headers=headers)
        assert answer.status_code < 300, answer.text
        return fhir_json.loads(answer.content)

    async def binding(self, id_: str, token: str = "all") -> tuple[str, str]:
        """A token, and where the socket is."""
        found = await self.ask("GET", f"/Subscription/{id_}/$get-ws-binding-token", token=token)
        values = {
            one["name"]: one.get("valueString") or one.get("valueUrl") for one in found["parameter"]
        }
        return values["token"], values["websocket-url"]


@contextlib.asynccontextmanager
async def serving_site(
    database: Database, blobs: Blobs, home: Path, standings: dict[str, Standing]
) -> AsyncIterator[Site]:
    """A web node of its own."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    root = f"http://127.0.0.1:{listening.getsockname()[1]}"
    here = frozenset({"127.0.0.1"})
    policy = Policy(base=f"{root}/fhir", hosts=here, plain_hosts=here)
    services = Services(
        database=database,
        blobs=blobs,
        home=home,
        sessions=Sessions(database, Limits()),
        base_url=root,
    )

    async def check(token: str) -> Actor | None:
        return ACTORS.get(token)

    async def standing_of(kind: str, name: str) -> Standing | None:
        del kind
        return standings.get(name)

    sockets = Sockets(database, policy, standing_of, check)
    writers = {"Subscription": subscription_writer(policy, record.write_resources)}
    app = Litestar(
        [fhir_router(services, check, writers), sockets.handler()],
        openapi_config=None,
        logging_config=None,
    )
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, ws="websockets-sansio", access_log=False
    )
    server = uvicorn.Server(config)
    tasks = [
        asyncio.create_task(server.serve(sockets=[listening])),
        asyncio.create_task(sockets.run()),
    ]
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield Site(policy.base, policy)
    finally:
        server.should_exit = True
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def site(
    database: Database, blobs: Blobs, tmp_path: Path, standings: dict[str, Standing]
) -> AsyncIterator[Site]:
    async with serving_site(database, blobs, tmp_path, standings) as one:
        yield one
