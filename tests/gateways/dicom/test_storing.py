"""Is every image kept exactly as it came over the wire, or refused with the right status?"""

import json
from pathlib import Path

import pydicom
import pytest

from liane.fhir.validation import validate
from liane.store.resources import read
from tests.gateways.dicom.test_header import CT, encoded, image

BY_SYNTAX = {
    "1.2.840.10008.1.2.1": ["-x="],
    "1.2.840.10008.1.2.2": ["-xb"],
    "1.2.840.10008.1.2.4.70": ["-xs"],
    "1.2.840.10008.1.2.4.80": ["-xt"],
    "1.2.840.10008.1.2.4.90": ["-xv"],
}
NOT_READ_BY_DCMTK = {"explicit_VR-UN.dcm"}
"""Its identifiers are of unknown representation; dcmtk's sender finds no SOP class in it."""
ROOT = Path(__file__).resolve().parents[3]


def shared_files():
    import os

    folder = Path(os.environ.get("LIANE_SHARED_DATA", ROOT.parent / "shared" / "data"))
    return sorted((folder / "dicom-pydicom-data").rglob("*.dcm"))


def save(path, data, syntax="1.2.840.10008.1.2.1"):
    """A DICOM file of `data`, as a sender would read it."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = data.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    data.file_meta = meta
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path


@pytest.mark.parametrize("file", shared_files() or [None], ids=lambda f: f.name if f else "absent")
async def test_shared_file_is_stored_bit_for_bit_or_refused(
    port, wire, dcmtk, pynetdicom_process, file
):
    if file is None:
        pytest.skip("shared data set 'dicom-pydicom-data' not found (LIANE_SHARED_DATA)")
    head = pydicom.dcmread(file, stop_before_pixels=True, force=True)
    syntax = str(head.file_meta.TransferSyntaxUID)
    readable = head.get("SOPInstanceUID") and file.name not in NOT_READ_BY_DCMTK
    if syntax in BY_SYNTAX and readable:
        status, said = await dcmtk(wire.number, file, options=["-R", *BY_SYNTAX[syntax]])
    else:
        status, said = await pynetdicom_process(wire.number, file)
    rows = await port.instances()
    if not head.get("SOPInstanceUID"):
        assert status != 0
        assert rows == []
        return
    assert status == 0, said
    [row] = rows
    assert row["transfer_syntax"] == syntax
    assert await port.stored(row) == wire.data_sets[0]


async def test_the_wire_of_an_image_of_ours_equals_its_file(port, pynetdicom_process, tmp_path):
    file = save(tmp_path / "a.dcm", image())
    assert await pynetdicom_process(port.number, file) == (0, "0000\n")
    [row] = await port.instances()
    assert await port.stored(row) == encoded(image())
    assert (await port.services.blobs.read(row["sha256"]))[:132] == bytes(128) + b"DICM"


async def test_echo_is_answered(port):
    from tests.gateways.dicom.conftest import ECHOSCU, run

    if not Path(ECHOSCU).exists():
        pytest.skip("dcmtk (Debian package) is not installed")
    assert (await run(ECHOSCU, "-aec", "LIANE", "127.0.0.1", port.number))[0] == 0
    status, said = await run(ECHOSCU, "-aec", "OTHER", "127.0.0.1", port.number)
    assert status != 0
    assert "Called AE Title Not Recognized" in said


async def test_the_image_appears_under_its_patient(port, dcmtk, person, tmp_path):
    patient = await person()
    file = save(tmp_path / "a.dcm", image(IssuerOfPatientID="CHU", StudyDescription="TDM thorax"))
    assert (await dcmtk(port.number, file))[0] == 0

    async def told():
        return any(study["listed"] for study in await port.studies())

    await port.until(told)
    [study] = await port.studies()
    assert study["patient"] == patient
    async with port.services.database.reading() as tx:
        version = await read(tx, "ImagingStudy", study["id"])
    resource = json.loads(version.body)
    assert resource["subject"]["reference"] == f"Patient/{patient}"
    assert resource["identifier"][0]["value"] == "urn:oid:1.2.3"
    assert resource["description"] == "TDM thorax"
    assert [finding for finding in validate(resource) if finding.severity == "error"] == []
    assert resource["started"] == "2026-03-14T08:15:30+01:00"
    assert resource["series"][0]["instance"][0]["uid"] == "1.2.3.4"
    assert resource["series"][0]["instance"][0]["sopClass"]["code"] == f"urn:oid:{CT}"


async def test_an_examination_grows_and_gets_a_picture(port, dcmtk, person, tmp_path):
    patient = await person()
    files = [
        save(
            tmp_path / f"{n}.dcm",
            image(
                IssuerOfPatientID="CHU", SOPInstanceUID=f"1.2.3.{n}", InstanceNumber=n,
                SeriesInstanceUID=f"1.2.3.9{n % 2}",
            ),
        )
        for n in range(1, 9)
    ]  # fmt: skip
    assert (await dcmtk(port.number, *files))[0] == 0

    async def pictured():
        return any(study["thumbnail_of"] == 8 for study in await port.studies())

    await port.until(pictured, 20)
    [study] = await port.studies()
    assert (study["patient"], study["series_count"], study["instance_count"]) == (patient, 2, 8)
    picture = await port.services.blobs.read(study["thumbnail"])
    assert picture.startswith(b"\xff\xd8")
    async with port.services.database.reading() as tx:
        facts = await tx.fetch(
            "select facts from record.change where type = 'ImagingStudy' and id = $1", study["id"]
        )
    assert any(row["facts"] and json.loads(row["facts"]).get("thumbnail") for row in facts)


async def test_an_unknown_patient_becomes_provisional_for_the_loopback(port, dcmtk, tmp_path):
    file = save(tmp_path / "a.dcm", image(PatientID="X-77"))
    assert (await dcmtk(port.number, file))[0] == 0
    [study] = await port.studies()
    async with port.services.database.reading() as tx:
        version = await read(tx, "Patient", study["patient"])
    patient = json.loads(version.body)
    assert patient["name"][0]["family"] == "MARTIN"
    assert "provisoire" in version.body


async def test_a_partner_set_to_hold_keeps_the_image_out_of_charts(port, dcmtk, tmp_path):
    async with port.services.database.transaction() as tx:
        await tx.execute("update imaging.partner set unknown_patient = 'hold'")
    await port.until(lambda: _learned(port, dcmtk, tmp_path), 15)


async def _learned(port, dcmtk, tmp_path):
    # Partners are read again every few seconds.
    import asyncio

    await asyncio.sleep(5.5)
    file = save(tmp_path / "a.dcm", image(PatientID="X-77"))
    assert (await dcmtk(port.number, file))[0] == 0
    [study] = await port.studies()
    assert study["patient"] is None
    assert study["held"] == "imaging.held.unknown-patient"
    [row] = await port.instances()
    assert row["state"] == "current"
    return True


async def test_a_number_that_belongs_to_somebody_else_is_held(port, dcmtk, person, tmp_path):
    await person(family="DURAND", birth="1990-01-01")
    file = save(tmp_path / "a.dcm", image(IssuerOfPatientID="CHU"))
    assert (await dcmtk(port.number, file))[0] == 0
    [study] = await port.studies()
    assert study["patient"] is None
    assert study["held"] == "imaging.held.identity-differs"


@pytest.mark.parametrize(("birth", "found"), [("1948-03-14", True), ("1990-01-01", False)])
async def test_a_number_without_issuer_is_believed_only_when_traits_agree(
    port, dcmtk, person, tmp_path, birth, found
):
    patient = await person(birth=birth)
    assert (await dcmtk(port.number, save(tmp_path / "a.dcm", image())))[0] == 0
    [study] = await port.studies()
    assert (study["patient"] == patient) is found


async def test_the_same_image_again_changes_nothing(port, pynetdicom_process, tmp_path):
    file = save(tmp_path / "a.dcm", image())
    for _ in range(3):
        assert await pynetdicom_process(port.number, file) == (0, "0000\n")
    assert len(await port.instances()) == 1


async def test_the_same_name_with_other_pixels_is_kept_and_flagged(
    port, pynetdicom_process, tmp_path
):
    save(tmp_path / "a.dcm", image())
    save(tmp_path / "b.dcm", image(PixelData=b"\1" * 32))
    for name in "ab":
        assert await pynetdicom_process(port.number, tmp_path / f"{name}.dcm") == (0, "0000\n")
    first, second = await port.instances()
    assert (first["state"], second["state"]) == ("current", "conflict")
    assert second["reason"] == "imaging.conflict.bytes"
    assert await port.stored(second) == encoded(image(PixelData=b"\1" * 32))


async def test_an_image_of_somebody_else_in_the_same_examination_is_kept_apart(
    port, pynetdicom_process, tmp_path
):
    save(tmp_path / "a.dcm", image())
    save(tmp_path / "b.dcm", image(SOPInstanceUID="1.2.3.5", PatientID="80002"))
    for name in "ab":
        assert await pynetdicom_process(port.number, tmp_path / f"{name}.dcm") == (0, "0000\n")
    _, second = await port.instances()
    assert (second["state"], second["reason"]) == ("conflict", "imaging.conflict.patient")


async def test_a_huge_object_passes_through_a_file(port, pynetdicom_process, tmp_path):
    data = image(Rows=4096, Columns=4096, PixelData=bytes(range(256)) * (4096 * 4096 * 2 // 256))
    file = save(tmp_path / "a.dcm", data)
    assert await pynetdicom_process(port.number, file) == (0, "0000\n")
    [row] = await port.instances()
    assert await port.stored(row) == encoded(data)
    assert not list((port.services.home / "dicom").glob("arriving-*"))
