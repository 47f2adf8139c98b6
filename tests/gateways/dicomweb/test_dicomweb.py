"""Do other programs find, read and hand in images, and only those they may?"""

import asyncio
import json
from email import message_from_bytes

import httpx
import pytest
from litestar import Litestar
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from liane.access.actor import Actor
from liane.access.sessions import Sessions
from liane.gateways.dicom import file_object, part10
from liane.gateways.dicomweb import dicomweb_router
from liane.gateways.dicomweb.multipart import PartEnds, Piece, parts
from liane.rooms import imaging, patients
from liane.ui.services import Services
from tests.gateways.dicom.test_header import CT, encoded, image

ACTORS = {
    "all": Actor("client", "client:all", "All", scopes=("system/*.cruds",)),
    "reader": Actor("client", "client:r", "Reader", scopes=("system/ImagingStudy.rs",)),
    "other": Actor("client", "client:o", "Other", scopes=("system/Observation.rs",)),
    "chg": Actor(
        "client", "client:chg", "CHG", scopes=("system/ImagingStudy.rs",), establishment="chg"
    ),
}
LITTLE, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"


def file_of(data, syntax=LITTLE):
    return part10.front(str(data.SOPClassUID), str(data["SOPInstanceUID"].value), syntax) + encoded(
        data, syntax
    )


def multipart(*files, kind="application/dicom", boundary="xYz"):
    body = b"".join(
        f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() + file + b"\r\n" for file in files
    )
    return body + f"--{boundary}--".encode(), {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}'
    }


@pytest.fixture
def services(database, blobs, tmp_path):
    database.projections = (patients.project, imaging.project)
    return Services(
        database=database,
        blobs=blobs,
        home=tmp_path,
        sessions=Sessions(database),
        base_url="http://liane",
    )


@pytest.fixture
async def web(services):
    async def check(token):
        return ACTORS.get(token)

    app = Litestar([dicomweb_router(services, check)], openapi_config=None)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://liane/dicomweb"
    ) as client:

        async def call(method, path, token="all", **how):
            headers = {**how.pop("headers", {}), "Authorization": f"Bearer {token}"}
            return await client.request(method, path, headers=headers, **how)

        yield call


def series_of_four():
    return [
        image(
            SOPInstanceUID=f"1.2.3.{n}",
            InstanceNumber=n,
            PixelData=bytes([n]) * 32,
            StudyDescription="TDM",
        )
        for n in range(1, 5)
    ]


def parts_of(answer):
    whole = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode() + answer.content
    return [part.get_payload(decode=True) for part in message_from_bytes(whole).get_payload()]


async def test_what_is_handed_in_is_found_and_comes_back_bit_for_bit(web):
    data = series_of_four()
    body, headers = multipart(*map(file_of, data))
    answer = await web("POST", "/studies", content=body, headers=headers)
    assert answer.status_code == 200
    assert len(answer.json()["00081199"]["Value"]) == 4
    async with asyncio.timeout(10):
        while (await web("GET", "/studies")).json()[0]["00201208"]["Value"] != [4]:
            await asyncio.sleep(0.1)

    [study] = (await web("GET", "/studies?PatientName=MART*&StudyDate=20260301-20260331")).json()
    assert study["0020000D"]["Value"] == ["1.2.3"]
    assert study["00100010"]["Value"] == [{"Alphabetic": "MARTIN^CLAIRE"}]
    assert study["00201208"]["Value"] == [4]
    [series] = (await web("GET", "/studies/1.2.3/series")).json()
    assert series["0020000E"]["Value"] == ["1.2.3.1"]
    instances = (await web("GET", "/studies/1.2.3/instances?limit=2&offset=1")).json()
    assert [one["00200013"]["Value"] for one in instances] == [[2], [3]]

    answer = await web("GET", "/studies/1.2.3/series/1.2.3.1")
    payloads = parts_of(answer)
    assert [payload[-32:] for payload in payloads] == [bytes([n]) * 32 for n in range(1, 5)]
    one = await web(
        "GET",
        "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.2",
        headers={"Accept": "application/dicom"},
    )
    assert one.content == file_of(data[1])


async def test_metadata_keeps_decimals_as_written(web, services):
    await file_object(services, file_of(image(SliceThickness="1.250")), source="test")
    [header] = (await web("GET", "/studies/1.2.3/metadata")).json()
    assert header["00180050"] == {"vr": "DS", "Value": ["1.250"]}
    assert header["00100010"]["Value"] == [{"Alphabetic": "MARTIN^CLAIRE"}]
    assert "7FE00010" not in header


async def test_frames_and_pictures(web, services):
    pixels = bytes(range(64))
    await file_object(services, file_of(image(NumberOfFrames=2, PixelData=pixels)), source="test")
    where = "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.4"
    assert parts_of(await web("GET", f"{where}/frames/2")) == [pixels[32:]]
    assert parts_of(await web("GET", f"{where}/frames/1,2")) == [pixels[:32], pixels[32:]]
    jpeg = await web("GET", f"{where}/rendered")
    assert jpeg.content[:2] == b"\xff\xd8"
    png = await web("GET", f"{where}/frames/2/rendered", headers={"Accept": "image/png"})
    assert png.content[:4] == b"\x89PNG"
    assert (await web("GET", f"{where}/frames/3")).status_code == 400
    assert (await web("GET", f"{where}/frames/x")).status_code == 400


async def test_frames_of_big_endian_come_as_little_endian(web, services):
    pixels = bytes(range(32))
    await file_object(services, file_of(image(PixelData=pixels), BIG), source="test")
    [frame] = parts_of(await web("GET", "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.4/frames/1"))
    assert frame == b"".join(bytes((pixels[n + 1], pixels[n])) for n in range(0, 32, 2))


async def test_another_transfer_syntax_is_not_acceptable(web, services):
    await file_object(services, file_of(image()), source="test")
    asked = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90'
    assert (await web("GET", "/studies/1.2.3", headers={"Accept": asked})).status_code == 406


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/studies", "", 401),
        ("GET", "/studies", "unknown", 401),
        ("GET", "/studies", "other", 403),
        ("GET", "/studies/1.2.3", "other", 403),
        ("POST", "/studies", "reader", 403),
        ("GET", "/studies/1.2.3", "reader", 200),
        ("GET", "/studies/1.2.3", "chg", 404),
        ("GET", "/studies/1.2.3/metadata", "chg", 404),
        ("GET", "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.4/frames/1", "chg", 404),
        ("GET", "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.4/rendered", "chg", 404),
        ("GET", "/studies/1.2.3/thumbnail", "chg", 404),
        ("GET", "/studies/9.9.9", "chg", 404),
        ("GET", "/studies?Nonsense=1", "reader", 400),
    ],
)
async def test_token_scope_and_gate_decide(web, services, method, path, token, status):
    await file_object(services, file_of(image()), source="test")
    assert (await web(method, path, token)).status_code == status


async def test_a_program_of_another_hospital_learns_nothing_from_searches(web, services):
    await file_object(services, file_of(image()), source="test")
    for path in ("/studies", "/series", "/instances", "/studies/1.2.3/instances"):
        assert (await web("GET", path, "chg")).json() == []
        assert len((await web("GET", path, "reader")).json()) == 1


async def test_reads_are_in_the_journal_before_the_answer(web, services):
    filed = await file_object(services, file_of(image()), source="test")
    await web("GET", "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.4/rendered", "reader")
    async with services.database.reading() as tx:
        rows = await tx.fetch(
            "select * from journal.entry where actor = 'client:r' and action = 'DICOMweb read'"
        )
    assert [row["patient"] for row in rows] == [filed.patient]


async def test_signs_of_like_are_plain_signs(web, services):
    await file_object(services, file_of(image(PatientID="1234")), source="test")
    for pattern, count in (("1234", 1), ("_234", 0), ("%", 0), ("12*", 1), ("?234", 1)):
        found = (await web("GET", "/studies", params={"PatientID": pattern})).json()
        assert len(found) == count, pattern


async def test_bad_parts_fail_alone(web):
    good = file_of(image())
    bad_uid = image()
    bad_uid["SOPInstanceUID"]._value = "../../x"
    hidden = part10.front(CT, "1.2.3.9", LITTLE) + encoded(image())
    body, headers = multipart(
        good,
        b"MZ not dicom",
        good[:-9],
        file_of(bad_uid),
        hidden,
        file_of(image(StudyInstanceUID="1.9")),
    )
    answer = await web("POST", "/studies/1.2.3", content=body, headers=headers)
    assert answer.status_code == 202
    failed = [one["00081197"]["Value"][0] for one in answer.json()["00081198"]["Value"]]
    assert failed == [0xC000, 0xC000, 0xA900, 0xA900, 0xA900]
    assert len(answer.json()["00081199"]["Value"]) == 1


async def test_the_preamble_of_a_disguised_program_is_not_kept(web, services):
    disguised = b"MZ" + b"\x90" * 126 + file_of(image())[128:]
    body, headers = multipart(disguised)
    assert (await web("POST", "/studies", content=body, headers=headers)).status_code == 200
    async with services.database.reading() as tx:
        sha256 = await tx.fetchval("select sha256 from imaging.instance")
    assert (await services.blobs.read(sha256))[:128] == bytes(128)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", 'multipart/related; boundary="b"'),
        (b"--b\r\nContent-Type: application/dicom\r\n\r\nabc", 'multipart/related; boundary="b"'),
        (b"x" * 100_000, 'multipart/related; boundary="b"'),
        (b"--b--", "multipart/related"),
        (b"{}", "application/json"),
    ],
)
async def test_bodies_that_cannot_be_cut_are_refused(web, content, kind):
    answer = await web("POST", "/studies", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 400


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
async def test_parts_are_cut_the_same_however_they_arrive(size):
    contents = [b"--xYz", b"\r\n--xY", b"", b"plain\r\n"]
    body, _ = multipart(*contents)

    async def arriving():
        for at in range(0, len(body), size):
            yield body[at : at + size]

    got, current = [], b""
    async for event in parts(arriving(), b"xYz"):
        if isinstance(event, Piece):
            current += event.data
        elif isinstance(event, PartEnds):
            got.append(current)
            current = b""
    assert got == contents


async def test_a_deflated_bomb_is_refused_at_once(web):
    import time
    import zlib

    squeezer = zlib.compressobj(9, wbits=-15)
    bomb = b"".join([squeezer.compress(bytes(1 << 20)) for _ in range(200)]) + squeezer.flush()
    body, headers = multipart(part10.front(CT, "1.2.3.4", "1.2.840.10008.1.2.1.99") + bomb)
    began = time.perf_counter()
    answer = await web("POST", "/studies", content=body, headers=headers)
    assert answer.status_code == 409
    assert time.perf_counter() - began < 1


async def test_the_header_of_a_stored_file_can_be_read_by_others(web, services):
    await file_object(services, file_of(image()), source="test")
    answer = await web(
        "GET",
        "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.4",
        headers={"Accept": "application/dicom"},
    )
    data = dcmread(DicomBytesIO(answer.content))
    assert data.file_meta.TransferSyntaxUID == LITTLE
    assert data.PatientName == "MARTIN^CLAIRE"
    assert json.loads(data.to_json())
