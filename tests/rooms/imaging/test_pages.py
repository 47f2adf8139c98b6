"""Does a carer see the images of the right patient, and nobody else's?"""

import os
from pathlib import Path

import httpx
import pytest
from playwright.async_api import async_playwright, expect

from liane.access.actor import SYSTEM
from liane.gateways.dicom import Source, file_object
from liane.gateways.dicom.partners import GROUP_AUTHORITIES
from liane.rooms import imaging, patients
from liane.rooms.imaging import pages
from liane.rooms.imaging.values import Policy
from liane.rooms.record.projection import project
from tests.gateways.dicom.test_header import image
from tests.gateways.dicomweb.test_dicomweb import file_of
from tests.ui.site import site

CHROMIUM = "/usr/bin/chromium"
SOURCE = Source(SYSTEM("test"), Policy("Scanner 1", authorities=GROUP_AUTHORITIES))
PIXELS = [
    bytes(
        value
        for row in range(64)
        for column in range(64)
        for value in ((row * column * n) % 1024).to_bytes(2, "little")
    )
    for n in range(1, 7)
]


def person(identifier, ipp, family):
    return {
        "resourceType": "Patient",
        "id": identifier,
        "identifier": [
            {
                "type": {"coding": [{"code": "PI"}]},
                "system": "urn:oid:1.2.250.1.999.1.1",
                "value": ipp,
            }
        ],
        "name": [{"use": "official", "family": family, "given": ["Claire"]}],
        "birthDate": "1948-03-14",
        "gender": "female",
    }


@pytest.fixture
async def ward(database, tmp_path):
    async with site(database, tmp_path, [pages.routes], ("liane.rooms.imaging",)) as opened:
        database.projections = (patients.project, project, imaging.project)
        await opened.write([person("p1", "80001", "Martin"), person("p2", "80002", "Secret")])
        await opened.admit("p1")
        yield opened


@pytest.fixture
async def web(ward):
    async with httpx.AsyncClient(
        base_url=ward.url, cookies={"liane_session": ward.token}, trust_env=False, timeout=30
    ) as client:
        yield client


async def arrive(ward, patient="80001", family="MARTIN", study="1.2.3", count=6, **changes):
    filed = None
    for n in range(1, count + 1):
        data = image(
            PatientID=patient, IssuerOfPatientID="CHU", PatientName=f"{family}^CLAIRE",
            StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1", SOPInstanceUID=f"{study}.1.{n}",
            InstanceNumber=n, StudyDescription="TDM thorax", SeriesDescription="Axial",
            Rows=64, Columns=64, PixelData=PIXELS[n - 1], **changes,
        )  # fmt: skip
        filed = await file_object(ward.services, file_of(data), source=SOURCE)
    return filed


async def test_the_list_the_study_and_each_picture(ward, web):
    filed = await arrive(ward)
    listed = await web.get("/patients/p1/imaging")
    assert listed.status_code == 200
    assert "TDM thorax" in listed.text
    assert f"/imaging/studies/{filed.study_id}/thumbnail" in listed.text
    thumbnail = await web.get(f"/imaging/studies/{filed.study_id}/thumbnail")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert thumbnail.headers["cache-control"] == "no-store"

    led = await web.get(f"/imaging/studies/{filed.study_id}")
    assert led.headers["location"] == f"/patients/p1/imaging/{filed.study_id}"
    page = await web.get(led.headers["location"])
    assert "Image 3 / 6" in page.text
    assert "MARTIN" in page.text
    where = f"/patients/p1/imaging/{filed.study_id}/pictures/1.2.3.1.2/0"
    picture = await web.get(where)
    assert picture.content[:2] == b"\xff\xd8"
    assert (await web.get(f"{where}?window=40,400")).headers["x-liane-window"] == "40,400"
    for bad in ("?window=x", "?window=0,0", "?window=1,nan"):
        assert (await web.get(where + bad)).status_code == 400


async def test_pictures_of_others_do_not_exist_for_this_reader(ward, web):
    mine = await arrive(ward)
    theirs = await arrive(ward, "80002", "SECRET", "1.2.9")
    assert theirs.patient == "p2"
    there = f"/patients/p2/imaging/{theirs.study_id}"
    swapped = f"/patients/p1/imaging/{theirs.study_id}"
    mixed = f"/patients/p1/imaging/{mine.study_id}/pictures/1.2.9.1.1/0"
    for path, status in (
        ("/patients/p2/imaging", 403),
        (there, 403),
        (f"{there}/pictures/1.2.9.1.1/0", 403),
        (f"/imaging/studies/{theirs.study_id}", 403),
        (f"/imaging/studies/{theirs.study_id}/thumbnail", 403),
        (swapped, 404),
        (f"{swapped}/pictures/1.2.9.1.1/0", 404),
        (mixed, 404),
    ):
        answer = await web.get(path)
        assert answer.status_code == status, path
        assert "SECRET" not in answer.text


async def test_each_picture_leaves_its_trace(ward, web):
    filed = await arrive(ward, count=1)
    await web.get(f"/patients/p1/imaging/{filed.study_id}/pictures/1.2.3.1.1/0")
    await web.get(f"/imaging/studies/{filed.study_id}/thumbnail")
    async with ward.services.database.reading() as tx:
        rows = await tx.fetch("select action from journal.entry where patient = 'p1' order by at")
    assert {"read image", "read image thumbnail"} <= {row["action"] for row in rows}


async def test_names_with_markup_are_only_words(ward, web):
    filed = await arrive(ward, count=1)
    data = image(
        PatientID="80001", IssuerOfPatientID="CHU", StudyInstanceUID="1.2.4",
        SeriesInstanceUID="1.2.4.1", SOPInstanceUID="1.2.4.1.1",
        StudyDescription="<script>alert(1)</script>",
    )  # fmt: skip
    await file_object(ward.services, file_of(data), source=SOURCE)
    page = await web.get("/patients/p1/imaging")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text
    assert filed.study_id in page.text


async def test_the_reader_scrolls_by_wheel_keys_and_presets(ward):
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed (apt install chromium)")
    filed = await arrive(ward)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="fr-FR")
        await context.add_cookies([{"name": "liane_session", "value": ward.token, "url": ward.url}])
        page = await context.new_page()
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(f"{ward.url}/patients/p1/imaging/{filed.study_id}")
        number = page.locator("#slice-number")
        await expect(page.locator("#slice")).to_have_js_property("naturalWidth", 64)
        await page.keyboard.press("ArrowDown")
        await expect(number).to_have_text("Image 4 / 6")
        await page.mouse.move(800, 450)
        await page.mouse.wheel(0, 50)
        await expect(number).to_have_text("Image 5 / 6")
        await page.keyboard.press("End")
        await expect(number).to_have_text("Image 6 / 6")
        await page.keyboard.press("3")
        await expect(page.locator("#slice-window")).to_have_text("C -600 · L 1500")
        assert "image=6" in page.url
        assert await number.is_visible()
        assert "MARTIN" in await page.locator(".viewport .top-left").inner_text()
        folder = os.environ.get("LIANE_TEST_SCREENSHOTS")
        if folder:
            await page.screenshot(path=f"{folder}/imaging-study.png")
            await page.goto(f"{ward.url}/patients/p1/imaging")
            await page.wait_for_timeout(500)
            await page.screenshot(path=f"{folder}/imaging-list.png")
        assert faults == []
        await browser.close()
