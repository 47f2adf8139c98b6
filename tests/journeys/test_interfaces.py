"""The IT department sees what every partner sent, why one was kept, and replays it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from playwright.async_api import Page, expect

from tests.journeys import hospital as doors
from tests.journeys.hospital import IT, NURSE, Hospital
from tests.journeys.steps import sign_in

pytestmark = pytest.mark.journey


async def test_it_reads_a_kept_message_in_plain_words(page: Page, hospital: Hospital) -> None:
    mllp = hospital.mllp()
    nobody = doors.result(
        "", "", "", "", "", "X1", datetime.now(UTC), [("1988-5", "CRP", "1", "mg/L", "0-5", "")]
    )
    answer = await asyncio.to_thread(mllp.send, nobody)
    assert "|AE|" in answer
    assert "ERR|" in answer
    mllp.close()
    await sign_in(page, hospital, IT)
    await page.goto(f"{hospital.installation.base_url}/interfaces")
    await expect(page.locator("main")).to_contain_text("Simulateur de démonstration")
    kept = page.locator("a[href^='/interfaces/messages/']", has_text="ORU").first
    await kept.click()
    await expect(page.locator("main")).to_contain_text("OBX")
    await expect(page.locator("main")).to_contain_text("PID")


async def test_a_nurse_does_not_see_the_interfaces(page: Page, hospital: Hospital) -> None:
    await sign_in(page, hospital, NURSE)
    await page.goto(f"{hospital.installation.base_url}/interfaces")
    await expect(page.locator("main")).to_contain_text("Votre rôle ne permet pas")
