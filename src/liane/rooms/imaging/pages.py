"""What does a carer see of the images: the list of examinations, and one slice by slice?

Every picture is asked for on its own address and decided on its own: knowing a link opens nothing.
"""

from __future__ import annotations

import os.path
from typing import Any

import orjson
from litestar import Response

from liane.access import gate
from liane.access.permissions import Permission
from liane.base.errors import Invalid
from liane.rooms.imaging import presets, reads
from liane.rooms.imaging.reads import SeriesLine, StudyLine
from liane.rooms.imaging.rendering.renderer import Picture, renderer_of
from liane.rooms.record.pages.routes import chart_page
from liane.ui.routing import Context, Routes

routes = Routes("imaging")

NO_SCRIPT = {"Content-Security-Policy": "default-src 'none'; sandbox"}
LONGEST_SIDE_PIXELS = 2048


@routes.get(
    "/patients/{patient_id}/imaging", permission=Permission.IMAGE_READ, patient="patient_id"
)
async def list_studies(context: Context, patient_id: str) -> Response[Any]:
    """All examinations of the patient, the latest first."""
    studies = await reads.studies_of(context.tx, patient_id)
    return await chart_page(context, patient_id, "imaging", "imaging/studies.html", studies=studies)


@routes.get(
    "/patients/{patient_id}/imaging/{study_id}",
    permission=Permission.IMAGE_READ,
    patient="patient_id",
)
async def read_study(context: Context, patient_id: str, study_id: str) -> Response[Any]:
    """One examination: its series, and the pictures of the chosen one."""
    study = await _study(context, patient_id, study_id)
    series = await reads.series_of(context.tx, study.study_uid)
    chosen = _chosen(series, context.query.get("series", ""))
    at = _position(chosen, context.query.get("image", ""))
    context.journal_detail["study"] = study_id
    return await chart_page(
        context,
        patient_id,
        "imaging",
        "imaging/study.html",
        study=study,
        series=series,
        chosen=chosen,
        at=at,
        slices=_packed(chosen) if chosen else "",
        presets=presets.of(chosen.modality if chosen else ""),
    )


@routes.get(
    "/patients/{patient_id}/imaging/{study_id}/pictures/{sop_uid}/{frame}",
    permission=Permission.IMAGE_READ,
    patient="patient_id",
    action="read image",
)
async def read_picture(
    context: Context, patient_id: str, study_id: str, sop_uid: str, frame: str
) -> Response[Any]:
    """One picture, as JPEG, windowed by `?window=centre,width`."""
    study = await _study(context, patient_id, study_id)
    row = await reads.instance(context.tx, study.study_uid, sop_uid)
    context.journal_detail.update(study=study_id, image=sop_uid)
    picture = await renderer_of(context.services).picture(
        reads.stored(row),
        frame=int(frame) if frame.isdecimal() and len(frame) < 7 else -1,
        window=_window(context.query.get("window", "")),
        most=LONGEST_SIDE_PIXELS,
    )
    return _pictured(picture)


@routes.get("/imaging/studies/{study_id}", permission=Permission.IMAGE_READ)
async def find_study(context: Context, study_id: str) -> Response[Any]:
    """The address that other pages know: leads to the examination in its chart."""
    study = await _permitted(context, study_id)
    return context.redirect(f"/patients/{study.patient}/imaging/{study.id}")


@routes.get(
    "/imaging/studies/{study_id}/thumbnail",
    permission=Permission.IMAGE_READ,
    action="read image thumbnail",
)
async def read_thumbnail(context: Context, study_id: str) -> Response[Any]:
    """The small picture that stands for an examination."""
    study = await _permitted(context, study_id)
    row = await reads.study(context.tx, study.id)
    context.journal_detail["study"] = study_id
    if not row["thumbnail"]:
        raise reads.not_found()
    body = await context.services.blobs.read(row["thumbnail"])
    return Response(body, media_type="image/jpeg", headers=NO_SCRIPT)


async def _permitted(context: Context, study_id: str) -> StudyLine:
    """The examination, once the gate has agreed for its patient."""
    study = await reads.study_line(context.tx, study_id)
    await gate.require(context.tx, context.actor, Permission.IMAGE_READ, patient=study.patient)
    context.read_patients.append(study.patient)
    return study


async def _study(context: Context, patient_id: str, study_id: str) -> StudyLine:
    """The examination, which must be this patient's: an id swapped in the address finds nothing."""
    study = await reads.study_line(context.tx, study_id)
    if study.patient != patient_id:
        raise reads.not_found()
    return study


def _chosen(series: list[SeriesLine], uid: str) -> SeriesLine | None:
    pictured = [one for one in series if one.slices]
    return next((one for one in pictured if one.uid == uid), pictured[0] if pictured else None)


def _position(series: SeriesLine | None, text: str) -> int:
    """The picture asked for, counted from 1; the middle one when none is."""
    if series is None:
        return 0
    count = len(series.slices)
    number = int(text) if text.isdecimal() and len(text) < 7 else (count + 1) // 2
    return min(max(1, number), count)


def _packed(series: SeriesLine) -> str:
    """The pictures for the page's script: the common start of all names once."""
    names = [one.sop_uid for one in series.slices]
    prefix = os.path.commonprefix(names)  # noqa: RUF071 - sign by sign is what is wanted
    slices = [[one.sop_uid[len(prefix) :], one.frame] for one in series.slices]
    return orjson.dumps({"prefix": prefix, "slices": slices}).decode()


def _window(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        center, width = (float(part) for part in text.split(","))
    except ValueError:
        raise _bad_window() from None
    if not (abs(center) < 1e7 and 0 < width < 1e7):
        raise _bad_window()
    return center, width


def _bad_window() -> Invalid:
    return Invalid("imaging.window", "Fenêtrage illisible.", "This window cannot be read.")


def _pictured(picture: Picture) -> Response[bytes]:
    headers = dict(NO_SCRIPT)
    if picture.window is not None:
        headers["X-Liane-Window"] = f"{picture.window[0]:g},{picture.window[1]:g}"
    return Response(picture.body, media_type=picture.media_type, headers=headers)
