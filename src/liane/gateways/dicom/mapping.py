"""What does the record need to know of an image, and is the image what it claims to be?"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from typing import Literal

from liane.gateways.dicom import header, words
from liane.gateways.dicom.header import Data, Header
from liane.gateways.dicom.pdu import Malformed
from liane.gateways.dicom.registry import TransferSyntax
from liane.gateways.dicom.uids import is_uid
from liane.rooms.imaging.values import Instance, Subject

CHARSET = 0x00080005
SOP_CLASS, SOP_INSTANCE, STUDY, SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
STUDY_DATE, SERIES_DATE, STUDY_TIME, SERIES_TIME = 0x00080020, 0x00080021, 0x00080030, 0x00080031
ACCESSION, MODALITY, INSTITUTION, ZONE = 0x00080050, 0x00080060, 0x00080080, 0x00080201
STATION, STUDY_TEXT, SERIES_TEXT = 0x00081010, 0x00081030, 0x0008103E
NAME, NUMBER, ISSUER, BIRTH, SEX = 0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040
ISSUER_OID = header.inside(0x00100024, 0x00400032)
"""Universal Entity ID in Issuer of Patient ID Qualifiers."""
BODY_PART, LATERALITY = 0x00180015, 0x00200060
SERIES_NUMBER, INSTANCE_NUMBER = 0x00200011, 0x00200013
POSITION, ORIENTATION, SLICE_LOCATION = 0x00200032, 0x00200037, 0x00201041
SAMPLES, PHOTOMETRIC, FRAMES = 0x00280002, 0x00280004, 0x00280008
ROWS, COLUMNS, BITS = 0x00280010, 0x00280011, 0x00280100

WANTED = frozenset((
    CHARSET, SOP_CLASS, SOP_INSTANCE, STUDY, SERIES, STUDY_DATE, SERIES_DATE, STUDY_TIME,
    SERIES_TIME, ACCESSION, MODALITY, INSTITUTION, ZONE, STATION, STUDY_TEXT, SERIES_TEXT, NAME,
    NUMBER, ISSUER, ISSUER_OID, BIRTH, SEX, BODY_PART, LATERALITY, SERIES_NUMBER, INSTANCE_NUMBER,
    POSITION, ORIENTATION, SLICE_LOCATION, SAMPLES, PHOTOMETRIC, FRAMES, ROWS, COLUMNS, BITS,
))  # fmt: skip

_SEXES = {"M": "male", "F": "female", "O": "other"}
# Two samples of colour for every second pixel, or for every fourth (PS3.3 section C.7.6.3.1.2).
_SAMPLES_SHARED = {"YBR_FULL_422": 2.0, "YBR_PARTIAL_422": 2.0, "YBR_PARTIAL_420": 1.5}


class Mismatch(Exception):
    """The object is not what the message or the standard says it is (status 0xA900)."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the C-STORE command said of the object it brings."""

    sop_class: str
    sop_instance: str


def describe(
    data: Data,
    syntax: TransferSyntax,
    *,
    expected: Expected | None = None,
    quarantine: bool = False,
) -> Instance:
    """The facts of one data set; hash, size and offsets are filled in when it is stored.

    Raises `Malformed` (truncated, too deep ...) and `Mismatch` (other UIDs than announced, UIDs
    that break the rules, no study). With `quarantine`, such UIDs are replaced by ours.
    """
    reader = _Reader(header.walk(data, syntax.encoding, WANTED), syntax)
    if expected is not None:
        reader.compare(expected)
    instance = reader.instance(quarantine)
    reader.check_pixels(instance)
    return instance


class _Reader:
    def __init__(self, found: Header, syntax: TransferSyntax) -> None:
        self.found = found
        self.syntax = syntax
        self.charsets = words.charsets_of(found.values.get(CHARSET))

    def text(self, tag: int) -> str:
        return words.text(self.found.values.get(tag), self.charsets)

    def uid(self, tag: int) -> str:
        """The UID as written: only the padding is taken off."""
        return self.found.values.get(tag, b"").decode("latin-1").rstrip("\0 ")

    def number(self, tag: int) -> int:
        order: Literal["big", "little"] = "big" if self.syntax.encoding == "big" else "little"
        value = self.found.values.get(tag, b"")
        return int.from_bytes(value[:2], order) if len(value) in (2, 4) else 0

    def compare(self, expected: Expected) -> None:
        if self.uid(SOP_INSTANCE) != expected.sop_instance:
            raise Mismatch("SOP instance UID differs from the command")
        if self.uid(SOP_CLASS) != expected.sop_class:
            raise Mismatch("SOP class UID differs from the command")

    def lawful(self, tag: int, name: str, *, quarantine: bool) -> str:
        uid = self.uid(tag)
        if is_uid(uid):
            return uid
        if not uid:
            raise Mismatch(f"{name} UID is missing")
        if not quarantine:
            raise Mismatch(f"{name} UID breaks the rules")
        # The same wrong name always gets the same right one: a repetition stays a repetition.
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, uid).int}"

    def subject(self) -> Subject:
        family, given = words.person(self.text(NAME))
        return Subject(
            number=self.text(NUMBER)[:64],
            issuer=self.issuer(),
            family=family,
            given=given,
            birth_date=words.day(self.text(BIRTH)),
            sex=_SEXES.get(self.text(SEX).upper(), ""),
        )

    def issuer(self) -> str:
        """Who gave the number: its OID when there is one, else the name as written."""
        oid = self.text(ISSUER_OID)
        return oid if is_uid(oid) else self.text(ISSUER)[:64]

    def instance(self, quarantine: bool) -> Instance:
        sop_uid = self.lawful(SOP_INSTANCE, "SOP instance", quarantine=quarantine)
        pixels = self.found.pixels
        zone = self.text(ZONE)
        return Instance(
            sop_uid=sop_uid,
            sha256="",
            size=0,
            study_uid=self.lawful(STUDY, "study", quarantine=quarantine),
            series_uid=self.lawful(SERIES, "series", quarantine=quarantine),
            sop_class=self.lawful(SOP_CLASS, "SOP class", quarantine=False),
            transfer_syntax=self.syntax.uid,
            subject=self.subject(),
            dataset_offset=0,
            number=words.integer(self.text(INSTANCE_NUMBER)),
            position=self.position(),
            rows=self.number(ROWS) if pixels else 0,
            columns=self.number(COLUMNS) if pixels else 0,
            frames=max(1, words.integer(self.text(FRAMES)) or 1) if pixels else 0,
            photometric=self.text(PHOTOMETRIC),
            bits=self.number(BITS),
            pixel_offset=pixels.offset if pixels else None,
            pixel_length=pixels.length if pixels else None,
            fragments=pixels.fragments if pixels else None,
            given_uid="" if sop_uid == self.uid(SOP_INSTANCE) else words.text(
                self.found.values.get(SOP_INSTANCE), ()
            ),
            accession=self.text(ACCESSION),
            study_description=self.text(STUDY_TEXT),
            started=words.moment(self.text(STUDY_DATE), self.text(STUDY_TIME), zone),
            institution=self.text(INSTITUTION),
            modality=self.text(MODALITY).upper()[:16],
            series_number=words.integer(self.text(SERIES_NUMBER)),
            series_description=self.text(SERIES_TEXT),
            body_part=self.text(BODY_PART),
            laterality=self.text(LATERALITY),
            station=self.text(STATION),
            series_started=words.moment(self.text(SERIES_DATE), self.text(SERIES_TIME), zone),
        )  # fmt: skip

    def position(self) -> float | None:
        """Where the slice lies along the normal of its plane (PS3.3 section C.7.6.2.1.1)."""
        at = words.decimals(self.text(POSITION))
        axes = words.decimals(self.text(ORIENTATION))
        if len(at) == 3 and len(axes) == 6:
            (a, b, c), (d, e, f) = axes[:3], axes[3:]
            normal = (b * f - c * e, c * d - a * f, a * e - b * d)
            place = sum(one * other for one, other in zip(at, normal, strict=True))
            return place if math.isfinite(place) else None
        location = words.decimals(self.text(SLICE_LOCATION))
        return location[0] if location else None

    def check_pixels(self, instance: Instance) -> None:
        """An image has pixels, plain samples as many as rows, columns and frames promise."""
        pixels = self.found.pixels
        if instance.photometric and self.number(ROWS) and not self.found.has_pixel_group:
            raise Malformed("truncated: an image without its pixels")
        if pixels is None or pixels.fragments is not None or self.syntax.encapsulated:
            return
        samples = _SAMPLES_SHARED.get(instance.photometric, self.number(SAMPLES) or 1)
        promised = instance.rows * instance.columns * samples * instance.frames * instance.bits / 8
        if pixels.length < math.floor(promised):
            raise Malformed("truncated: fewer pixels than rows, columns and frames promise")
