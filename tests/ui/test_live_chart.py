"""An open chart follows the record by itself, says when it cannot, and is worked by keyboard."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.rooms.record import builders

from .conftest import open_page
from .site import Site

pytestmark = pytest.mark.journey
CHART = "/patients/dubreuil"


async def settled(page: Any) -> None:
    await page.wait_for_selector("[data-live-state][data-state=live]")
    await page.wait_for_selector("#axis svg .cursor", state="attached")


def urgent(now: datetime, value: str = "6.7") -> list[dict[str, Any]]:
    potassium = builders.observation(
        "urgent-k",
        "dubreuil",
        "2823-3",
        "Kaliémie",
        value,
        "mmol/L",
        now,
        flag="HH",
        low="3.5",
        high="5.1",
    )
    return [
        potassium,
        builders.report("urgent", "dubreuil", "Ionogramme urgent", ["urgent-k"], now),
    ]


async def test_a_new_result_appears_by_itself(browser: Any, story: Site) -> None:
    page = await open_page(browser, story, CHART)
    await settled(page)
    started = time.monotonic()
    await story.write(urgent(datetime.now(UTC)))
    await page.wait_for_selector("#arrived li:first-child :text('Ionogramme urgent')", timeout=5000)
    seconds = time.monotonic() - started
    await page.wait_for_selector("#axis text.point-text.critical:has-text('6,7')", timeout=5000)
    arrived = await page.inner_text("#arrived li:first-child")
    assert "6,7" in arrived
    assert "▲" in arrived
    assert await page.evaluate("document.querySelector('#live-log').textContent") != ""
    assert seconds < 3, seconds
    assert page.faults == []


@pytest.mark.parametrize("path", ["/laboratory", "/summary", "/results"])
async def test_every_page_of_the_chart_follows_the_record(
    browser: Any, story: Site, path: str
) -> None:
    page = await open_page(browser, story, CHART + path)
    await page.wait_for_selector("[data-live-state][data-state=live]")
    await story.write(urgent(datetime.now(UTC)))
    await page.wait_for_selector(".content .value.critical:has-text('6,7')", timeout=8000)
    assert page.faults == []


async def test_nothing_is_missed_across_a_cut_and_the_page_says_it_is_cut(
    browser: Any, story: Site
) -> None:
    page = await open_page(browser, story, CHART)
    await settled(page)
    await page.context.set_offline(True)
    await page.evaluate("window.dispatchEvent(new Event('offline'))")
    await page.wait_for_selector("#offline-banner:not([hidden])", timeout=8000)
    assert "Hors ligne" in await page.inner_text("[data-live-state]")
    assert await page.evaluate("document.documentElement.classList.contains('is-offline')")
    await story.write(urgent(datetime.now(UTC)))
    await page.context.set_offline(False)
    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await page.wait_for_selector(
        "#arrived li:first-child :text('Ionogramme urgent')", timeout=15000
    )
    assert await page.is_hidden("#offline-banner")
    assert await page.locator("#arrived li :text('Ionogramme urgent')").count() == 1


async def test_the_cursor_reads_every_lane_by_keyboard(browser: Any, story: Site) -> None:
    page = await open_page(browser, story, CHART)
    await settled(page)
    for _ in range(3):
        await page.keyboard.press("ArrowLeft")
    assert await page.inner_text("#cursor-at") != "maintenant"
    moment = await page.inner_text("#moment-pairs")
    for words in ("Médecine interne · 312-1", "CRP", "Kaliémie", "Ceftriaxone", "NEWS2"):
        assert words in moment, words
    for _ in range(8):
        await page.keyboard.press("Shift+ArrowLeft")
    earlier = await page.inner_text("#moment-pairs")
    assert earlier != moment
    await page.keyboard.press("1")
    await page.wait_for_function("document.querySelector('#axis').dataset.window === '24h'")
    await page.keyboard.press("?")
    assert await page.is_visible("#help")
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    assert await page.is_visible("#palette")


async def test_the_ins_is_hidden_until_asked_for(browser: Any, story: Site) -> None:
    page = await open_page(browser, story, CHART)
    await settled(page)
    assert "248037512345612" not in await page.content()
    await page.keyboard.press("i")
    await page.wait_for_selector("#ins b:has-text('248037512345612')")


async def test_without_script_the_chart_is_whole(browser: Any, story: Site) -> None:
    page = await open_page(browser, story, CHART, script=False)
    words = await page.inner_text("main")
    for expected in (
        "DUBREUIL",
        "amoxicilline",
        "CRP",
        "184",
        "Ceftriaxone",
        "TDM abdomino-pelvien",
        "UHCD",
    ):
        assert expected in words, expected


async def test_the_theme_follows_the_choice_and_is_kept(browser: Any, story: Site) -> None:
    page = await open_page(browser, story, CHART)
    await settled(page)
    await page.click("[data-theme-next]")
    assert await page.get_attribute("html", "data-theme") == "night"
    await page.reload()
    assert await page.get_attribute("html", "data-theme") == "night"


async def test_five_thousand_observations_stay_light_and_fast(browser: Any, story: Site) -> None:
    now = datetime.now(UTC)
    many = [
        builders.sign(f"many-{code}-{n}", "dubreuil", code, str(Decimal(value) + n % 9), unit, now - timedelta(minutes=4 * n))
        for n in range(833)
        for code, value, unit in (("8867-4", "80", "/min"), ("9279-1", "16", "/min"), ("59408-5", "92", "%"), ("3151-8", "1", "L/min"))
    ] + [
        builders.observation(f"lab-{code}-{n}", "dubreuil", code, label, f"{n % 50}.{n % 10}", unit, now - timedelta(hours=n), low="2", high="40")
        for n in range(417)
        for code, label, unit in (("1988-5", "CRP", "mg/L"), ("718-7", "Hémoglobine", "g/dL"), ("2823-3", "Kaliémie", "mmol/L"), ("6690-2", "Leucocytes", "G/L"))
    ]  # fmt: skip
    for start in range(0, len(many), 1000):
        await story.write(many[start : start + 1000])
    assert len(many) == 5000
    page = await open_page(browser, story, CHART + "?window=stay")
    await settled(page)
    for path in (CHART, f"{CHART}/timeline.json?window=stay", f"{CHART}/timeline.json?window=year"):
        times = []
        for _ in range(6):
            started = time.perf_counter()
            answer = await page.context.request.get(story.url + path)
            body = await answer.body()
            times.append(time.perf_counter() - started)
        print(path, len(body), [round(t * 1000) for t in times])
        assert len(body) < 150_000, path
        # The promise of 100 ms is measured by the load tests on a quiet machine.
        assert min(times) < 0.6, (path, times)
