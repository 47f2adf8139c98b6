"""Does axe-core find nothing serious or critical on any page, by day and by night?"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.journeys.hospital import IT, NURSE, UNIT, Hospital
from tests.journeys.steps import sign_in

pytestmark = pytest.mark.journey

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
PAGES = {
    NURSE: (
        "/",
        "/ward",
        f"/units/uf-{UNIT}",
        f"/units/uf-{UNIT}?mode=couloir",
        "/search?q=dub",
        "/patients/{jeanne}",
        "/patients/{jeanne}/summary",
        "/patients/{jeanne}/vitals",
        "/patients/{jeanne}/laboratory",
        "/patients/{jeanne}/results",
        "/patients/{jeanne}/documents",
        "/patients/{jeanne}/imaging",
        "/patients/{jeanne}/history",
        "/patients/{jeanne}/identity",
        "/documents",
        "/no-such-page",
    ),
    IT: (
        "/",
        "/interfaces",
        "/interfaces/partners/demo-loopback",
        "/interfaces/subscriptions",
        "/styleguide",
    ),
}


async def findings(page: Page) -> list[str]:
    await page.evaluate(AXE.read_text("utf-8"))
    result = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']} ({rule['impact']}): {[node['html'][:160] for node in rule['nodes'][:3]]}"
        for rule in result["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("theme", ["day", "night"])
@pytest.mark.parametrize("login", [NURSE, IT])
@pytest.mark.parametrize("width", [1440, 390])
async def test_no_page_has_a_serious_finding(
    browser: Browser, hospital: Hospital, theme: str, login: str, width: int
) -> None:
    # The audit script is evaluated in the page, which our own policy rightly forbids.
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, locale="fr-FR", bypass_csp=True
    )
    base = hospital.installation.base_url
    await context.add_cookies([{"name": "liane_theme", "value": theme, "url": base}])
    page = await context.new_page()
    await page.goto(base + "/")
    found = {"sign-in": await findings(page)}
    await sign_in(page, hospital, login)
    for path in PAGES[login]:
        await page.goto(base + path.format(jeanne=hospital.jeanne))
        await page.wait_for_load_state("networkidle")
        found[path] = await findings(page)
    await context.close()
    assert not {path: lines for path, lines in found.items() if lines}
