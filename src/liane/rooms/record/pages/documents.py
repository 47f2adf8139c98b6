"""Where does a carer find and read letters and reports, and search the words inside them?"""

from __future__ import annotations

from typing import Any

import orjson
from litestar import Response

from liane.access import gate
from liane.access.permissions import Permission
from liane.base.errors import NotFound
from liane.base.text import fold
from liane.fhir.narrative import words as readable
from liane.rooms.record import reads
from liane.rooms.record.letters import Letter, letter_of, newest_first, snippet
from liane.rooms.record.pages.routes import chart_page, routes
from liane.rooms.record.pdf_sheets import Sheets
from liane.ui.identity import identity_of
from liane.ui.routing import Context

TYPES = ("DocumentReference", "DiagnosticReport")
MOST = 60
SHOWN_WHOLE_BYTES = 40 * 1024 * 1024
_sheets = Sheets()

_DOWNLOAD = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@routes.get(
    "/patients/{patient_id}/documents", permission=Permission.DOCUMENT_READ, patient="patient_id"
)
async def list_documents(context: Context, patient_id: str) -> Response[Any]:
    """Letters and reports, newest first; with `q`, those that hold these words."""
    query = context.query.get("q", "").strip()[:200]
    letters: list[tuple[Letter, list[tuple[str, bool]]]] = []
    if query:
        rows = await context.tx.fetch(
            reads.Q.search_documents,
            context.tx.tenant,
            patient_id,
            fold(query),
            list(TYPES),
            MOST,
        )
        for row in rows:
            resource = orjson.loads(row["body"])
            letter = letter_of(resource, patient_id)
            letters.append((letter, snippet(readable(resource), query)))
    else:
        found = await reads.resources_of(context.tx, patient_id, ("DocumentReference",), 200)
        letters = [
            (letter, [])
            for letter in newest_first(
                [letter_of(r, patient_id) for r in found["DocumentReference"]]
            )
        ]
    return await chart_page(
        context, patient_id, "documents", "record/documents.html", letters=letters, query=query
    )


@routes.get("/documents", permission=Permission.DOCUMENT_READ)
async def search_documents(context: Context) -> Response[Any]:
    """The same words over every patient this reader may see."""
    query = context.query.get("q", "").strip()[:200]
    found = await _found_everywhere(context, query) if query else []
    context.read_patients.extend(dict.fromkeys(letter.patient for letter, _, _ in found))
    return context.render("record/search.html", query=query, found=found, most=MOST)


async def _found_everywhere(
    context: Context, query: str
) -> list[tuple[Letter, list[tuple[str, bool]], Any]]:
    """Letters with these words among visible patients, each with its patient's identity."""
    tx = context.tx
    visible, arguments = gate.visible_patients_sql(context.actor, Permission.DOCUMENT_READ)
    rows = await tx.fetch(
        reads.Q.search_everywhere.replace("/* visible */", gate.place(visible, "r.patient", 5)),
        tx.tenant,
        fold(query),
        list(TYPES),
        MOST,
        *arguments,
    )
    found = []
    for row in rows:
        resource = orjson.loads(row["body"])
        letter = letter_of(resource, row["patient"])
        who = identity_of(orjson.loads(row["who"]))
        found.append((letter, snippet(readable(resource), query), who))
    return found


@routes.get(
    "/patients/{patient_id}/documents/{document_id}",
    permission=Permission.DOCUMENT_READ,
    patient="patient_id",
)
async def read_document(context: Context, patient_id: str, document_id: str) -> Response[Any]:
    """One letter, shown without running anything that is in it."""
    letter, resource = await _letter(context, patient_id, document_id)
    shown, pages, body = await _shown(context, letter)
    return await chart_page(
        context,
        patient_id,
        "documents",
        "record/document.html",
        letter=letter,
        shown=shown,
        pages=pages,
        body=body,
        resource=resource,
    )


async def _letter(context: Context, patient_id: str, document_id: str) -> tuple[Letter, Any]:
    for kind in TYPES:
        row = await context.tx.fetchrow(
            reads.Q.one, context.tx.tenant, patient_id, kind, document_id
        )
        if row is not None:
            resource = orjson.loads(row["body"])
            return letter_of(resource, patient_id), resource
    raise NotFound(
        "record.no-document",
        "Ce courrier n'existe pas dans le dossier de ce patient.",
        "There is no such letter in this patient's record.",
    )


async def _shown(context: Context, letter: Letter) -> tuple[str, int, str]:
    """How the letter is shown: `pages`, `html`, `text`, `picture`, `words` or `none`."""
    if not letter.blob:
        return ("words" if letter.text else "none"), 0, ""
    if letter.size > SHOWN_WHOLE_BYTES:
        return "none", 0, ""
    if letter.content_type in _PICTURES:
        return "picture", 0, ""
    content = await context.services.blobs.read(letter.blob)
    pdf = _pdf_of(context, letter, content)
    if pdf is not None:
        sheet = await _sheets.page(letter.blob, pdf, 1)
        return "pages", sheet.pages, ""
    head = content[:4000].lstrip(b"\xef\xbb\xbf \r\n\t")
    renders = context.services.render_cda
    if renders is not None and b"ClinicalDocument" in head:
        return "html", 0, renders(content, context.t)
    if letter.content_type.startswith("text/plain"):
        return "text", 0, content.decode("utf-8", "replace")
    return ("words" if letter.text else "none"), 0, ""


def _pdf_of(context: Context, letter: Letter, content: bytes) -> bytes | None:
    """The letter when it is a PDF, or the PDF that a CDA document consists of."""
    if content.startswith(b"%PDF") or letter.content_type == "application/pdf":
        return content
    inside = context.services.cda_pdf
    return inside(content) if inside is not None else None


@routes.get(
    "/patients/{patient_id}/documents/{document_id}/pages/{number}",
    permission=Permission.DOCUMENT_READ,
    patient="patient_id",
)
async def read_page(
    context: Context, patient_id: str, document_id: str, number: str
) -> Response[Any]:
    """One page of a PDF, as a picture drawn in a limited child process."""
    letter, _ = await _letter(context, patient_id, document_id)
    if not letter.blob or not number.isdigit():
        raise NotFound("record.no-page", "Cette page n'existe pas.", "There is no such page.")
    content = await context.services.blobs.read(letter.blob)
    pdf = _pdf_of(context, letter, content) or content
    sheet = await _sheets.page(letter.blob, pdf, int(number))
    return Response(
        sheet.png, media_type="image/png", headers={"Cache-Control": "private, max-age=600"}
    )


@routes.get(
    "/patients/{patient_id}/documents/{document_id}/file",
    permission=Permission.DOCUMENT_READ,
    patient="patient_id",
    action="download document",
)
async def download(context: Context, patient_id: str, document_id: str) -> Response[Any]:
    """The original bytes, as a download that the browser will not run."""
    letter, _ = await _letter(context, patient_id, document_id)
    if not letter.blob:
        raise NotFound(
            "record.no-file",
            "Ce courrier n'a pas de fichier d'origine.",
            "This letter has no original file.",
        )
    content = await context.services.blobs.read(letter.blob)
    picture = letter.content_type in _PICTURES
    ending = _ENDINGS.get(letter.content_type, "bin")
    disposition = "inline" if picture else f'attachment; filename="document-{letter.id}.{ending}"'
    return Response(
        content,
        media_type=letter.content_type if picture else "application/octet-stream",
        headers={**_DOWNLOAD, "Content-Disposition": disposition},
    )


_ENDINGS = {
    "application/pdf": "pdf",
    "text/xml": "xml",
    "application/xml": "xml",
    "application/hl7-v3+xml": "xml",
    "text/plain": "txt",
    "text/rtf": "rtf",
    "application/rtf": "rtf",
    "text/html": "html",
}
