"""How is CIM-10 read: the file of ATIH, ClaML, or a plain list of codes and labels?

Codes are kept with their point (`A00.0`), the form of CDA and FHIR; the form of PMSI, without
it, is another word of the concept, so that both find it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from liane.base import safe_xml
from liane.base.errors import Invalid
from liane.importing.recognising import content_of
from liane.importing.terminology.nomenclature import (
    Builder,
    Edition,
    Found,
    rows_of,
    text_of,
    unreadable,
)
from liane.store.terminology.concepts import Designation, Header

URL = "http://hl7.org/fhir/sid/icd-10"
_CODE = re.compile(r"[A-Z][0-9]{2}[0-9A-Z.+-]{0,8}")
_DOCTYPE = re.compile(rb"<!DOCTYPE\s+ClaML[^\[>]{0,300}>")
_PMSI = {"text": "PMSI"}
_LABEL = "{http://www.w3.org/XML/1998/namespace}lang"
LIMIT_BYTES = 256 * 1024 * 1024


def read(paths: list[Path], edition: Edition) -> Found:
    """The classification in the first file that holds one."""
    found = Found()
    for path in paths:
        start = content_of(path)[:4096].lstrip(b"\xef\xbb\xbf \r\n\t")
        header = Header(
            edition.url or URL,
            edition.version,
            title="CIM-10",
            hierarchy="is-a",
            source="OMS, ATIH",
        )
        builder = Builder(header)
        if start.startswith(b"<"):
            _claml(path, builder, edition)
        elif start.startswith(b"["):
            _pairs(path, builder, found)
        else:
            _table(path, builder, found)
        if not builder.content.concepts:
            raise unreadable(path, "un fichier CIM-10", "a CIM-10 file")
        found.systems.append(builder.content)
    return found


def dotted(code: str) -> str:
    """`A000` as `A00.0`; a code of three signs or with its point stays."""
    code = code.strip().upper()
    return code if len(code) <= 3 or "." in code else f"{code[:3]}.{code[3:]}"


def _add(builder: Builder, code: str, label: str, said: list[tuple[str, str, Any]]) -> None:
    point = dotted(code)
    flat = point.replace(".", "")
    words = [Designation(flat, "", _PMSI)] if flat != point else []
    builder.add(point, label, designations=words, said=said)


def _place(builder: Builder) -> None:
    """Under each code, those that continue it: A00 holds A00.0, Z99.1 holds Z99.1+0."""
    for concept in list(builder.content.concepts):
        for end in range(len(concept.code) - 1, 2, -1):
            shorter = concept.code[:end].rstrip(".+-")
            if shorter != concept.code and builder.has(shorter):
                builder.below(concept.code, shorter)
                break


def _pairs(path: Path, builder: Builder, found: Found) -> None:
    try:
        entries = json.loads(text_of(path))
    except ValueError:
        raise unreadable(path, "une liste JSON de codes", "a JSON list of codes") from None
    for number, entry in enumerate(entries, 1):
        if not (isinstance(entry, list) and len(entry) >= 2 and _CODE.fullmatch(str(entry[0]))):
            found.refuse(
                f"{path.name}, {number}", "code et libellé attendus / code, label expected"
            )
            continue
        _add(builder, str(entry[0]), str(entry[1]).strip(), [])
    _place(builder)


def _table(path: Path, builder: Builder, found: Found) -> None:
    """ATIH: code, use in MCO, SSR and psychiatry, short label, long label."""
    first = text_of(path)[:2000].splitlines()[:1]
    line = first[0] if first else ""
    delimiter = next((sign for sign in "|;\t," if line.count(sign) >= 2), ",")
    for number, row in rows_of(path, delimiter):
        cells = [cell.strip() for cell in row]
        if number == 1 and not _CODE.fullmatch(cells[0]):
            continue
        if len(cells) < 2 or not _CODE.fullmatch(cells[0]):
            found.refuse(f"{path.name}, {number}", "code attendu / code expected")
            continue
        said = [
            (name, "Code", cells[place])
            for place, name in ((1, "mco"), (2, "ssr"), (3, "psy"))
            if len(cells) >= 6 and cells[place]
        ]
        _add(builder, cells[0], cells[-1], said)
    _place(builder)


def _claml(path: Path, builder: Builder, edition: Edition) -> None:
    """The exchange form of the WHO (EN ISO 13120)."""
    # Real files name their DTD by address; it is neither needed nor fetched.
    data = _DOCTYPE.sub(b"", content_of(path), count=1)
    root = safe_xml.parse(data, limit_bytes=LIMIT_BYTES)
    if root.tag != "ClaML":
        raise unreadable(path, "du ClaML", "ClaML")
    title = root.find("Title")
    if title is not None and not edition.version:
        named = str(title.get("version") or title.get("date") or "")
        old = builder.content.header
        builder.content.header = Header(
            old.url, named, title=old.title, hierarchy=old.hierarchy, source=old.source
        )
    parents: list[tuple[str, str]] = []
    for one in root.iter("Class"):
        code = str(one.get("code", ""))
        if not code:
            raise Invalid(
                "terminology.file",
                f"{path.name} : une classe n’a pas de code.",
                f"{path.name}: a class has no code.",
            )
        builder.add(
            code,
            _rubric(one, "preferred"),
            definition=_rubric(one, "definition"),
            designations=[
                Designation(text, "", {"text": "inclusion"}) for text in _rubrics(one, "inclusion")
            ],
            said=[("kind", "Code", str(one.get("kind", "")))],
            abstract=one.get("kind") in ("chapter", "block"),
        )
        parents += [(code, str(above.get("code", ""))) for above in one.iter("SuperClass")]
    for code, above in parents:
        builder.below(code, above)


def _rubric(one: Any, kind: str) -> str:
    return next(iter(_rubrics(one, kind)), "")


def _rubrics(one: Any, kind: str) -> list[str]:
    found = []
    for rubric in one.iter("Rubric"):
        if rubric.get("kind") == kind:
            for label in rubric.iter("Label"):
                text = " ".join("".join(label.itertext()).split())
                if text:
                    found.append(text[:1000])
                break
    return found
