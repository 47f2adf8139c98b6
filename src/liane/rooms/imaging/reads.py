"""Which examinations does this patient have, and what is in each?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liane.base.errors import Conflict, NotFound
from liane.rooms.imaging.rendering.renderer import Stored
from liane.store import Tx
from liane.store.sql import queries

Filing = queries("liane.rooms.imaging", "filing.sql")
Q = queries("liane.rooms.imaging", "reads.sql")

MANY = 500


@dataclass(frozen=True, slots=True)
class StudyLine:
    """One examination, as a list or the time axis shows it."""

    id: str
    """The id of the ImagingStudy resource; also in its address `/imaging/studies/{id}`."""
    study_uid: str
    patient: str
    started: datetime
    """When it was made; when it arrived, if the machine does not say."""
    has_time: bool
    """False when the machine gave a day only."""
    description: str
    modalities: tuple[str, ...]
    institution: str
    establishment: str
    accession: str
    series_count: int
    instance_count: int
    has_thumbnail: bool
    received: datetime


@dataclass(frozen=True, slots=True)
class Slice:
    """One picture a reader scrolls to: a frame of an object."""

    sop_uid: str
    frame: int
    number: int | None
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """One series of an examination, with its pictures in scrolling order."""

    uid: str
    modality: str
    number: int | None
    description: str
    body_part: str
    instance_count: int
    slices: tuple[Slice, ...]


async def studies_of(
    tx: Tx, patient: str, *, as_of: datetime | None = None, limit: int = MANY
) -> list[StudyLine]:
    """The patient's examinations, the latest first; with `as_of`, those known at that moment."""
    rows = await tx.fetch(Q["studies_of"], tx.tenant, patient, as_of, limit)
    return [_line(row) for row in rows]


async def study(tx: Tx, study_id: str) -> Mapping[str, Any]:
    """The row of one examination that is in a chart; raises `NotFound`."""
    row: Mapping[str, Any] | None = await tx.fetchrow(Q["study"], tx.tenant, study_id)
    if row is None or row["patient"] is None:
        raise not_found()
    return row


async def study_line(tx: Tx, study_id: str) -> StudyLine:
    """One examination that is in a chart; raises `NotFound`."""
    return _line(await study(tx, study_id))


async def series_of(tx: Tx, study_uid: str) -> list[SeriesLine]:
    """The series of an examination and their pictures."""
    slices: dict[str, list[Slice]] = {}
    for row in await tx.fetch(Q["instances"], tx.tenant, study_uid, ""):
        if row["rows"] > 0 and row["columns"] > 0:
            slices.setdefault(row["series_uid"], []).extend(_slices(row))
    rows = await tx.fetch(Filing["series_of_study"], tx.tenant, study_uid)
    return [
        SeriesLine(
            uid=row["series_uid"],
            modality=row["modality"],
            number=row["number"],
            description=row["description"],
            body_part=row["body_part"],
            instance_count=row["instance_count"],
            slices=tuple(slices.get(row["series_uid"], ())),
        )
        for row in rows
    ]


async def instance(tx: Tx, study_uid: str, sop_uid: str) -> Mapping[str, Any]:
    """The row of one object, with the patient of its examination; raises `NotFound`."""
    row: Mapping[str, Any] | None = await tx.fetchrow(Q["instance"], tx.tenant, study_uid, sop_uid)
    if row is None or row["patient"] is None:
        raise not_found()
    return row


def stored(row: Mapping[str, Any]) -> Stored:
    """Where the pixels of an `imaging.instance` row lie."""
    return Stored(
        sha256=row["sha256"],
        transfer_syntax=row["transfer_syntax"],
        pixel_offset=row["pixel_offset"],
        pixel_length=row["pixel_length"],
        encapsulated=row["fragments"] is not None,
    )


async def unfinished(tx: Tx, before: datetime) -> list[str]:
    """Examinations whose resource does not tell everything, quiet since `before`."""
    return [row["study_uid"] for row in await tx.fetch(Filing["unfinished"], tx.tenant, before)]


async def without_thumbnail(tx: Tx, since: datetime) -> list[str]:
    """Recent examinations whose picture is missing or of an earlier state."""
    rows = await tx.fetch(Filing["without_thumbnail"], tx.tenant, since)
    return [row["study_uid"] for row in rows]


def not_found() -> NotFound:
    """The one answer for what does not exist and what may not be known."""
    return NotFound(
        "imaging.not-found", "Cet examen n’existe pas.", "There is no such examination."
    )


def _line(row: Mapping[str, Any]) -> StudyLine:
    return StudyLine(
        id=row["id"],
        study_uid=row["study_uid"],
        patient=row["patient"],
        started=row["started_at"] or row["first_at"],
        has_time="T" in row["started"],
        description=row["description"],
        modalities=tuple(row["modalities"]),
        institution=row["institution"],
        establishment=row["establishment"],
        accession=row["accession"],
        series_count=row["series_count"],
        instance_count=row["instance_count"],
        has_thumbnail=bool(row["thumbnail"]),
        received=row["first_at"],
    )


def _slices(row: Mapping[str, Any]) -> list[Slice]:
    return [
        Slice(row["sop_uid"], frame, row["number"], row["rows"], row["columns"])
        for frame in range(min(max(1, row["frames"]), 5000))
    ]


async def waiting(tx: Tx) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Examinations in no chart, and objects kept apart from theirs."""
    held = await tx.fetch(Q["waiting"], tx.tenant)
    return list(held), list(await tx.fetch(Q["conflicts"], tx.tenant))


async def waiting_study(tx: Tx, study_id: str) -> Mapping[str, Any]:
    """The row of one examination that waits for its patient, with `images`.

    Raises `NotFound`, or `Conflict` when it no longer waits.
    """
    row: Mapping[str, Any] | None = await tx.fetchrow(Q["waiting_study"], tx.tenant, study_id)
    if row is None:
        raise not_found()
    if row["patient"] is not None:
        raise not_waiting()
    return row


def not_waiting() -> Conflict:
    """Somebody, or a message, has found the patient in the meantime."""
    return Conflict(
        "imaging.not-waiting",
        "Cet examen n’attend plus de patient.",
        "This examination no longer waits for a patient.",
    )


async def study_of_uid(tx: Tx, study_uid: str) -> Mapping[str, Any] | None:
    """The row of an examination by its DICOM name, in a chart or waiting."""
    row: Mapping[str, Any] | None = await tx.fetchrow(Q["study_of_uid"], tx.tenant, study_uid)
    return row


async def instances_of(tx: Tx, study_uid: str, series_uid: str = "") -> list[Mapping[str, Any]]:
    """The rows of the objects of an examination, or of one series, in scrolling order."""
    return list(await tx.fetch(Q["instances"], tx.tenant, study_uid, series_uid))
