"""Which words would a person read in a resource, for the search inside letters and reports?"""

from __future__ import annotations

import html
import re
from typing import Any

from liane.base.text import visible

_READABLE = frozenset(
    {
        "authorString", "clinicalInformation", "comment", "conclusion", "content", "description",
        "details", "display", "instruction", "name", "note", "patientInstruction", "summary",
        "text", "title", "valueString", "valueMarkdown", "div",
    }
)  # fmt: skip
_TAG = re.compile(r"<[^>]{0,4000}>")
_BLANKS = re.compile(r"\s+")
_LIMIT_CHARACTERS = 500_000
LONGEST_NARRATIVE = 200_000
"""Characters of the words of a document kept beside it."""


def words(resource: dict[str, Any]) -> str:
    """Narrative, displays, titles, notes and text values, each once, in the order they stand."""
    found: dict[str, None] = {}
    _gather(resource, found)
    return "\n".join(found)[:_LIMIT_CHARACTERS]


def plain_text(xhtml: str) -> str:
    """The text of a piece of XHTML, tags removed and entities resolved."""
    return _BLANKS.sub(" ", html.unescape(_TAG.sub(" ", xhtml))).strip()


def _gather(node: dict[str, Any], found: dict[str, None]) -> None:
    for key, value in node.items():
        if isinstance(value, str):
            if key in _READABLE:
                found[plain_text(value) if key == "div" else value] = None
        elif isinstance(value, dict):
            _gather(value, found)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    _gather(item, found)
                elif isinstance(item, str) and key in _READABLE:
                    found[item] = None


def narrative(text: str) -> dict[str, str]:
    """Words for readers and for search, as an inert narrative (every sign escaped)."""
    readable = html.escape(visible(text)[:LONGEST_NARRATIVE], quote=False)
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{readable}</p></div>'
    return {"status": "generated", "div": div}
