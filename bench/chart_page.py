"""The chart of a patient with 5,000 observations: server time, bytes on the wire, time to use.

Starts an installation of its own and fills one chart through `/fhir`: 4,000 vital signs and 1,000
laboratory results over ten days. Server time is the whole request as the client sees it on the
loopback, one at a time; the time to use is measured in Chromium from the click to the drawn axis.

    python bench/chart_page.py --requests 60
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
from playwright.async_api import async_playwright
from tests.journeys import hospital as doors
from tests.journeys.conftest import CHROMIUM, FLAGS
from tests.journeys.steps import sign_in
from tests.running import Installation

OBSERVATIONS = 5000
SERVER_MS, WIRE_KB, USABLE_MS = 100, 150, 1000
SIGNS = (
    ("8867-4", "Fréquence cardiaque", 80, "/min"),
    ("9279-1", "Fréquence respiratoire", 16, "/min"),
    ("59408-5", "SpO2", 96, "%"),
    ("8310-5", "Température", 37, "Cel"),
)
TESTS = (("1988-5", "CRP", 40, "mg/L"), ("2823-3", "Potassium", 4, "mmol/L"))


def observations(patient: str) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    found = []
    for number in range(OBSERVATIONS):
        at = now - timedelta(minutes=number * 2.9)
        if number % 5:
            code, label, base, unit = SIGNS[number % len(SIGNS)]
            found.append(doors.vital(patient, code, label, base + number % 7, unit, at))
        else:
            code, label, base, unit = TESTS[number // 5 % len(TESTS)]
            one = doors.vital(patient, code, label, base + number % 3, unit, at)
            one["category"][0]["coding"][0]["code"] = "laboratory"
            found.append(one)
    return found


def fill(installation: Installation, hospital: doors.Hospital) -> None:
    fhir = installation.fhir(hospital.token)
    everything = observations(hospital.hugo)
    for start in range(0, len(everything), 500):
        entries = [
            {"resource": one, "request": {"method": "POST", "url": "Observation"}}
            for one in everything[start : start + 500]
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        fhir.post("/", json=bundle).raise_for_status()


async def main(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="liane-chart-") as folder:
        installation = Installation(Path(folder) / "home")
        try:
            installation.start()
            hospital = await asyncio.to_thread(doors.build, installation)
            await asyncio.to_thread(fill, installation, hospital)
            return await _measure(installation, hospital, options.requests)
        finally:
            installation.stop()


async def _measure(installation: Installation, hospital: doors.Hospital, requests: int) -> int:
    path = f"/patients/{hospital.hugo}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1440, "height": 900}, locale="fr-FR")
        await sign_in(page, hospital, doors.NURSE)
        cookies = {one["name"]: one["value"] for one in await page.context.cookies()}
        times, sizes = await asyncio.to_thread(_server, installation, cookies, path, requests)
        usable = []
        for _ in range(8):
            await page.goto(f"{installation.base_url}/units/uf-{doors.UNIT}")
            started = time.monotonic()
            await page.goto(installation.base_url + path, wait_until="commit")
            await page.wait_for_selector("#axis svg, #axis canvas", state="visible")
            usable.append((time.monotonic() - started) * 1000)
        await browser.close()
    p95 = sorted(times)[int(len(times) * 0.95) - 1]
    print(
        f"server, ms: median {statistics.median(times):.0f}, p95 {p95:.0f} (promise {SERVER_MS}), ratio {p95 / SERVER_MS:.2f}"
    )
    for name, size in sizes.items():
        print(f"wire, {name}: {size / 1024:.1f} KB")
    total = sum(sizes.values()) / 1024
    print(f"wire in all: {total:.1f} KB (promise {WIRE_KB}), ratio {total / WIRE_KB:.2f}")
    slow = max(usable)
    print(
        f"usable in Chromium, ms: median {statistics.median(usable):.0f}, max {slow:.0f} (promise {USABLE_MS}), ratio {statistics.median(usable) / USABLE_MS:.2f}"
    )
    return 0 if p95 < SERVER_MS and total < WIRE_KB and statistics.median(usable) < USABLE_MS else 1


def _server(
    installation: Installation, cookies: dict[str, str], path: str, requests: int
) -> tuple[list[float], dict[str, int]]:
    client = httpx.Client(
        base_url=installation.base_url, cookies=cookies, trust_env=False, timeout=60
    )
    times = []
    for number in range(requests + 5):
        started = time.perf_counter()
        client.get(path).raise_for_status()
        if number >= 5:
            times.append((time.perf_counter() - started) * 1000)
    sizes = {}
    for name, address in (("page", path), ("axis", f"{path}/timeline.json?window=year")):
        with client.stream("GET", address) as answer:
            answer.raise_for_status()
            sizes[name] = sum(len(part) for part in answer.iter_raw())
    return times, sizes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=60)
    sys.exit(asyncio.run(main(parser.parse_args())))
