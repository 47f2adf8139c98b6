"""How is a list of paths brought into the record, file by file, so that it can be repeated?

Each file is told apart by its digest: one that came in whole before is passed by. A file that was
interrupted is read again; what it had brought in is recognised by its own numbers and changes
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from liane.access.actor import SYSTEM
from liane.base.errors import LianeError, Unavailable
from liane.importing import cda_files, csv_files, fhir_files, loose_files
from liane.importing.dicom_files import DicomFiles
from liane.importing.hl7_files import Hl7Files
from liane.importing.house import House
from liane.importing.mapping import Mapping, read_mapping
from liane.importing.progress import Progress, silent
from liane.importing.recognising import Kind, content_of, files_below, head_of, is_gzip, kind_of
from liane.importing.report import Report, Tally
from liane.store.sql import queries
from liane.ui.services import Services

Q = queries("liane.importing", "ledger.sql")
CHUNK_BYTES = 1024 * 1024
_NO_MAPPING = b""
_MAPPED: frozenset[Kind] = frozenset({"csv", "pdf", "picture"})

_EXPECTED = frozenset(
    {".hl7", ".er7", ".json", ".ndjson", ".jsonl", ".gz", ".xml", ".ccda", ".dcm", ".pdf", ".csv"}
    | {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
)
"""Endings that promise a form we read: such a file that is not what it says is refused."""


async def import_paths(
    services: Services,
    paths: Sequence[Path],
    mapping: Path | None = None,
    progress: Progress = silent,
) -> Report:
    """Bring in everything below `paths`. Raises `NotFound` for a path that does not exist,
    `Invalid` for a mapping that cannot be read, `Unavailable` when the database is gone.
    """
    rules = read_mapping(mapping)
    house = House(services, SYSTEM("import"), rules)
    report = Report()
    files = files_below(paths)
    hl7, dicom = Hl7Files(house), DicomFiles(house)
    async with hl7, dicom:
        reader = _Reader(house, hl7, dicom)
        for done, path in enumerate(files):
            progress(done, len(files), path.name)
            await reader.bring(path, report)
    progress(len(files), len(files), "")
    return report


class _Reader:
    """Brings in one file after the other."""

    def __init__(self, house: House, hl7: Hl7Files, dicom: DicomFiles) -> None:
        self._house = house
        self._hl7 = hl7
        self._dicom = dicom

    async def bring(self, path: Path, report: Report) -> None:
        """One file; whatever is wrong with it is told in the report."""
        name = str(path)
        try:
            digest = _digest(path)
            head = head_of(path)
            if is_gzip(head):
                head = content_of(path)[:8192]
        except (LianeError, OSError) as problem:
            report.add(name, _unreadable(problem))
            return
        kind = kind_of(path.name, head)
        if kind == "unknown" and path.suffix.lower() not in _EXPECTED:
            report.files += 1
            report.unrecognised.append(name)
            return
        mapping = self._house.mapping.digest if kind in _MAPPED else _NO_MAPPING
        if await self._known(digest, mapping, report):
            return
        tally = Tally(kind)
        try:
            await self._read(path, kind, tally)
        except Unavailable:
            raise
        except (LianeError, OSError) as problem:
            tally.refuse("", _said(problem))
        report.add(name, tally)
        if not tally.refused:
            await self._remember(path, digest, mapping, tally)

    async def _read(self, path: Path, kind: Kind, tally: Tally) -> None:
        match kind:
            case "fhir":
                await fhir_files.bring_json(self._house, content_of(path), tally)
            case "ndjson":
                await fhir_files.bring_ndjson(self._house, content_of(path), tally)
            case "hl7v2":
                await self._hl7.bring(content_of(path), tally)
            case "dicom":
                await self._dicom.bring(path, tally)
            case "cda":
                await cda_files.bring(self._house, content_of(path), tally)
            case "pdf" | "picture":
                await loose_files.bring(self._house, path, kind, tally)
            case "csv":
                await csv_files.bring(self._house, path, content_of(path), tally)
            case "unknown":
                tally.refuse("", "forme de fichier non reconnue / file form not recognised")

    async def _known(self, digest: bytes, mapping: bytes, report: Report) -> bool:
        async with self._house.services.database.reading() as tx:
            row = await tx.fetchrow(Q["known"], tx.tenant, digest, mapping)
        if row is None:
            return False
        report.files += 1
        report.known_files += 1
        report.skipped += row["stored"] + row["skipped"]
        return True

    async def _remember(self, path: Path, digest: bytes, mapping: bytes, tally: Tally) -> None:
        async with self._house.services.database.transaction() as tx:
            await tx.execute(
                Q["keep"],
                tx.tenant,
                digest,
                mapping,
                path.name[:200],
                tally.kind,
                tally.stored.total(),
                tally.skipped,
                tx.now,
            )


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(CHUNK_BYTES):
            digest.update(part)
    return digest.digest()


def _said(problem: LianeError | OSError) -> str:
    return problem.fr if isinstance(problem, LianeError) else str(problem)


def _unreadable(problem: LianeError | OSError) -> Tally:
    tally = Tally("unknown")
    tally.refuse("", _said(problem))
    return tally


__all__ = ["Mapping", "import_paths"]
