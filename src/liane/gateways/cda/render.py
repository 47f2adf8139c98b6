"""How does a CDA document look to a reader, when nothing of it may run or load anything?

Our own rendering: only text, tables, lists and pictures that stand inside the document. No style
sheet, script, link, colour or address of the document reaches the browser.
"""

from __future__ import annotations

from html import escape

from lxml.etree import _Element as Element

from liane.base.errors import LianeError
from liane.gateways.cda.codec import NS, ClinicalDocument, parse, spaced
from liane.gateways.cda.narrative import Narrative
from liane.gateways.cda.pictures import pictures_of

LIMIT_SECTION_DEPTH = 20


def to_html(data: bytes) -> str:
    """The document as an HTML fragment. A document that cannot be read is said to be so."""
    try:
        document = parse(data)
    except LianeError as problem:
        return f'<p class="cda-unreadable">{escape(problem.fr)}</p>'
    return document_html(document)


def embedded_pdf(data: bytes) -> bytes | None:
    """The PDF that is the whole body of a document (CI-SIS level 1), or None."""
    if b"nonXMLBody" not in data:
        return None
    try:
        attachment = parse(data).attachment
    except LianeError:
        return None
    if attachment is None or not attachment[1].startswith(b"%PDF"):
        return None
    return attachment[1]


def document_html(document: ClinicalDocument) -> str:
    """The header as a list of facts, then the body."""
    return (
        '<article class="cda">'
        f'<header class="cda-header"><h3>{escape(_title(document))}</h3>{_facts(document)}</header>'
        f"{_body(document)}</article>"
    )


def _title(document: ClinicalDocument) -> str:
    return document.title or (document.code.display if document.code else "") or "Document CDA"


def _facts(document: ClinicalDocument) -> str:
    rows: list[tuple[str, str]] = []
    for patient in document.patients:
        born = f", né(e) le {_day(patient.birth)}" if patient.birth else ""
        rows.append(("Patient", f"{_patient_name(document)}{born}"))
        numbers = ", ".join(one.extension for one in patient.identifiers)
        if numbers:
            rows.append(("Identifiants", numbers))
    if document.created:
        rows.append(("Date", _day(document.created)))
    start, end = document.serviced
    if start:
        rows.append(("Acte", _day(start) + (f" au {_day(end)}" if end else "")))
    rows += [
        ("Auteur", ", ".join(part for part in (author.name, author.organization) if part))
        for author in document.authors
    ]
    if document.custodian:
        rows.append(("Conservé par", document.custodian))
    shown = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
        for label, value in rows
        if value
    )
    return f'<dl class="cda-facts">{shown}</dl>'


def _patient_name(document: ClinicalDocument) -> str:
    name = document.patients[0].name
    birth = " ".join(part for part in (name.family, name.given) if part)
    used = " ".join(part for part in (name.used_family, name.used_given) if part)
    return f"{birth} (utilisé : {used})" if used and used != birth else birth


def _day(text: str) -> str:
    day = "/".join(reversed(text[:10].split("-")))
    return f"{day} {text[11:16]}" if len(text) > 10 else day


def _body(document: ClinicalDocument) -> str:
    if document.attachment is not None:
        return _attached(*document.attachment)
    body = document.root.find(f"{NS}component/{NS}structuredBody")
    if body is None:
        return '<p class="cda-empty">Ce document n’a pas de corps.</p>'
    return "".join(_section(section, 1) for section in body.iterfind(f"{NS}component/{NS}section"))


def _attached(media: str, content: bytes) -> str:
    if media.startswith("text/plain") or (media == "text/html" and not content):
        words = escape(content.decode("utf-8", "replace"))
        return f'<div class="cda-plain"><pre>{words}</pre></div>'
    kind = {"application/pdf": "PDF", "text/rtf": "RTF", "text/html": "HTML"}.get(
        media, spaced(media)[:60]
    )
    size = max(1, len(content) // 1024)
    return (
        f'<p class="cda-attached">Le corps de ce document est un fichier {escape(kind)} '
        f"({size} Ko), à ouvrir depuis les pièces du document.</p>"
    )


def _section(section: Element, depth: int) -> str:
    if depth > LIMIT_SECTION_DEPTH:
        return ""
    title = section.find(f"{NS}title")
    heading = "" if title is None else spaced("".join(str(t) for t in title.itertext()))
    level = min(depth + 3, 6)
    shown = f"<h{level}>{escape(heading)}</h{level}>" if heading else ""
    text = section.find(f"{NS}text")
    told = "" if text is None else Narrative(pictures_of(section)).html(text)
    inner = "".join(
        _section(below, depth + 1) for below in section.iterfind(f"{NS}component/{NS}section")
    )
    return f'<section class="cda-section">{shown}{told}{inner}</section>'
