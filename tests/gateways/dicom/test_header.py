"""Is every image looked through to its last byte, and the broken and hostile ones refused?"""

import contextlib
import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from liane.gateways.dicom import header, mapping, registry
from liane.gateways.dicom.mapping import Expected, Mismatch
from liane.gateways.dicom.pdu import Malformed

SYNTAXES = [registry.IMPLICIT_LITTLE, registry.EXPLICIT_LITTLE, registry.EXPLICIT_BIG]
CT = "1.2.840.10008.5.1.4.1.1.2"


def image(**changes):
    data = Dataset()
    data.SOPClassUID = CT
    data.SOPInstanceUID = "1.2.3.4"
    data.StudyInstanceUID = "1.2.3"
    data.SeriesInstanceUID = "1.2.3.1"
    data.StudyDate, data.StudyTime = "20260314", "081530.123"
    data.Modality = "CT"
    data.PatientName, data.PatientID = "MARTIN^CLAIRE", "80001"
    data.PatientBirthDate, data.PatientSex = "19480314", "F"
    data.InstanceNumber = 12
    data.ImagePositionPatient = [0, 0, -32.5]
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.Rows, data.Columns, data.BitsAllocated, data.BitsStored = 4, 4, 16, 12
    data.HighBit, data.SamplesPerPixel, data.PixelRepresentation = 11, 1, 0
    data.PhotometricInterpretation = "MONOCHROME2"
    data.PixelData = bytes(32)
    for name, value in changes.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    return data


def encoded(data, syntax=registry.EXPLICIT_LITTLE):
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = syntax == registry.IMPLICIT_LITTLE
    buffer.is_little_endian = syntax != registry.EXPLICIT_BIG
    if syntax in registry.transfer_syntaxes() and registry.transfer_syntaxes()[syntax].encapsulated:
        data["PixelData"].is_undefined_length = True
        data["PixelData"].VR = "OB"
    write_dataset(buffer, data)
    return buffer.getvalue()


def described(data, syntax=registry.EXPLICIT_LITTLE, **how):
    content = data if isinstance(data, bytes) else encoded(data, syntax)
    return mapping.describe(content, registry.transfer_syntaxes()[syntax], **how)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_same_facts_are_read_in_every_encoding(syntax):
    found = described(image(), syntax)
    assert (found.sop_uid, found.study_uid, found.series_uid) == ("1.2.3.4", "1.2.3", "1.2.3.1")
    assert (found.rows, found.columns, found.bits, found.frames, found.number) == (4, 4, 16, 1, 12)
    assert found.subject.family == "MARTIN"
    assert found.subject.given == ("CLAIRE",)
    assert (found.subject.birth_date, found.subject.sex) == ("1948-03-14", "female")
    assert found.started == "2026-03-14T08:15:30+01:00"
    assert found.position == -32.5


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_an_image_cut_anywhere_is_refused(syntax):
    whole = encoded(image(), syntax)
    for cut in range(1, 60):
        with pytest.raises((Malformed, Mismatch)):
            described(whole[:-cut], syntax)


def test_encapsulated_pixels_are_counted():
    data = image(PixelData=encapsulate([b"\1\2", b"\3\4"]), NumberOfFrames=2)
    syntax = "1.2.840.10008.1.2.4.90"
    whole = encoded(data, syntax)
    found = described(whole, syntax)
    assert found.fragments == 2
    assert found.pixel_offset + found.pixel_length == len(whole)
    with pytest.raises(Malformed):
        described(whole[:-8], syntax)


def test_an_element_of_4_gigabytes_in_a_small_object_is_refused():
    with pytest.raises(Malformed, match="truncated"):
        described(
            encoded(image(PixelData=None)) + b"\xe0\x7f\x10\x00OW\0\0\xf0\xff\xff\xff" + b"x" * 500
        )


def test_fewer_pixels_than_promised_are_refused():
    with pytest.raises(Malformed, match="fewer pixels"):
        described(image(Rows=60000, Columns=60000))


@pytest.mark.parametrize("undefined", [True, False])
def test_sequences_too_deep_are_refused_at_once(undefined):
    levels = 5000
    if undefined:
        nested = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * levels
    else:
        nested = b""
        for _ in range(levels):
            item = b"\xfe\xff\0\xe0" + len(nested).to_bytes(4, "little") + nested
            nested = b"\x08\0\x40\x11SQ\0\0" + len(item).to_bytes(4, "little") + item
    began = time.perf_counter()
    with pytest.raises(Malformed, match="deeper"):
        described(encoded(image()) + nested)
    assert time.perf_counter() - began < 0.3


def test_sequences_of_ordinary_depth_pass_in_every_form():
    inner = Dataset()
    inner.PatientID = "other"
    item = Dataset()
    item.OtherPatientIDsSequence = Sequence([inner])
    for syntax in SYNTAXES:
        for undefined in (True, False):
            data = image(OtherPatientIDsSequence=Sequence([item, Dataset()]))
            data["OtherPatientIDsSequence"].is_undefined_length = undefined
            item["OtherPatientIDsSequence"].is_undefined_length = undefined
            assert described(data, syntax).subject.number == "80001"


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [True, False])
def test_the_oid_of_the_issuer_goes_before_its_name(syntax, undefined):
    # In implicit encoding a sequence of known length cannot be told from other values.
    if syntax == registry.IMPLICIT_LITTLE and not undefined:
        pytest.skip("needs a dictionary; the name of the issuer is used")
    issuer = Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = "1.2.250.1.999.1.1", "ISO"
    data = image(IssuerOfPatientID="CHU", IssuerOfPatientIDQualifiersSequence=Sequence([issuer]))
    data["IssuerOfPatientIDQualifiersSequence"].is_undefined_length = undefined
    assert described(data, syntax).subject.issuer == "1.2.250.1.999.1.1"


def test_a_patient_named_twice_is_refused():
    twice = encoded(image()) + b"\x10\0\x20\0LO\x02\x0099"
    with pytest.raises(Malformed, match="twice"):
        described(twice)


@pytest.mark.parametrize("start", [b"\x02\0\x10\0UI\x02\x001\0", b"MZ\x90\0\x03\0\0\0", b"\x7fELF\x02\1\1\0",
                                   b"<html><script>"], ids=["file meta", "PE", "ELF", "HTML"])  # fmt: skip
def test_what_is_not_a_data_set_is_refused(start):
    with pytest.raises(Malformed):
        described(start + encoded(image()))


def test_a_wrong_value_representation_is_refused():
    whole = encoded(image())
    with pytest.raises(Malformed, match="representation"):
        described(whole.replace(b"\x08\0\x60\0CS", b"\x08\0\x60\0\x01\x02"))


@pytest.mark.parametrize(
    "uid", ["../../etc/passwd", "1.2.3/4", "1..2", "1.2.", "a.b", "9" * 65, ""]
)
@pytest.mark.parametrize("which", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_names_that_break_the_rules_are_refused(which, uid, recwarn):
    data = image()
    data[which]._value = uid
    with pytest.raises(Mismatch):
        described(data)


def test_quarantine_gives_such_names_one_of_ours_always_the_same():
    data = image()
    data["SOPInstanceUID"]._value = "../../etc/passwd"
    one, two = (described(data, quarantine=True) for _ in range(2))
    assert one.sop_uid == two.sop_uid
    assert one.sop_uid.startswith("2.25.")
    assert one.given_uid == "../../etc/passwd"


@pytest.mark.parametrize(
    "expected", [Expected(CT, "1.2.9"), Expected("1.2.840.10008.5.1.4.1.1.4", "1.2.3.4")]
)
def test_an_object_other_than_announced_is_refused(expected):
    with pytest.raises(Mismatch):
        described(image(), expected=expected)


@pytest.mark.parametrize(
    ("charset", "raw", "family"),
    [
        (b"ISO_IR 100", "LEFÈVRE^ZOÉ".encode("latin-1"), "LEFÈVRE"),
        (b"ISO_IR 192", "LEFÈVRE^ZOÉ".encode(), "LEFÈVRE"),
        (b"", "LEFÈVRE^ZOÉ".encode("latin-1"), "LEFÈVRE"),
        (b"", "LEFÈVRE^ZOÉ".encode(), "LEFÈVRE"),
        (b"NO SUCH SET", b"MARTIN^A", "MARTIN"),
        (b"ISO_IR 192", "MAR\u202eTIN\u200b^A".encode(), "MARTIN"),
        (b"ISO_IR 192", b"MAR\0TIN\x1b[31m^A", "MARTIN[31m"),
    ],
)
def test_names_are_read_in_their_character_set_and_made_visible(charset, raw, family):
    data = image(PatientName=None)
    whole = encoded(data)
    cut = whole.index(b"\x10\0\x20\0LO")
    raw += b" " * (len(raw) % 2)
    name = b"\x10\0\x10\0PN" + len(raw).to_bytes(2, "little") + raw
    charset += b" " * (len(charset) % 2)
    first = b"\x08\0\x05\0CS" + len(charset).to_bytes(2, "little") + charset
    found = described(first + whole[:cut] + name + whole[cut:])
    assert found.subject.family == family


@settings(max_examples=2000, deadline=None)
@given(st.data())
def test_altered_objects_are_facts_or_a_refusal(data):
    syntax = data.draw(st.sampled_from(SYNTAXES))
    whole = bytearray(encoded(image(), syntax))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=6))
    with contextlib.suppress(Malformed, Mismatch):
        described(bytes(whole), syntax)


@settings(max_examples=2000, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(SYNTAXES))
def test_any_bytes_are_facts_or_a_refusal(data, syntax):
    with contextlib.suppress(Malformed, Mismatch):
        described(data, syntax)


def test_the_walk_never_reads_pixels():
    assert (
        header.walk(io.BytesIO(encoded(image())).getvalue(), "explicit", {0x7FE00010}).values == {}
    )
