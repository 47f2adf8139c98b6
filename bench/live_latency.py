"""From the acknowledgement of a result to the value on an open chart: how long, while a hospital
is at work?

Starts an installation of its own, opens one chart in Chromium, sends results for that patient over
MLLP while other lines send at a steady rate, and measures in the page, with the page's own clock,
when the new value is in the document. The sender's clock and the page's are the same machine's.

    python bench/live_latency.py --results 60 --background 20
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.async_api import Page, async_playwright
from tests.journeys import hospital as doors
from tests.journeys.conftest import CHROMIUM, FLAGS
from tests.journeys.steps import live, sign_in
from tests.running import Installation, Mllp

PROMISE_MS = 500
HUGO = ("8002", "DURAND", "Hugo", "19570217", "M")
WATCH = """
() => {
  window.seen = {};
  const look = () => {
    for (const found of document.body.innerText.matchAll(/\\b7,\\d{4}\\b/g))
      window.seen[found[0]] ??= Date.now();
  };
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true});
}
"""


async def background(port: int, rate: float, stop: asyncio.Event) -> int:
    """Results of another patient, at `rate` a second over two lines."""
    lines = [Mllp(port), Mllp(port)]
    sent = 0
    jeanne = ("8001", "DUBREUIL", "Jeanne", "19480314", "F")
    while not stop.is_set():
        rows = [("718-7", "Hémoglobine", f"1{sent % 10}.2", "g/dL", "12-16", "")]
        message = doors.result(*jeanne, f"B{sent}", datetime.now(UTC), rows)
        await asyncio.to_thread(lines[sent % 2].send, message)
        sent += 1
        await asyncio.sleep(1 / rate)
    return sent


async def measure(page: Page, port: int, results: int) -> list[float]:
    """Milliseconds from acknowledgement to sight, for each result."""
    await page.evaluate(WATCH)
    line = Mllp(port)
    acknowledged: dict[str, float] = {}
    for number in range(results):
        value = f"7.{number:04d}"
        rows = [("2524-7", "Lactate", value, "mmol/L", "0.5-2.0", "HH")]
        message = doors.result(*HUGO, f"L{number}", datetime.now(UTC), rows)
        answer = await asyncio.to_thread(line.send, message)
        acknowledged[value.replace(".", ",")] = time.time() * 1000
        assert "|AA|" in answer, answer
        await asyncio.sleep(0.35)
    await asyncio.sleep(3)
    seen: dict[str, float] = await page.evaluate("window.seen")
    missed = [value for value in acknowledged if value not in seen]
    print(f"results sent {results}, seen {results - len(missed)}")
    return [seen[value] - at for value, at in acknowledged.items() if value in seen]


async def main(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="liane-live-") as folder:
        installation = Installation(Path(folder) / "home")
        try:
            installation.start()
            hospital = await asyncio.to_thread(doors.build, installation)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                page = await browser.new_page(
                    viewport={"width": 1440, "height": 900}, locale="fr-FR"
                )
                await sign_in(page, hospital, doors.NURSE)
                await page.goto(f"{installation.base_url}/patients/{hospital.hugo}")
                await live(page)
                stop = asyncio.Event()
                other = asyncio.create_task(
                    background(installation.mllp_port, options.background, stop)
                )
                delays = await measure(page, installation.mllp_port, options.results)
                stop.set()
                print(f"background messages {await other}")
                await browser.close()
        finally:
            installation.stop()
    delays.sort()
    p95 = delays[int(len(delays) * 0.95) - 1]
    print(
        f"acknowledgement to sight, ms: median {statistics.median(delays):.0f}, p95 {p95:.0f}, max {delays[-1]:.0f}"
    )
    print(f"ratio to the promise of {PROMISE_MS} ms (p95): {p95 / PROMISE_MS:.2f}")
    return 0 if len(delays) == options.results and p95 < PROMISE_MS else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=60)
    parser.add_argument("--background", type=float, default=20.0)
    sys.exit(asyncio.run(main(parser.parse_args())))
