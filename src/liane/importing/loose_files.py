"""How do PDF files and scans come in, when only their name or a list tells whose they are?"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from liane.base.errors import Invalid
from liane.base.ids import stable_id
from liane.base.text import visible
from liane.fhir.dates import ZONE
from liane.fhir.narrative import narrative
from liane.importing.house import RFC3986, House, known_patient, present
from liane.importing.mapping import PdfRule
from liane.importing.report import Tally
from liane.importing.words import words_of
from liane.rooms import record
from liane.rooms.patients import Identifier
from liane.store.resources import read
from liane.store.versions import instant

LIMIT_BYTES = 256 * 1024 * 1024
_TYPES = {
    b"%PDF-": "application/pdf",
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
}


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a document beside its bytes."""

    patient: str
    title: str
    date: date | None = None
    number: str = ""
    type: str = ""


async def bring(house: House, path: Path, _kind: str, tally: Tally) -> None:
    """One file whose name tells whose it is."""
    rule = house.mapping.pdf
    if rule is None:
        tally.refuse("", "un PDF ou une image a besoin d’un fichier de correspondance ([pdf])")
        return
    await file_one(house, path, _card(rule, path), tally)


def _card(rule: PdfRule, path: Path) -> Card:
    match = rule.pattern.fullmatch(path.stem)
    if match is None:
        raise Invalid(
            "import.pdf-name",
            "le nom du fichier ne suit pas pdf.pattern",
            "the file name does not follow pdf.pattern",
        )
    told = match.groupdict()
    return Card(
        patient=told["patient"] or "",
        title=visible((told.get("title") or rule.title).replace("_", " ")).strip(),
        date=_day(rule, told.get("date")),
        number=told.get("number") or "",
        type=rule.type,
    )


def _day(rule: PdfRule, text: str | None) -> date | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, rule.date_form).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Invalid(
            "import.pdf-date", f"date illisible : {text[:30]}", f"unreadable date: {text[:30]}"
        ) from None


async def file_one(house: House, path: Path, card: Card, tally: Tally) -> None:
    """File one document. Raises `NotFound` when nobody has the number, `Invalid` for the bytes."""
    content = await asyncio.to_thread(_content, path)
    content_type = _type_of(content)
    master = f"urn:sha256:{hashlib.sha256(content).hexdigest()}"
    if card.number:
        master = f"urn:liane:import:{house.mapping.identifier_system}|{card.number}"
    number = Identifier(
        house.mapping.identifier_system, card.patient, house.mapping.identifier_type
    )
    async with house.services.database.reading() as tx:
        patient = await known_patient(tx, [number])
        id_ = stable_id("DocumentReference", patient, master)
        known = await read(tx, "DocumentReference", id_)
    if known is not None and not known.deleted:
        tally.skipped += 1
        return
    text = await asyncio.to_thread(words_of, content, content_type, scans=house.mapping.ocr)
    async with house.services.database.transaction() as tx:
        await record.file_document(
            tx,
            house.actor,
            house.services.blobs,
            patient,
            _resource(card, master, text),
            content,
            content_type,
            reason="import",
        )
    tally.stored["document"] += 1


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise Invalid("import.too-large", "fichier trop volumineux", "file too large")
        return path.read_bytes()
    except OSError as problem:
        raise Invalid(
            "import.unreadable", f"fichier illisible ({problem})", f"unreadable file ({problem})"
        ) from None


def _type_of(content: bytes) -> str:
    for start, kind in _TYPES.items():
        if content.startswith(start):
            return kind
    raise Invalid("import.kind", "ni PDF, ni image", "neither a PDF nor a picture")


def _resource(card: Card, master: str, text: str) -> dict[str, Any]:
    at = None
    if card.date is not None:
        noon = datetime(card.date.year, card.date.month, card.date.day, 12, tzinfo=ZONE)
        at = instant(noon.astimezone(UTC))
    loinc = [{"system": "http://loinc.org", "code": card.type}] if card.type else None
    return present(
        {
            "resourceType": "DocumentReference",
            "masterIdentifier": {"system": RFC3986, "value": master},
            "status": "current",
            "type": present({"coding": loinc, "text": card.title}),
            "description": card.title,
            "date": at,
            "text": narrative(text) if text else None,
        }
    )
