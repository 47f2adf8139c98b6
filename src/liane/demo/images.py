"""Which imaging studies does a person have, and what does their DICOM form say?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from liane.demo import phantoms
from liane.demo.group import Unit
from liane.demo.hl7 import ZONE
from liane.demo.people import Person
from liane.demo.staff import doctors_of


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of examination."""

    modality: str
    sop_class: str
    description: str
    series: str
    body_part: str
    slices: int
    share: float
    """Which part of the people whose story calls for it have it at the first loading."""


@dataclass(frozen=True, slots=True)
class Study:
    """A study ready to be sent: its identity and its instances as DICOM files."""

    uid: str
    kind: Kind
    person: Person
    at: datetime
    instances: tuple[bytes, ...]


STUDIES = {
    "chest": Kind("CR", "1.2.840.10008.5.1.4.1.1.1", "Thorax", "Thorax face", "CHEST", 1, 0.09),
    "abdomen": Kind(
        "CT",
        "1.2.840.10008.5.1.4.1.1.2",
        "TDM abdomino-pelvien",
        "Parenchyme 5 mm",
        "ABDOMEN",
        16,
        0.04,
    ),
    "brain": Kind(
        "MR", "1.2.840.10008.5.1.4.1.1.4", "IRM encéphalique", "Axial FLAIR", "BRAIN", 14, 0.09
    ),
    "kidneys": Kind(
        "US", "1.2.840.10008.5.1.4.1.1.6.1", "Échographie rénale", "Reins", "KIDNEY", 2, 0.05
    ),
}


def uid(*names: object) -> str:
    """A DICOM UID made from names (2.25 followed by a 128-bit number)."""
    digest = hashlib.blake2b("|".join(map(str, names)).encode(), digest_size=16).digest()
    return f"2.25.{int.from_bytes(digest, 'big')}"


def study_of(
    person: Person, name: str, number: int, at: datetime, unit: Unit, *, key: str = ""
) -> Study:
    """The study `name` of a person; `key` tells apart two of the same kind and number."""
    kind = STUDIES[name]
    study_uid = uid("study", person.number, name, number, key)
    seed = int(study_uid[-7:])
    made = tuple(
        _file(_dataset(person, kind, (study_uid, index), at, unit), pixels, kind)
        for index, pixels in enumerate(_pictures(name, seed, kind.slices))
    )
    return Study(study_uid, kind, person, at, made)


def _pictures(name: str, seed: int, slices: int) -> Iterator[NDArray[Any]]:
    if name == "chest":
        yield phantoms.chest(seed)
        return
    for index in range(slices):
        level = (index + 0.5) / slices
        if name == "abdomen":
            yield phantoms.abdomen(seed, level)
        elif name == "brain":
            yield phantoms.brain(seed, level)
        else:
            yield phantoms.kidney(seed + index)


def _dataset(
    person: Person, kind: Kind, place: tuple[str, int], at: datetime, unit: Unit
) -> Dataset:
    """The identifying part of an instance; `place` is the study UID and the instance number."""
    study_uid, index = place
    home, local = unit.establishment, at.astimezone(ZONE)
    one = Dataset()
    one.SpecificCharacterSet = "ISO_IR 192"
    one.SOPClassUID = kind.sop_class
    one.SOPInstanceUID = uid(study_uid, "instance", index)
    one.StudyInstanceUID, one.SeriesInstanceUID = study_uid, uid(study_uid, "series")
    one.StudyDate = one.SeriesDate = one.ContentDate = one.AcquisitionDate = f"{local:%Y%m%d}"
    one.StudyTime = one.SeriesTime = f"{local:%H%M%S}"
    one.ContentTime = one.AcquisitionTime = f"{local + timedelta(seconds=index):%H%M%S}"
    one.TimezoneOffsetFromUTC = f"{local:%z}"
    one.AccessionNumber = f"A{int(study_uid[-9:]):09d}"
    one.Modality = kind.modality
    one.Manufacturer = "Liane demo"
    one.InstitutionName = home.name
    doctor = doctors_of(unit.code)[0]
    one.ReferringPhysicianName = f"{doctor.family}^{doctor.given}"
    one.StudyDescription, one.SeriesDescription = kind.description, kind.series
    one.BodyPartExamined = kind.body_part
    one.PatientName = f"{person.family}^{' '.join(person.given)}"
    one.PatientID = person.ipps[home.id]
    one.IssuerOfPatientID = home.short
    one.IssuerOfPatientIDQualifiersSequence = DicomSequence([_issuer(home.ipp_oid)])
    one.PatientBirthDate, one.PatientSex = f"{person.birth:%Y%m%d}", person.sex
    one.StudyID, one.SeriesNumber, one.InstanceNumber = "1", "1", str(index + 1)
    return one


def _issuer(oid: str) -> Dataset:
    issuer = Dataset()
    issuer.UniversalEntityID = oid
    issuer.UniversalEntityIDType = "ISO"
    return issuer


def _file(one: Dataset, pixels: NDArray[Any], kind: Kind) -> bytes:
    """The instance with its picture, as a DICOM file (Explicit VR Little Endian)."""
    bits = 8 if pixels.dtype == np.uint8 else 16
    one.SamplesPerPixel = 1
    one.PhotometricInterpretation = "MONOCHROME2"
    one.Rows, one.Columns = pixels.shape
    one.BitsAllocated = bits
    one.BitsStored = 12 if pixels.dtype == np.uint16 else bits
    one.HighBit = one.BitsStored - 1
    one.PixelRepresentation = 1 if pixels.dtype == np.int16 else 0
    _geometry(one, kind)
    one.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    one["PixelData"].VR = "OB" if bits == 8 else "OW"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = one.SOPClassUID
    meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(uid("liane demo"))
    one.file_meta = meta
    buffer = BytesIO()
    dcmwrite(buffer, one, enforce_file_format=True)
    return buffer.getvalue()


def _geometry(one: Dataset, kind: Kind) -> None:
    """Spacing, position and window of the machine that made the picture."""
    index = int(one.InstanceNumber) - 1
    if kind.modality == "CR":
        one.ImagerPixelSpacing = ["0.7", "0.7"]
        one.ViewPosition, one.PatientOrientation = "PA", ["L", "F"]
        one.WindowCenter, one.WindowWidth = "1700", "2600"
        return
    if kind.modality == "US":
        one.ImageType = ["ORIGINAL", "PRIMARY"]
        return
    spacing = "1.5" if kind.modality == "CT" else "0.9"
    one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.FrameOfReferenceUID = uid(one.StudyInstanceUID, "frame")
    one.PixelSpacing = [spacing, spacing]
    one.SliceThickness = "5"
    one.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    one.ImagePositionPatient = ["-190", "-190", str(-5 * index)]
    one.PatientPosition = "HFS"
    if kind.modality == "CT":
        one.KVP, one.RescaleIntercept, one.RescaleSlope, one.RescaleType = "120", "0", "1", "HU"
        one.WindowCenter, one.WindowWidth = "40", "400"
    else:
        one.ScanningSequence, one.SequenceVariant, one.ScanOptions = "SE", "SK", ""
        one.MRAcquisitionType, one.EchoTime, one.RepetitionTime = "2D", "120", "9000"
        one.EchoTrainLength = "16"
        one.WindowCenter, one.WindowWidth = "380", "700"
