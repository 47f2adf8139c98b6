"""What do people do again and again in the journeys?"""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.journeys.hospital import Hospital


async def sign_in(page: Page, hospital: Hospital, login: str) -> None:
    """Through the real form, from the front page to the home of the role."""
    await page.goto(hospital.installation.base_url + "/")
    await page.fill("input[name=login], input[name=username]", login)
    await page.fill("input[type=password]", hospital.passwords[login])
    await page.keyboard.press("Enter")
    await page.wait_for_url(hospital.installation.base_url + "/")


async def live(page: Page) -> None:
    """Wait until the page says that it follows the record."""
    await expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "live")


async def open_chart(page: Page, hospital: Hospital, patient: str) -> None:
    await page.goto(f"{hospital.installation.base_url}/patients/{patient}")
    await live(page)
