"""Which documents does a message carry, and what is to be done with each?

MDM messages and ORU messages of the French document flows (CI-SIS transmission of CDA documents):
a first transmission, a replacement or a deletion, told by the event, ORC-1 and OBX-11 together.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from liane.base.errors import Invalid
from liane.base.text import visible
from liane.fhir.narrative import narrative
from liane.gateways.hl7v2.codec import Message, Segment
from liane.gateways.hl7v2.mapping import cda_facts, values
from liane.gateways.hl7v2.mapping.cda_facts import CdaFacts, master_value
from liane.gateways.hl7v2.mapping.datatypes import (
    Source,
    concept,
    fhir_datetime,
    fhir_instant,
    instant,
    professional,
    without_empty,
)
from liane.gateways.hl7v2.mapping.groups import Group, Result, groups, note_texts
from liane.gateways.hl7v2.mapping.results import (
    MAIL_SUBJECT,
    filler,
    is_document,
    is_metadata,
)
from liane.rooms.record import decoded_base64

Json = dict[str, Any]

DOCUMENT_KEY = "urn:liane:hl7v2:document"
RFC3986 = "urn:ietf:rfc:3986"
VISIBILITY = "urn:oid:1.2.250.1.213.1.1.4.13"
SHARING = "https://liane.example/fhir/document-sharing"
PARTICIPANT = "https://liane.example/fhir/document-participant"
MAX_DOCUMENT_BYTES = 32 * 1024 * 1024
_CONTENT_TYPES = {
    ("TEXT", "XML"): "text/xml",
    ("TEXT", "HTML"): "text/html",
    ("TEXT", "RTF"): "application/rtf",
    ("APPLICATION", "PDF"): "application/pdf",
    ("AP", "PDF"): "application/pdf",
    ("IMAGE", "JPEG"): "image/jpeg",
    ("IMAGE", "PNG"): "image/png",
    ("IMAGE", "TIFF"): "image/tiff",
}
_LABELS = {
    "MASQUE_PS": "MASQUE_PS",
    "INVISIBLE_PATIENT": "INVISIBLE_PATIENT",
    "INVISIBLE_REP_LEGAUX": "INVISIBLE_REPRESENTANTS_LEGAUX",
}


class Deed(StrEnum):
    """What a message asks to be done with a document."""

    FILE = "file"
    REPLACE = "replace"
    WITHDRAW = "withdraw"


@dataclass(slots=True)
class Document:
    """One document to file, with its bytes, or to withdraw."""

    deed: Deed
    resource: Json
    content: bytes
    content_type: str
    master: str
    replaces: str
    cda: CdaFacts | None


def deed_of(message: Message, group: Group, obx: Segment | None) -> Deed:
    """New, replacement or deletion: OBX-11 and ORC-1 decide before the event, because T04 means
    deletion in the French profile and a new version of the text in the base standard.
    """
    control = group.orc.get(1).upper() if group.orc is not None else ""
    status = obx.get(11).upper() if obx is not None else ""
    if status == "D" or control == "CA" or message.kind == "MDM^T11":
        return Deed.WITHDRAW
    if message.kind in {"MDM^T09", "MDM^T10"} or control == "RO":
        return Deed.REPLACE
    return Deed.FILE


def mdm_documents(message: Message, source: Source, received_at: datetime) -> list[Document]:
    """The documents of an MDM message (TXA and the OBX that follow it)."""
    txa = message.segment("TXA")
    if txa is None:
        raise Invalid(
            "hl7v2.no-txa",
            "Le message de document n'a pas de segment TXA.",
            "The document message has no TXA segment.",
            "Demandez à l'émetteur d'ajouter le segment TXA (numéro du document en TXA-12).",
            "Ask the sender to add the TXA segment (document number in TXA-12).",
        )
    found = groups(message)
    group = found[-1] if found else Group()
    files = [r for g in found for r in g.results if is_document(r.obx) and not is_metadata(r.obx)]
    number = document_number(txa, 12, source)
    parent = document_number(txa, 13, source)
    common = _card(message, found, txa, source, received_at)
    if files:
        return [
            _document(message, group, each, common, source, number if i == 0 else "", parent, i)
            for i, each in enumerate(files)
        ]
    text = _text_lines(found)
    deed = deed_of(message, group, None)
    master = number or _own_number(message, group, source, 0)
    resource = common | {"masterIdentifier": _master(master)}
    if text:
        resource["text"] = narrative(text)
    return [
        Document(deed, resource, text.encode(), "text/plain; charset=utf-8", master, parent, None)
    ]


def oru_documents(
    message: Message, group: Group, files: list[Result], source: Source, received_at: datetime
) -> list[Document]:
    """The documents among the results of one OBR (the N1 and N3 forms are two documents)."""
    common = _card(message, [group], None, source, received_at)
    return [
        _document(message, group, each, common, source, "", "", index)
        for index, each in enumerate(files)
    ]


def document_number(txa: Segment, number: int, source: Source) -> str:
    """TXA-12 or TXA-13: `ext^^root^ISO`, a bare OID, or a number of the sender's own."""
    ei = txa.first(number)
    value, root, kind = visible(ei.get(1)), ei.get(3), ei.get(4)
    if not value:
        return ""
    if kind == "ISO" and root:
        return master_value(root, value)
    if all(part.isalnum() for part in value.split(".")) and value.count(".") >= 3:
        return master_value(value, "")
    return f"{DOCUMENT_KEY}:{source.sender}|{value}"


def _own_number(message: Message, group: Group, source: Source, index: int) -> str:
    code = visible(group.obr.get(4)) if group.obr is not None else ""
    order = filler(group, message, source, 1)
    return f"{DOCUMENT_KEY}:{order}|{code}|{index}"


def _master(value: str) -> Json:
    return {"system": RFC3986, "value": value}


def _document(
    message: Message,
    group: Group,
    result: Result,
    common: Json,
    source: Source,
    number: str,
    parent: str,
    index: int,
) -> Document:
    content, content_type = content_of(result.obx)
    facts = cda_facts.read(content) if "xml" in content_type else None
    if facts is None and content_type == "text/xml" and not content.lstrip().startswith(b"<"):
        content_type = "text/plain"
    known = facts.unique_id if facts else ""
    master = number or known or _own_number(message, group, source, index)
    resource = common | {"masterIdentifier": _master(master)}
    kind = concept(result.obx.first(3), source) or common.get("type")
    resource |= without_empty({"type": kind})
    if facts is not None:
        resource |= _from_cda(facts, master)
    elif content_type.startswith("text/plain"):
        resource["text"] = narrative(content.decode("utf-8", "replace"))
    deed = deed_of(message, group, result.obx)
    replaces = parent or (facts.replaces if facts else "")
    return Document(deed, resource, content, content_type, master, replaces, facts)


def content_of(obx: Segment) -> tuple[bytes, str]:
    """The bytes of an ED value: `source^type^subtype^encoding^data`."""
    ed = obx.first(5)
    kind, subtype, encoding = (ed.get(n).upper() for n in (2, 3, 4))
    content_type = _CONTENT_TYPES.get((kind, subtype))
    if content_type is None:
        content_type = "text/plain" if kind in {"TEXT", "TX", ""} else "application/octet-stream"
    if encoding == "BASE64":
        content = decoded_base64(_padded(ed.raw(5)), MAX_DOCUMENT_BYTES)
    elif encoding == "HEX":
        content = _from_hexadecimal(ed.raw(5))
    else:
        content = ed.get(5).encode()
    if content.startswith(b"%PDF-"):
        content_type = "application/pdf"
    return content, content_type


def _padded(text: str) -> str:
    """Base64 with the final signs that some senders leave out."""
    compact = "".join(text.split()).rstrip("=")
    return compact + "=" * (-len(compact) % 4)


def _from_hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Invalid(
            "hl7v2.document-damaged",
            "Le document joint n'est pas lisible (codage hexadécimal abîmé).",
            "The attached document cannot be read (damaged hexadecimal).",
            "Demandez à l'émetteur de renvoyer le document.",
            "Ask the sender to send the document again.",
        ) from error


def _from_cda(facts: CdaFacts, master: str) -> Json:
    told: Json = {"date": facts.created, "description": facts.title}
    if facts.unique_id and facts.unique_id != master:
        told["identifier"] = [_master(facts.unique_id)]
    if facts.text:
        told["text"] = narrative(facts.text)
    return without_empty(told)


def _text_lines(found: list[Group]) -> str:
    lines = [values.text_of(r.obx) for g in found for r in g.results if not is_metadata(r.obx)]
    notes = [text for g in found for text in note_texts(g.notes)]
    return "\n".join([*lines, *notes]).strip()


def _card(
    message: Message,
    found: list[Group],
    txa: Segment | None,
    source: Source,
    received_at: datetime,
) -> Json:
    """What the message says of its documents, whatever their bytes."""
    said_at = instant(message.header.get(7)) or received_at
    obr = next((g.obr for g in found if g.obr is not None), None)
    kind = concept(txa.first(2), source) if txa is not None else None
    title = concept(obr.first(4), source) if obr is not None else None
    label_text = (title or kind or {}).get("text", "")
    results = [r for g in found for r in g.results]
    return without_empty(
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "docStatus": _doc_status(txa),
            "type": title if title and "coding" in title else kind,
            "description": label_text,
            "date": (fhir_datetime(txa.get(4)) if txa is not None else None)
            or fhir_instant(said_at),
            "author": list(_authors(txa, results, source)),
            "securityLabel": list(_labels(results)),
            "extension": [*_sharing(results), *_participants(results)],
        }
    )


def _doc_status(txa: Segment | None) -> str | None:
    if txa is None:
        return None
    return {"LA": "final", "AU": "final", "DO": "final", "PA": "preliminary", "DI": "preliminary",
            "IP": "preliminary", "IN": "preliminary"}.get(txa.get(17).upper())  # fmt: skip


def _authors(txa: Segment | None, results: list[Result], source: Source) -> Iterator[Json]:
    seen = set()
    people = [txa.first(n) for n in (9, 22, 5)] if txa is not None else []
    people += [p.first(5) for r in results for p in r.participations if p.get(4) == "SB"]
    for xcn in people:
        found = professional(xcn, source)
        number = (found or {}).get("identifier", {}).get("value") or (found or {}).get("display")
        if found and number not in seen:
            seen.add(number)
            yield found


def _labels(results: list[Result]) -> Iterator[Json]:
    """Who must not see the document (DMP visibility), as security labels."""
    for result in results:
        code = _LABELS.get(result.obx.get(3))
        if code and result.obx.get(5).upper() == "Y":
            yield {"coding": [{"system": VISIBILITY, "code": code}]}


def _sharing(results: list[Result]) -> Iterator[Json]:
    """The other wishes of the sender: DMP, MSSanté recipients, receipts, words of the mail."""
    inner: list[Json] = []
    for result in results:
        name = visible(result.obx.get(3))
        if not is_metadata(result.obx) or name in _LABELS:
            continue
        if result.obx.get(3, 2).startswith(MAIL_SUBJECT):
            subject = visible(result.obx.get(3, 2))
            inner.append({"url": "SUJET_COURRIEL", "valueString": subject})
            inner.append({"url": "CORPS_COURRIEL", "valueString": _mail_words(result.obx)})
        elif is_document(result.obx):
            inner.append({"url": name, "valueString": _mail_words(result.obx)})
        elif result.obx.get(5).upper() in {"Y", "N"}:
            inner.append({"url": name, "valueBoolean": result.obx.get(5).upper() == "Y"})
    if inner:
        yield {"url": SHARING, "extension": inner}


def _mail_words(obx: Segment) -> str:
    raw = obx.first(5).raw(5)
    padded = "".join(raw.split()) + "=="
    try:
        return visible(base64.b64decode(padded).decode("utf-8", "replace"))[:4000] or raw[:100]
    except ValueError:
        return visible(raw)[:4000]


def _participants(results: list[Result]) -> Iterator[Json]:
    """PRT: who sends, who receives, to which address an answer goes."""
    for result in results:
        for prt in result.participations:
            role, person, place = visible(prt.get(4)), prt.first(5), prt.first(8)
            name = " ".join(p for n in (3, 2) if (p := visible(person.get(n))))
            address = next((visible(x.get(4)) for x in prt.repetitions(15) if x.get(4)), "")
            inner: list[Json] = [
                {"url": "role", "valueCode": role},
                {"url": "name", "valueString": name or visible(place.get(1))},
                {"url": "address", "valueString": address},
            ]
            told = [each for each in inner if any(v for k, v in each.items() if k != "url")]
            if len(told) > 1:
                yield {"url": PARTICIPANT, "extension": told}
