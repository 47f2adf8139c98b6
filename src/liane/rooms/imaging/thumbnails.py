"""Which small picture stands for an examination, and when is it made?

Made in the background right after filing: the middle image of the series that has the most.
"""

from __future__ import annotations

from liane.base.errors import Invalid
from liane.rooms.imaging import rules
from liane.rooms.imaging.reads import stored
from liane.rooms.imaging.rendering.renderer import Picture, Stored, renderer_of
from liane.store import changes
from liane.store.sql import queries
from liane.ui.services import Services

Q = queries("liane.rooms.imaging", "filing.sql")
R = queries("liane.rooms.imaging", "reads.sql")

SIDE_PIXELS = 256
ATTEMPTS = 3
"""So many images are tried when the first ones cannot be shown."""


async def make(services: Services, study_uid: str) -> bool:
    """Make the picture of an examination if it is missing or of an earlier state.

    Announces `{"thumbnail": true}` on the patient's feed. False when nothing was to be done.
    """
    async with services.database.reading() as tx:
        study = await tx.fetchrow(R["study_of_uid"], tx.tenant, study_uid)
        if study is None or study["patient"] is None:
            return False
        if study["thumbnail_of"] == study["instance_count"]:
            return False
        chosen = rules.standing_for(await tx.fetch(Q["series_of_study"], tx.tenant, study_uid))
        rows = []
        if chosen is not None:
            series = chosen["series_uid"]
            rows = await tx.fetch(Q["pictures_of_series"], tx.tenant, study_uid, series)
    middle = rules.middle(len(rows))
    tried = [*rows[middle:], *rows[:middle]][:ATTEMPTS]
    sha256 = ""
    for row in tried:
        picture = await _drawn(services, stored(row), rules.middle(row["frames"]))
        if picture is not None:
            sha256 = (await services.blobs.put(picture.body)).sha256
            break
    async with services.database.transaction() as tx:
        await tx.execute(Q["thumbnail_made"], tx.tenant, study_uid, sha256, study["instance_count"])
        if sha256 and sha256 != study["thumbnail"]:
            facts = {"thumbnail": True}
            await changes.append(tx, "ImagingStudy", study["id"], study["patient"], facts)
    return True


async def _drawn(services: Services, place: Stored, frame: int) -> Picture | None:
    try:
        return await renderer_of(services).picture(place, frame=frame, most=SIDE_PIXELS)
    except Invalid:
        return None
