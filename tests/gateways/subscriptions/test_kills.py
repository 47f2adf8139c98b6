"""kill -9 of the worker and of the web node, again and again, while thousands are notified.

Two programs listen to the same results, one by rest-hook and one by WebSocket. Each result is
written once; at the end each program must know each of them by one number, and no number twice.
`LIANE_TEST_NOTIFICATIONS` says how many results are written (300 when nothing is said).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from tests.gateways.subscriptions.conftest import (
    OURS,
    Received,
    numbers_of,
    receiving,
    status_of,
    wish,
)
from tests.running import Installation

pytestmark = [pytest.mark.fault, pytest.mark.enable_socket, pytest.mark.timeout(3600)]
MANY = int(os.environ.get("LIANE_TEST_NOTIFICATIONS", "300"))
KILLS = max(2, MANY // 250)
IN_A_BUNDLE = 20
ALIVE_SECONDS = (0.8, 2.5)


class Notifying(Installation):
    """An installation whose notifications may reach this machine."""

    @property
    def environment(self) -> dict[str, str]:
        here = {
            "LIANE_SUBSCRIPTION_HOSTS": "127.0.0.1",
            "LIANE_SUBSCRIPTION_PLAIN_HOSTS": "127.0.0.1",
        }
        return {**super().environment, **here}


@dataclass
class Known:
    """What one program has been told: the result behind each number, and how often it was told."""

    focus: dict[int, str] = field(default_factory=dict)
    told: Counter[int] = field(default_factory=Counter)
    contradicted: list[int] = field(default_factory=list)

    def learn(self, bundle: dict[str, Any], *, asked: bool = False) -> None:
        references = [entry["fullUrl"].rsplit("/", 1)[1] for entry in bundle["entry"][1:]]
        for number, reference in zip(numbers_of(bundle), references, strict=True):
            if self.focus.setdefault(number, reference) != reference:
                self.contradicted.append(number)
            if not asked:
                self.told[number] += 1

    @property
    def repeated(self) -> int:
        return sum(count - 1 for count in self.told.values())

    def check(self, wanted: set[str]) -> None:
        """None lost, none doubled: the numbers 1 to n, each another result, all results."""
        assert self.contradicted == []
        assert sorted(self.focus) == list(range(1, len(wanted) + 1))
        assert len(set(self.focus.values())) == len(self.focus)
        assert set(self.focus.values()) == wanted


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notifying]:
    running = Notifying(tmp_path_factory.mktemp("notified") / "home")
    try:
        running.start()
        yield running
    finally:
        running.stop()


class Program:
    """An API client that goes on when the node it speaks to dies."""

    def __init__(self, installation: Notifying) -> None:
        self._headers = {
            "Authorization": f"Bearer {installation.token()}",
            "Content-Type": "application/fhir+json",
        }
        self._base = f"{installation.base_url}/fhir"

    async def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        async with asyncio.timeout(120):
            while True:
                with contextlib.suppress(httpx.HTTPError, json.JSONDecodeError):
                    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
                        answer = await http.request(
                            method, self._base + path, content=content, headers=self._headers
                        )
                    if answer.status_code < 300:
                        return answer.json()
                    assert answer.status_code in (401, 429, 503), answer.text
                await asyncio.sleep(0.2)

    async def listen(self, id_: str, known: Known, wanted: int) -> None:
        """Hold a socket; after each cut, ask by number for what was missed."""
        while len(known.focus) < wanted:
            with contextlib.suppress(OSError, websockets.WebSocketException, TimeoutError):
                await self._hold(id_, known, wanted)

    async def _hold(self, id_: str, known: Known, wanted: int) -> None:
        found = await self.ask("GET", f"/Subscription/{id_}/$get-ws-binding-token")
        values = {
            one["name"]: one.get("valueString", one.get("valueUrl")) for one in found["parameter"]
        }
        async with websockets.connect(values["websocket-url"], open_timeout=10) as line:
            await line.send(f"bind-with-token {values['token']}")
            hello = json.loads(await asyncio.wait_for(line.recv(), 20))
            assert status_of(hello)["type"] == ["handshake"]
            await self._recover(id_, known)
            while len(known.focus) < wanted:
                try:
                    known.learn(json.loads(await asyncio.wait_for(line.recv(), 5)))
                except TimeoutError:
                    await self._recover(id_, known)

    async def _recover(self, id_: str, known: Known) -> None:
        """Ask for the numbers between the first one missing and the last one there is."""
        told = status_of(await self.ask("GET", f"/Subscription/{id_}/$status"))
        last = int(told["events-since-subscription-start"][0])
        missing = [number for number in range(1, last + 1) if number not in known.focus]
        if not missing:
            return
        bounds = f"eventsSinceNumber={missing[0]}&eventsUntilNumber={missing[-1]}"
        known.learn(await self.ask("GET", f"/Subscription/{id_}/$events?{bounds}"), asked=True)

    async def write(self, ids: list[str]) -> None:
        """Each result once: a repeated PUT of the same body changes nothing."""
        entries = [
            {
                "resource": {
                    "resourceType": "Observation",
                    "id": id_,
                    "status": "final",
                    "code": {"text": id_},
                },
                "request": {"method": "PUT", "url": f"Observation/{id_}"},
            }
            for id_ in ids
        ]
        body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        await self.ask("POST", "", body)


async def test_ten_thousand_notifications_under_kills_none_lost_none_doubled(
    installation: Notifying, tmp_path: Path
) -> None:
    program = Program(installation)
    by_hook, by_socket = Known(), Known()
    keys: dict[str, list[int]] = {}

    async def take(one: Received) -> int:
        if one.kind == "event-notification":
            by_hook.learn(one.bundle)
            keys.setdefault(one.headers["idempotency-key"], one.numbers)
            assert keys[one.headers["idempotency-key"]] == one.numbers
        return 200

    async with receiving() as receiver:
        receiver.answers = take
        hook = (await program.ask("POST", "/Subscription", wish(receiver.url)))["id"]
        socket = wish("", kind="websocket", topic=OURS + "Observation")
        line = (await program.ask("POST", "/Subscription", socket))["id"]
        await receiver.until(1, "handshake", 60)
        while (await program.ask("GET", f"/Subscription/{hook}"))["status"] != "active":
            await asyncio.sleep(0.1)
        ids = [f"r-{number}" for number in range(MANY)]
        listening = asyncio.create_task(program.listen(line, by_socket, MANY))
        began, kills = time.monotonic(), Counter[str]()
        writing = asyncio.create_task(_write_all(program, ids, kills))
        while sum(kills.values()) < KILLS or len(by_hook.focus) < MANY or not listening.done():
            assert time.monotonic() - began < 300 + MANY / 4, _left(by_hook, by_socket)
            await asyncio.sleep(random.uniform(*ALIVE_SECONDS))
            if sum(kills.values()) < KILLS:
                victim = ("worker", "serve")[sum(kills.values()) % 2]
                kills[victim] += 1
                await asyncio.to_thread(installation.kill, victim)
                installation.launch(victim)
                await asyncio.to_thread(installation.wait_for_doors)
        await writing
        await listening
    for known in (by_hook, by_socket):
        known.check(set(ids))
    seconds = time.monotonic() - began
    print(
        f"\n{MANY} events to each of 2 programs in {seconds:.0f} s under {dict(kills)} kills; sent "
        f"again under the same number: {by_hook.repeated} by rest-hook, {by_socket.repeated} by "
        "WebSocket"
    )
    assert by_hook.repeated <= kills["worker"], "at most the one under way when the worker died"
    assert kills["worker"]
    assert kills["serve"]


async def _write_all(program: Program, ids: list[str], kills: Counter[str]) -> None:
    """Spread over the kills, so that each falls into real work."""
    for start in range(0, len(ids), IN_A_BUNDLE):
        while sum(kills.values()) < KILLS * start // len(ids):
            await asyncio.sleep(0.05)
        await program.write(ids[start : start + IN_A_BUNDLE])


def _left(*known: Known) -> str:
    return f"told so far: {[len(one.focus) for one in known]} of {MANY}"
