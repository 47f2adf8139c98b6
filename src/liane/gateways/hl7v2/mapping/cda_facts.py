"""Which document is this CDA, whom does it speak of, and which one does it replace?

Only the few header facts that filing needs (CDA R2 header; CI-SIS). The whole document is stored
as it came and shown by the CDA gateway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from liane.base.errors import LianeError
from liane.base.safe_xml import parse
from liane.base.text import visible
from liane.gateways.hl7v2.mapping.datatypes import fhir_datetime

_NS = "{urn:hl7-org:v3}"
MAX_CDA_BYTES = 32 * 1024 * 1024
MAX_TEXT_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class CdaFacts:
    """The header facts of one document."""

    unique_id: str
    title: str
    created: str | None
    code: str
    code_text: str
    set_id: str
    replaces: str
    patient_numbers: tuple[tuple[str, str], ...]
    """(root OID, extension) of each recordTarget id."""
    text: str
    """The words of the body, for search; empty for a scanned document."""


def master_value(root: str, extension: str) -> str:
    """A document's unique identifier: `urn:oid:root`, or `urn:oid:root^extension`."""
    root = root.removeprefix("urn:oid:")
    return f"urn:oid:{root}^{extension}" if extension else f"urn:oid:{root}"


def looks_like_cda(data: bytes) -> bool:
    """Whether the bytes begin like an XML ClinicalDocument."""
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and b"ClinicalDocument" in head


def read(data: bytes) -> CdaFacts | None:
    """The facts of a CDA document; None when it is not one or cannot be read safely."""
    if not looks_like_cda(data):
        return None
    try:
        root = parse(data, limit_bytes=MAX_CDA_BYTES)
    except LianeError:
        return None
    if root.tag != f"{_NS}ClinicalDocument":
        return None
    code = root.find(f"{_NS}code")
    return CdaFacts(
        unique_id=_instance(root.find(f"{_NS}id")),
        title=visible(root.findtext(f"{_NS}title") or "").strip()[:300],
        created=fhir_datetime(_attribute(root.find(f"{_NS}effectiveTime"), "value")),
        code=_attribute(code, "code"),
        code_text=visible(_attribute(code, "displayName")),
        set_id=_instance(root.find(f"{_NS}setId")),
        replaces=_parent(root),
        patient_numbers=tuple(_patient_numbers(root)),
        text=_words(root),
    )


def _attribute(element: Any, name: str) -> str:
    return "" if element is None else str(element.get(name) or "")


def _instance(element: Any) -> str:
    root = _attribute(element, "root")
    return master_value(root, _attribute(element, "extension")) if root else ""


def _parent(root: Any) -> str:
    for related in root.iterfind(f"{_NS}relatedDocument"):
        if related.get("typeCode") == "RPLC":
            return _instance(related.find(f"{_NS}parentDocument/{_NS}id"))
    return ""


def _patient_numbers(root: Any) -> Iterator[tuple[str, str]]:
    for element in root.iterfind(f"{_NS}recordTarget/{_NS}patientRole/{_NS}id"):
        if element.get("root") and element.get("extension"):
            yield str(element.get("root")), str(element.get("extension"))


def _words(root: Any) -> str:
    body = root.find(f"{_NS}component/{_NS}structuredBody")
    if body is None:
        return ""
    sections = body.iter(f"{_NS}title", f"{_NS}text")
    pieces = [" ".join("".join(section.itertext()).split()) for section in sections]
    text = "\n".join(piece for piece in pieces if piece)
    return re.sub(r"\n{2,}", "\n", visible(text))[:MAX_TEXT_CHARS]
