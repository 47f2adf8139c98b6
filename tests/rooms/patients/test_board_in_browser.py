"""A board moves by itself, hides itself, and is worked by keyboard, in a real Chromium."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.patients.ward_people import GAM, moved
from tests.rooms.patients.ward_site import WARD, Ward
from tests.ui.conftest import browser as browser  # noqa: PLC0414 - the fixture, by its name

from liane.rooms import patients

pytestmark = pytest.mark.journey
AXE = Path(__file__).resolve().parents[3] / "node_modules" / "axe-core" / "axe.min.js"
LIVE = "[data-live-state][data-state=live]"


async def opened(browser: Any, ward: Ward, path: str, role: str = "ide", **shape: Any) -> Any:
    width, height = shape.get("size", (1440, 900))
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        locale="fr-FR",
        bypass_csp=shape.get("axe", False),
    )
    cookies = {
        "liane_session": await ward.token(role.replace("_", ""), role),
        "liane_theme": shape.get("theme", "day"),
    }
    await context.add_cookies(
        [{"name": k, "value": v, "url": ward.site.url} for k, v in cookies.items()]
    )
    page = await context.new_page()
    answer = await page.goto(ward.site.url + path)
    assert answer.status == 200
    return page


async def test_a_transfer_shows_on_an_open_board_by_itself(browser: Any, ward: Ward) -> None:
    page = await opened(browser, ward, f"/units/{WARD}")
    await page.wait_for_selector(LIVE)
    started = time.monotonic()
    async with ward.site.services.database.transaction() as tx:
        place = {"unit": "3101", "room": "311", "bed": "311"}
        await patients.record_movement(
            tx, GAM, moved(ward.ids["jeanne"], "A02", -0.1, venue="V1", key="t", **place)
        )
    tile = page.locator(".tile", has=page.locator(".bed", has_text="311"))
    await tile.get_by_text("DUBREUIL").wait_for(timeout=5000)
    assert time.monotonic() - started < 3
    assert await page.locator(".tile .who-is", has_text="DUBREUIL").count() == 1


async def test_a_board_nobody_watches_is_blurred(browser: Any, ward: Ward) -> None:
    page = await opened(browser, ward, f"/units/{WARD}")
    assert int(await page.get_attribute("body", "data-idle-seconds")) <= 300
    corridor = await opened(browser, ward, f"/units/{WARD}?mode=couloir")
    assert await corridor.get_attribute("body", "data-idle-seconds") is None


async def test_a_patient_is_found_and_opened_without_a_mouse(browser: Any, ward: Ward) -> None:
    page = await opened(browser, ward, f"/units/{WARD}")
    await page.keyboard.press("/")
    await page.keyboard.type("dubrueil")
    await page.wait_for_selector("#palette-results a")
    assert "14/03/1948" in await page.inner_text("#palette-results")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/patients/{ward.ids['jeanne']}")


async def test_the_mode_changes_by_keyboard(browser: Any, ward: Ward) -> None:
    page = await opened(browser, ward, f"/units/{WARD}")
    await page.keyboard.press("c")
    await page.wait_for_url("**mode=couloir")
    assert "DUBREUIL" not in await page.content()


@pytest.mark.parametrize("theme", ["day", "night"])
@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/", "ide"),
        (f"/units/{WARD}", "ide"),
        (f"/units/{WARD}?mode=couloir", "ide"),
        ("/ward?all=1", "medecin"),
        ("/search?q=jeanne", "ide"),
        ("/identities", "secretaire"),
        ("/patients/{jeanne}/identity", "secretaire"),
    ],
)
async def test_every_page_is_accessible(
    browser: Any, ward: Ward, path: str, role: str, theme: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed (make setup)")
    page = await opened(browser, ward, path.format(**ward.ids), role, theme=theme, axe=True)
    await page.add_script_tag(path=str(AXE))
    found = await page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations"
        ".filter(v => ['serious', 'critical'].includes(v.impact))"
        ".map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')))"
    )
    assert found == []


@pytest.mark.parametrize("path", ["/", f"/units/{WARD}", "/search?q=jeanne"])
async def test_nothing_is_wider_than_a_phone(browser: Any, ward: Ward, path: str) -> None:
    page = await opened(browser, ward, path, size=(390, 844))
    assert await page.evaluate("document.querySelector('main').scrollWidth") <= 390
