"""A nurse opens one address, signs in, opens a patient and reads everything on one time axis."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.journeys import hospital as doors
from tests.journeys.hospital import DOCTOR, NURSE, OTHER_NURSE, UNIT, Hospital
from tests.journeys.steps import live, open_chart, sign_in

pytestmark = pytest.mark.journey

JEANNE = ("8001", "DUBREUIL", "Jeanne", "19480314", "F")
HUGO = ("8002", "DURAND", "Hugo", "19570217", "M")


async def test_a_nurse_signs_in_sees_her_ward_and_opens_a_patient(
    page: Page, hospital: Hospital
) -> None:
    await sign_in(page, hospital, NURSE)
    await page.goto(f"{hospital.installation.base_url}/units/uf-{UNIT}")
    tile = page.locator(".tile", has_text="DUBREUIL")
    await expect(tile).to_contain_text("312-1")
    await expect(tile).to_contain_text("Amoxicilline")
    await tile.get_by_role("link").first.click()
    await expect(page).to_have_url(re.compile(hospital.jeanne))
    await expect(page.get_by_text("DUBREUIL").first).to_be_visible()


async def test_the_banner_says_who_it_is_and_never_hides_the_allergy(
    page: Page, hospital: Hospital
) -> None:
    await sign_in(page, hospital, NURSE)
    for place in (
        "",
        "/laboratory",
        "/vitals",
        "/documents",
        "/history",
        "/results",
        "/summary",
        "/imaging",
    ):
        await page.goto(f"{hospital.installation.base_url}/patients/{hospital.jeanne}{place}")
        banner = page.locator(".banner")
        await expect(banner).to_contain_text("DUBREUIL")
        await expect(banner).to_contain_text("MOREL")
        await expect(banner).to_contain_text("14/03/1948")
        await expect(banner).to_contain_text("Amoxicilline")


async def test_one_axis_shows_what_came_from_separate_systems(
    page: Page, hospital: Hospital
) -> None:
    await sign_in(page, hospital, DOCTOR)
    await open_chart(page, hospital, hospital.jeanne)
    axis = page.locator("#axis")
    await expect(axis).to_be_visible()
    for lane in (
        "Séjour",
        "NEWS2",
        "Constantes",
        "Biologie",
        "Imagerie",
        "Traitements",
        "courriers",
    ):
        await expect(axis).to_contain_text(lane)
    for fact in ("CRP", "184", "Potassium", "Ceftriaxone", "Scanner abdominal"):
        await expect(axis).to_contain_text(fact)


async def test_the_cursor_reads_what_was_true_at_that_moment(
    page: Page, hospital: Hospital
) -> None:
    await sign_in(page, hospital, DOCTOR)
    await open_chart(page, hospital, hospital.jeanne)
    moment = page.locator("#moment")
    await expect(moment).to_contain_text("184")
    await page.locator("#axis").focus()
    for _ in range(40):
        await page.keyboard.press("ArrowLeft")
        if "54" in await moment.inner_text() and "184" not in await moment.inner_text():
            break
    await expect(moment).to_contain_text("54")
    await expect(moment).not_to_contain_text("184")


async def test_words_inside_letters_are_found(page: Page, hospital: Hospital) -> None:
    await sign_in(page, hospital, DOCTOR)
    await page.goto(
        f"{hospital.installation.base_url}/patients/{hospital.jeanne}/documents?q=pyelonephrite"
    )
    await expect(page.locator("main")).to_contain_text("Lettre de liaison")
    await page.goto(
        f"{hospital.installation.base_url}/patients/{hospital.jeanne}/documents?q=zyxwvut"
    )
    await expect(page.locator("main")).not_to_contain_text("Lettre de liaison")


async def test_a_new_result_appears_by_itself(page: Page, hospital: Hospital) -> None:
    await sign_in(page, hospital, NURSE)
    await open_chart(page, hospital, hospital.hugo)
    rows = [("2524-7", "Lactate", "7.7", "mmol/L", "0.5-2.0", "HH")]
    mllp = hospital.mllp()
    answer = await asyncio.to_thread(
        mllp.send, doors.result(*HUGO, doors.control(), datetime.now(UTC), rows)
    )
    acknowledged = time.monotonic()
    assert "|AA|" in answer
    await expect(page.locator("#arrived")).to_contain_text("7,7", timeout=5000)
    assert time.monotonic() - acknowledged < 3
    mllp.close()


async def test_a_new_image_appears_by_itself(page: Page, hospital: Hospital) -> None:
    await sign_in(page, hospital, NURSE)
    await open_chart(page, hospital, hospital.hugo)
    await asyncio.to_thread(
        doors.send_images, hospital, HUGO, datetime.now(UTC) - timedelta(minutes=1)
    )
    await expect(page.locator("#arrived")).to_contain_text("Scanner abdominal", timeout=8000)


async def test_a_movement_appears_on_the_board_by_itself(page: Page, hospital: Hospital) -> None:
    await sign_in(page, hospital, NURSE)
    await page.goto(f"{hospital.installation.base_url}/units/uf-{UNIT}")
    await live(page)
    mllp = hospital.mllp()
    newcomer = doors.admit(
        "8009", "NOUVELLE", "Alice", "19900101", "F", "320", "1", datetime.now(UTC)
    )
    answer = await asyncio.to_thread(mllp.send, newcomer)
    assert "|AA|" in answer
    await expect(page.locator(".tile", has_text="NOUVELLE")).to_be_visible(timeout=5000)
    mllp.close()


async def test_the_page_says_when_the_link_is_cut_and_catches_up(
    page: Page, context: BrowserContext, hospital: Hospital
) -> None:
    await sign_in(page, hospital, NURSE)
    await open_chart(page, hospital, hospital.hugo)
    await context.set_offline(True)
    await expect(page.locator("[data-live-state]")).not_to_have_attribute(
        "data-state", "live", timeout=30000
    )
    mllp = hospital.mllp()
    rows = [("1988-5", "CRP", "63", "mg/L", "0-5", "H")]
    await asyncio.to_thread(
        mllp.send, doors.result(*HUGO, doors.control(), datetime.now(UTC), rows)
    )
    await context.set_offline(False)
    await live(page)
    await expect(page.locator("#arrived")).to_contain_text("63", timeout=15000)
    mllp.close()


async def test_a_patient_is_found_with_typing_errors_from_the_keyboard(
    page: Page, hospital: Hospital
) -> None:
    await sign_in(page, hospital, NURSE)
    await live(page)
    await page.keyboard.press("/")
    await page.keyboard.type("dubrueil jeane")
    await expect(page.locator("#palette-results")).to_contain_text("DUBREUIL")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(hospital.jeanne))


async def test_the_corridor_shows_beds_and_no_name(page: Page, hospital: Hospital) -> None:
    await sign_in(page, hospital, NURSE)
    await page.goto(f"{hospital.installation.base_url}/units/uf-{UNIT}?mode=couloir")
    board = page.locator("#board")
    await expect(board).to_contain_text("312-1")
    for name in ("DUBREUIL", "MOREL", "Jeanne", "DURAND", "Hugo", "1948"):
        await expect(board).not_to_contain_text(name)


async def test_a_nurse_of_another_unit_is_told_why_the_chart_stays_closed(
    page: Page, hospital: Hospital
) -> None:
    await sign_in(page, hospital, OTHER_NURSE)
    await page.goto(f"{hospital.installation.base_url}/patients/{hospital.jeanne}")
    await expect(page.locator("main")).to_contain_text("aucun lien de soin")
    await expect(page.locator("body")).not_to_contain_text("DUBREUIL")
