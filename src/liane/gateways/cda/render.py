"""How does a CDA document look to a reader, when nothing of it may run or load anything?

Our own rendering: only text, tables, lists and pictures that stand inside the document. No style
sheet, script, link, colour or address of the document reaches the browser.
"""

from __future__ import annotations

from html import escape

from lxml.etree import _Element as Element

from liane.base.errors import LianeError
from liane.base.i18n import Translator
from liane.gateways.cda.codec import NS, ClinicalDocument, Patient, parse, spaced
from liane.gateways.cda.narrative import Narrative
from liane.gateways.cda.pictures import pictures_of

LIMIT_SECTION_DEPTH = 20


def to_html(data: bytes, t: Translator) -> str:
    """The document as an HTML fragment. A document that cannot be read is said to be so."""
    try:
        document = parse(data)
    except LianeError as problem:
        return f'<p class="cda-unreadable">{escape(problem.message(t.language))}</p>'
    return document_html(document, t)


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


def document_html(document: ClinicalDocument, t: Translator) -> str:
    """The header as a list of facts, then the body."""
    title = f"<h3>{escape(_title(document, t))}</h3>"
    header = f'<header class="cda-header">{title}{_facts(document, t)}</header>'
    return f'<article class="cda">{header}{_body(document, t)}</article>'


def _title(document: ClinicalDocument, t: Translator) -> str:
    kind = document.code.display if document.code else ""
    return document.title or kind or t("cda.document")


def _facts(document: ClinicalDocument, t: Translator) -> str:
    rows: list[tuple[str, str]] = []
    for patient in document.patients:
        name = _patient_name(patient, t)
        if patient.birth:
            name = t("cda.born", name=name, day=_day(patient.birth))
        rows.append((t("cda.patient"), name))
        numbers = ", ".join(one.extension for one in patient.identifiers)
        if numbers:
            rows.append((t("cda.identifiers"), numbers))
    if document.created:
        rows.append((t("cda.date"), _day(document.created)))
    start, end = document.serviced
    if start:
        told = t("cda.period", start=_day(start), end=_day(end)) if end else _day(start)
        rows.append((t("cda.act"), told))
    rows += [
        (t("cda.author"), ", ".join(part for part in (author.name, author.organization) if part))
        for author in document.authors
    ]
    if document.custodian:
        rows.append((t("cda.custodian"), document.custodian))
    shown = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
        for label, value in rows
        if value
    )
    return f'<dl class="cda-facts">{shown}</dl>'


def _patient_name(patient: Patient, t: Translator) -> str:
    name = patient.name
    birth = " ".join(part for part in (name.family, name.given) if part)
    used = " ".join(part for part in (name.used_family, name.used_given) if part)
    return t("cda.used", name=birth, used=used) if used and used != birth else birth


def _day(text: str) -> str:
    day = "/".join(reversed(text[:10].split("-")))
    return f"{day} {text[11:16]}" if len(text) > 10 else day


def _body(document: ClinicalDocument, t: Translator) -> str:
    if document.attachment is not None:
        return _attached(*document.attachment, t)
    body = document.root.find(f"{NS}component/{NS}structuredBody")
    if body is None:
        return f'<p class="cda-empty">{escape(t("cda.empty"))}</p>'
    return "".join(
        _section(section, 1, t) for section in body.iterfind(f"{NS}component/{NS}section")
    )


def _attached(media: str, content: bytes, t: Translator) -> str:
    if media.startswith("text/plain") or (media == "text/html" and not content):
        words = escape(content.decode("utf-8", "replace"))
        return f'<div class="cda-plain"><pre>{words}</pre></div>'
    kind = {"application/pdf": "PDF", "text/rtf": "RTF", "text/html": "HTML"}.get(
        media, spaced(media)[:60]
    )
    size = max(1, len(content) // 1024)
    told = t("cda.attached", kind=kind, size=size)
    return f'<p class="cda-attached">{escape(told)}</p>'


def _section(section: Element, depth: int, t: Translator) -> str:
    if depth > LIMIT_SECTION_DEPTH:
        return ""
    title = section.find(f"{NS}title")
    heading = "" if title is None else spaced("".join(str(t) for t in title.itertext()))
    level = min(depth + 3, 6)
    shown = f"<h{level}>{escape(heading)}</h{level}>" if heading else ""
    text = section.find(f"{NS}text")
    told = "" if text is None else Narrative(pictures_of(section), t).html(text)
    inner = "".join(
        _section(below, depth + 1, t) for below in section.iterfind(f"{NS}component/{NS}section")
    )
    return f'<section class="cda-section">{shown}{told}{inner}</section>'
