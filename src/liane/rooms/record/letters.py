"""What is in a letter, and which words around the ones searched for? (Pure.)"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liane.base.text import fold
from liane.rooms.record.events import words
from liane.rooms.record.observed import instant

Resource = Mapping[str, Any]

_TAG = re.compile(r"<[^>]{0,2000}>")
_SPACES = re.compile(r"\s+")
AROUND = 90
MOST_READ = 40_000


@dataclass(frozen=True, slots=True)
class Letter:
    """One document or report as a list shows it."""

    id: str
    type: str
    title: str
    kind: str
    at: datetime | None
    author: str
    status: str
    content_type: str
    blob: str
    size: int
    patient: str
    replaced_by: bool
    text: str


def letter_of(resource: Resource, patient: str) -> Letter:
    """A DocumentReference or DiagnosticReport as a letter."""
    first: Resource = next(iter(resource.get("content", ())), {})
    content: Resource = first.get("attachment", {})
    forms = [
        f for f in resource.get("presentedForm", ()) if str(f.get("url", "")).startswith("blob:")
    ]
    content = content or next(iter(forms), {})
    authors = [*resource.get("author", ()), *resource.get("performer", ())]
    kind = words(resource.get("type")) or words(resource.get("code"))
    url = str(content.get("url", ""))
    return Letter(
        id=str(resource["id"]),
        type=str(resource["resourceType"]),
        title=str(resource.get("description") or content.get("title") or kind),
        kind=kind,
        at=instant(resource.get("date"))
        or instant(resource.get("effectiveDateTime"))
        or instant(resource.get("issued"))
        or instant(content.get("creation")),
        author=", ".join(str(a["display"]) for a in authors if a.get("display")),
        status=str(resource.get("status", "")),
        content_type=str(content.get("contentType", "")).split(";")[0].strip().lower(),
        blob=url.removeprefix("blob:") if url.startswith("blob:") else "",
        size=int(content.get("size") or 0),
        patient=patient,
        replaced_by=resource.get("status") == "superseded",
        text=text_of(resource),
    )


def text_of(resource: Resource) -> str:
    """The readable words of a document: narrative, conclusion, notes, extracted text."""
    return _SPACES.sub(" ", " ".join(_texts(resource))).strip()


def _texts(resource: Resource) -> Iterator[str]:
    if resource.get("conclusion"):
        yield str(resource["conclusion"])
    for note in resource.get("note", ()):
        yield str(note.get("text", ""))
    division = str(resource.get("text", {}).get("div", ""))
    if division:
        yield html.unescape(_TAG.sub(" ", division))


def snippet(text: str, query: str) -> list[tuple[str, bool]]:
    """The words around the first one found: pieces of text, and whether each is a word searched.

    Accents and case are forgiven: folding keeps one character for one, so places are the same.
    """
    wanted = [word for word in fold(query.replace('"', " ").replace("-", " ")).split() if word]
    if not text or not wanted:
        return []
    pattern = re.compile(
        "|".join(re.escape(word) for word in sorted(wanted, key=len, reverse=True))
    )
    text = text[:MOST_READ]
    folded = "".join(fold(letter)[:1] or letter for letter in text)
    first = pattern.search(folded)
    start = max(0, (first.start() if first else 0) - AROUND)
    end = min(len(text), start + 3 * AROUND)
    pieces: list[tuple[str, bool]] = [("… ", False)] if start else []
    place = start
    for match in pattern.finditer(folded, start, end):
        if match.start() > place:
            pieces.append((text[place : match.start()], False))
        pieces.append((text[match.start() : match.end()], True))
        place = match.end()
    pieces.append((text[place:end] + (" …" if end < len(text) else ""), False))
    return pieces


def newest_first(letters: Sequence[Letter]) -> list[Letter]:
    """By date, undated last."""
    return sorted(letters, key=lambda one: one.at.timestamp() if one.at else 0.0, reverse=True)
