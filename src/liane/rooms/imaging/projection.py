"""How does the index of images learn that an examination changed hands?

A merge of two identities, or its undoing, moves ImagingStudy resources; the index follows in the
same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from liane.store import Tx
from liane.store.resources import Version
from liane.store.sql import queries

Q = queries("liane.rooms.imaging", "filing.sql")


async def project(tx: Tx, versions: Sequence[Version]) -> None:
    """Keep the patient of each examination as its resource says; other types are passed over."""
    ids: list[str] = []
    patients: list[str] = []
    for version in versions:
        if version.type != "ImagingStudy" or version.deleted:
            continue
        subject = version.resource.get("subject") or {}
        patient = str(subject.get("reference", "")).removeprefix("Patient/")
        if patient:
            ids.append(version.id)
            patients.append(patient)
    if ids:
        await tx.execute(Q["moved"], tx.tenant, ids, patients)
