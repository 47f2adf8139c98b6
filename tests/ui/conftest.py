"""A browser, and a site with one whole story in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import async_playwright

from liane.store import Database
from tests.rooms.record import builders

from .site import Site, site

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed (apt install chromium)")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        await opened.close()


@pytest.fixture
async def story(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    """A site where Jeanne Dubreuil has been in the unit for three days."""
    async with site(database, tmp_path) as opened:
        await opened.write(builders.story(datetime.now(UTC)))
        await opened.admit("dubreuil")
        yield opened


async def open_page(
    browser: Browser,
    place: Site,
    path: str,
    *,
    theme: str = "day",
    width: int = 1440,
    height: int = 900,
    script: bool = True,
) -> Page:
    """A signed-in page; script errors fail the test that looks at `page.faults`."""
    context = await browser.new_context(
        viewport={"width": width, "height": height}, locale="fr-FR", java_script_enabled=script
    )
    cookies = {"liane_session": place.token, "liane_theme": theme}
    await context.add_cookies(
        [{"name": name, "value": value, "url": place.url} for name, value in cookies.items()]
    )
    page = await context.new_page()
    page.faults = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.faults.append(str(error)))  # type: ignore[attr-defined]
    answer = await page.goto(place.url + path)
    assert answer is not None
    assert answer.status == 200, await page.content()
    return page
