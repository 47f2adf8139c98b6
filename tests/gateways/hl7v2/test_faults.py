"""After the gateway is killed at any moment, is everything acknowledged there, once?"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from pathlib import Path

import pytest

from liane.gateways.hl7v2.inbox import Arrival, fingerprint, store_arrivals
from liane.gateways.hl7v2.service import Gateway

from .conftest import Client, Running, code
from .messages import adt, oru, pid

PROCESS = Path(__file__).with_name("gateway_process.py")


async def test_what_was_safe_but_not_applied_is_applied_at_the_next_start(services):
    """The process died between the commit of the bytes and the commit of their effects."""
    async with services.database.transaction() as tx:
        arrivals = []
        for n, text in enumerate(
            (
                adt("A01", "a1", key="M1"),
                oru("a2"),
                oru("a3", value="4.9", status="C", said="20260301120000"),
            )
        ):
            raw = text.encode()
            app = "GAM" if n == 0 else "SIL"
            arrivals.append(
                (
                    Arrival(
                        raw,
                        fingerprint(raw),
                        "demo-loopback",
                        f"demo-loopback|{app}|CHU",
                        "127.0.0.1",
                        f"a{n + 1}",
                        text.split("|")[8],
                    ),
                    f"0000000{n}",
                )
            )
        await store_arrivals(tx, arrivals)
    gateway = Gateway(services)
    port = await gateway.start("127.0.0.1", 0)
    running = Running(gateway, port, services)
    try:
        assert {row["state"] for row in await running.rows()} == {"applied"}
        [observation] = await running.resources("Observation")
        assert (str(observation["valueQuantity"]["value"]), observation["status"]) == (
            "4.9",
            "corrected",
        )
        async with running.client() as sender:
            # The sender never had an answer and sends again: it is told what became of it.
            assert code(await sender.send(oru("a2"))) == "AA"
        assert len(await running.rows()) == 3
    finally:
        await gateway.stop()
    # A second start finds nothing to do.
    again = Gateway(services)
    await again.start("127.0.0.1", 0)
    await again.stop()
    [observation] = await running.resources("Observation")
    assert observation["meta"]["versionId"] == "2"


async def _start(dsn, home):
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROCESS), dsn, str(home), stdout=asyncio.subprocess.PIPE
    )
    port = int(await asyncio.wait_for(process.stdout.readline(), 60))
    return process, port


@pytest.mark.fault
async def test_kill_9_of_the_gateway_loses_and_doubles_nothing(services, test_database, tmp_path):
    acknowledged: dict[str, str] = {}
    sent = 0
    place = {"port": 0}
    stop = asyncio.Event()

    async def sender(connection):
        nonlocal sent
        n = 0
        while not stop.is_set():
            n += 1
            control = f"{connection}-{n}"
            message = oru(
                control, value=f"{n % 9}.{n % 10}", ipp=f"7000{connection}", order=control
            )
            message = message.replace(
                pid(f"7000{connection}"), pid(f"7000{connection}", family=f"ESSAI{connection}")
            )
            while not stop.is_set():
                with contextlib.suppress(OSError, AssertionError, TimeoutError):
                    async with Client(place["port"]) as line:
                        while True:
                            ack = await line.send(message, 10)
                            acknowledged[control] = code(ack)
                            sent += 1
                            n += 1
                            control = f"{connection}-{n}"
                            message = oru(
                                control,
                                value=f"{n % 9}.{n % 10}",
                                ipp=f"7000{connection}",
                                order=control,
                            )
                            if stop.is_set():
                                return
                await asyncio.sleep(0.05)

    process, place["port"] = await _start(test_database.app_dsn, tmp_path)
    senders = [asyncio.create_task(sender(c)) for c in range(4)]
    for _ in range(6):
        await asyncio.sleep(random.uniform(0.2, 0.9))
        process.kill()
        await process.wait()
        process, place["port"] = await _start(test_database.app_dsn, tmp_path)
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*senders)
    process.kill()
    await process.wait()
    process, _ = await _start(test_database.app_dsn, tmp_path)
    process.kill()
    await process.wait()

    running = Running(None, 0, services)
    rows = {row["control_id"]: row for row in await running.rows()}
    assert len(acknowledged) > 20
    assert set(acknowledged.values()) == {"AA"}
    assert set(acknowledged) <= set(rows)
    assert {row["state"] for row in rows.values()} == {"applied"}
    observations = await running.resources("Observation")
    keys = [o["identifier"][0]["value"] for o in observations]
    assert len(keys) == len(set(keys)) == len(rows)
    assert {o["meta"]["versionId"] for o in observations} == {"1"}
    assert len(await running.resources("Patient")) == 4
