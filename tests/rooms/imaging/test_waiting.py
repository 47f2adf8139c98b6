"""Does a waiting examination find its patient through a person, and never a wrong one by haste?"""

import re

import httpx
import pytest

from liane.access.actor import SYSTEM
from liane.base.errors import Conflict
from liane.gateways.dicom import Source, file_object
from liane.gateways.dicom.partners import GROUP_AUTHORITIES
from liane.rooms import imaging, patients
from liane.rooms.imaging import pages, waiting
from liane.rooms.imaging.values import Policy
from liane.rooms.patients import merge
from liane.rooms.record.projection import project
from tests.gateways.dicom.test_header import image
from tests.gateways.dicomweb.test_dicomweb import file_of
from tests.ui.site import site

from .test_pages import PIXELS, person

SOURCE = Source(SYSTEM("test"), Policy("Scanner 1", "hold", authorities=GROUP_AUTHORITIES))
ROOM = "liane.rooms.imaging"


@pytest.fixture
async def desk(database, tmp_path):
    async with site(
        database, tmp_path, [pages.routes, waiting.routes], (ROOM,), role="secretaire"
    ) as opened:
        database.projections = (patients.project, project, imaging.project)
        await opened.write(
            [
                person("p1", "80001", "Martin"),
                person("p2", "80002", "Martinez"),
                person("p3", "80003", "Secret"),
            ]
        )
        yield opened


@pytest.fixture
async def web(desk):
    headers = {"Origin": desk.url, "Accept-Language": "fr"}
    async with httpx.AsyncClient(
        base_url=desk.url,
        cookies={"liane_session": desk.token},
        headers=headers,
        trust_env=False,
        timeout=30,
    ) as client:
        yield client


async def wait_for_patient(desk, number="99999", study="1.2.3", **words):
    words = {"PatientName": "MARTIN^CLAIRE", "PatientBirthDate": "19480314", **words}
    data = image(
        PatientID=number, IssuerOfPatientID="CHU", StudyInstanceUID=study,
        SeriesInstanceUID=f"{study}.1", SOPInstanceUID=f"{study}.1.1", StudyDescription="TDM",
        Rows=64, Columns=64, PixelData=PIXELS[0], **words,
    )  # fmt: skip
    filed = await file_object(desk.services, file_of(data), source=SOURCE)
    assert filed.patient is None
    return filed


def secret(html):
    return re.search(r'name="csrf" value="([^"]+)"', html)[1]


async def attach(web, study, patient="p1", **fields):
    address = f"/patients/{patient}/imaging/waiting/{study}"
    shown = await web.get(address)
    assert shown.status_code == 200, shown.text[:300]
    form = {"csrf": secret(shown.text), "patient": patient, **fields}
    return await web.post(address, data=form)


async def patient_of(desk, study):
    async with desk.services.database.reading() as tx:
        return await tx.fetchval("select patient from imaging.study where id = $1", study)


async def test_the_study_is_found_its_patient_by_number_seen_and_attached(desk, web):
    filed = await wait_for_patient(desk)
    listed = await web.get("/imaging/waiting")
    assert f'href="/imaging/waiting/{filed.study_id}"' in listed.text
    assert 'href="/imaging/waiting"' in listed.text
    start = await web.get(f"/imaging/waiting/{filed.study_id}")
    assert "Personne ne porte exactement" in start.text
    found = await web.get(f"/imaging/waiting/{filed.study_id}?q=80001")
    assert "MARTIN" in found.text
    assert "MARTINEZ" not in found.text
    shown = await web.get(f"/patients/p1/imaging/waiting/{filed.study_id}")
    for trait in ("MARTIN", "Claire", "14/03/1948", "80001", "99999"):
        assert trait in shown.text
    assert 'name="checked"' not in shown.text

    answer = await attach(web, filed.study_id)
    assert answer.status_code == 303
    assert "dans son historique" in (await web.get(answer.headers["location"])).text
    assert await patient_of(desk, filed.study_id) == "p1"
    async with desk.services.database.reading() as tx:
        entries = await tx.fetch(
            "select action, actor_name, detail from journal.entry where patient = 'p1' order by at"
        )
        resource = await tx.fetchrow(
            "select patient from record.resource where type = 'ImagingStudy' and id = $1",
            filed.study_id,
        )
    assert resource["patient"] == "p1"
    told = [entry for entry in entries if entry["action"] == "attach study"]
    assert told[0]["actor_name"] == "Claire Renard"
    assert waiting.ATTACHED in str([entry["detail"] for entry in entries])
    async with desk.services.database.reading() as tx:
        assert await tx.fetchval("select thumbnail from imaging.study where patient = 'p1'")
    again = await web.get(f"/imaging/waiting/{filed.study_id}")
    assert again.status_code == 409


async def test_the_search_takes_exact_names_only(desk, web):
    filed = await wait_for_patient(desk)
    for asked, found, absent in (
        ("martin", "p1", "p2"),
        ("Claire MARTINEZ", "p2", "p1"),
        ("marti", None, "p1"),
        ("Martine", None, "p1"),
        ("8000", None, "p1"),
        ("%", None, "p1"),
        ("m", None, "p1"),
    ):
        html = (await web.get(f"/imaging/waiting/{filed.study_id}", params={"q": asked})).text
        assert f"/patients/{absent}/imaging" not in html, asked
        assert (found is None) or f"/patients/{found}/imaging" in html, asked


async def test_traits_that_differ_must_be_checked_first(desk, web):
    filed = await wait_for_patient(desk, PatientName="MARTIN^PAUL", PatientBirthDate="19500101")
    shown = await web.get(f"/patients/p3/imaging/waiting/{filed.study_id}")
    assert shown.text.count('class="differs"') == 3
    refused = await attach(web, filed.study_id, "p3")
    assert refused.status_code == 400
    assert "cochez que vous avez vérifié" in refused.text
    assert await patient_of(desk, filed.study_id) is None
    assert (await attach(web, filed.study_id, "p3", checked="on")).status_code == 303
    assert await patient_of(desk, filed.study_id) == "p3"
    async with desk.services.database.reading() as tx:
        [detail] = await tx.fetch(
            "select detail from journal.entry where patient = 'p3' and action = 'attach study'"
        )
    assert "birth" in str(detail["detail"])


async def test_a_form_of_another_patient_or_without_its_secret_does_nothing(desk, web):
    filed = await wait_for_patient(desk)
    address = f"/patients/p1/imaging/waiting/{filed.study_id}"
    good = secret((await web.get(address)).text)
    other = await web.post(address, data={"csrf": good, "patient": "p2"})
    assert other.status_code == 409
    assert (await web.post(address, data={"csrf": "x", "patient": "p1"})).status_code == 403
    assert await patient_of(desk, filed.study_id) is None
    assert (await web.get(f"/patients/nobody/imaging/waiting/{filed.study_id}")).status_code == 404
    assert (await web.get("/imaging/waiting/nothing")).status_code == 404


async def test_a_merged_identity_receives_nothing_new(desk, web):
    filed = await wait_for_patient(desk)
    async with desk.services.database.transaction() as tx:
        await merge(tx, SYSTEM("test"), "p1", "p2", source="test", at=tx.now)
    gone = await web.get(f"/patients/p2/imaging/waiting/{filed.study_id}")
    assert gone.status_code == 409
    async with desk.services.database.transaction() as tx:
        with pytest.raises(Conflict):
            await imaging.attach_study(tx, SYSTEM("test"), "1.2.3", "p2", reason="x")
    assert await patient_of(desk, filed.study_id) is None


async def test_a_nurse_neither_sees_the_queue_nor_attaches(database, tmp_path):
    async with (
        site(database, tmp_path, [pages.routes, waiting.routes], (ROOM,), role="ide") as opened,
        httpx.AsyncClient(
            base_url=opened.url, cookies={"liane_session": opened.token}, trust_env=False
        ) as client,
    ):
        for path in ("/imaging/waiting", "/imaging/waiting/x", "/patients/p1/imaging/waiting/x"):
            assert (await client.get(path)).status_code == 403
        assert 'href="/imaging/waiting"' not in (await client.get("/styleguide")).text


async def test_markup_in_a_machines_words_is_only_words(desk, web):
    filed = await wait_for_patient(desk, PatientName="<script>alert(1)</script>^<b>")
    for path in (
        "/imaging/waiting",
        f"/imaging/waiting/{filed.study_id}",
        f"/patients/p1/imaging/waiting/{filed.study_id}",
    ):
        html = (await web.get(path)).text
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html
