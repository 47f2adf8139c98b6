"""Can a person sign in with keyboard or finger, by day and by night, in both languages?"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from liane.access import staff
from liane.identity import commands
from liane.store import Database
from tests.house import PASSWORD, House
from tests.signing_in import SESSION_COOKIE

pytestmark = pytest.mark.journey

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


async def serious(page: Any) -> list[str]:
    """Serious and critical findings of axe-core on the page."""
    await page.evaluate(AXE.read_text() + ";0")
    found = await page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{each['id']}: {[node['target'] for node in each['nodes']]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


async def test_a_nurse_signs_in_with_the_keyboard_alone(
    house: House, database: Database, chromium: Browser
) -> None:
    await asyncio.to_thread(commands.add_user, house.identity, "key.board", "Key", PASSWORD)
    async with database.transaction() as tx:
        await staff.enrol(tx, "key.board", "Key Board", "ide", "chu", ["uf-1"])
    context = await chromium.new_context(locale="fr-FR")
    page = await context.new_page()
    await page.goto(f"{house.base_url}/sign-in?next=/search")
    await page.keyboard.type("key.board")
    await page.keyboard.press("Tab")
    await page.keyboard.type("wrong")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#refusal")
    assert await page.input_value("#login") == "key.board"
    assert await page.evaluate("document.activeElement.id") == "password"
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{house.base_url}/search")
    cookies = {cookie["name"]: cookie for cookie in await context.cookies()}
    assert cookies[SESSION_COOKIE]["httpOnly"] is True
    await context.close()


async def test_the_password_can_be_shown_and_the_language_changed(
    house: House, chromium: Browser
) -> None:
    context = await chromium.new_context(locale="fr-FR", viewport={"width": 390, "height": 844})
    page = await context.new_page()
    await page.goto(f"{house.base_url}/sign-in")
    await page.fill("#password", "visible")
    await page.click(".show")
    assert await page.get_attribute("#password", "type") == "text"
    assert await page.text_content(".show") == "Masquer"
    async with page.expect_navigation():
        await page.click("[data-language=en]")
    assert await page.text_content("h1") == "Sign in"
    box = await page.locator(".go").bounding_box()
    assert box is not None
    assert box["height"] >= 44
    wide = await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert wide
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_serious_finding_of_accessibility(
    house: House, chromium: Browser, scheme: Any
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed")
    context = await chromium.new_context(locale="fr-FR", color_scheme=scheme)
    page = await context.new_page()
    await page.goto(f"{house.base_url}/sign-in")
    assert await serious(page) == []
    await page.fill("#login", "nobody")
    await page.fill("#password", "wrong")
    await page.click("button[type=submit]")
    await page.wait_for_selector("#refusal")
    assert await serious(page) == []
    await page.goto(f"{house.base_url}/id/o/authorize/?client_id=unknown")
    assert await serious(page) == []
    await context.close()
