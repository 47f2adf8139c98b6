"""Does a text match a regular expression, however the expression was meant to hurt?

The expressions come from profiles and from callers. RE2 answers in time linear in the text; it
has no backward references and no looking around, which are refused.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.functions.registry import Table, eager
from liane.fhir.fhirpath.functions.strings import text_of
from liane.fhir.fhirpath.nodes import Items
from liane.fhir.fhirpath.scope import Scope

TABLE: Table = {}
LIMIT_PATTERN = 2_000
LIMIT_BYTES = 4_000_000


@lru_cache(maxsize=512)
def pattern(text: str) -> Any:
    """The compiled expression. Raises `Wrong` when it cannot be read or is too large."""
    options = re2.Options()
    options.max_mem = LIMIT_BYTES
    options.log_errors = False
    options.dot_nl = True
    if len(text) > LIMIT_PATTERN:
        raise Wrong(
            f"un motif de plus de {LIMIT_PATTERN} caractères",
            f"a pattern of more than {LIMIT_PATTERN} characters",
        )
    try:
        return re2.compile(text, options=options)
    except re2.error as problem:
        raise Wrong(
            f"motif « {text[:60]} » refusé ({problem})",
            f"pattern '{text[:60]}' refused ({problem})",
        ) from None


@eager(TABLE, "matches", 1)
def matches(scope: Scope, focus: Items, expression: Items) -> Items:
    """Whether a part of the text matches."""
    text, wanted = text_of(scope, focus), text_of(scope, expression)
    if text is None or wanted is None:
        return []
    return [pattern(wanted).search(text) is not None]


@eager(TABLE, "matchesFull", 1)
def matches_full(scope: Scope, focus: Items, expression: Items) -> Items:
    """Whether the whole text matches."""
    text, wanted = text_of(scope, focus), text_of(scope, expression)
    if text is None or wanted is None:
        return []
    return [pattern(wanted).fullmatch(text) is not None]


@eager(TABLE, "replaceMatches", 2)
def replace_matches(scope: Scope, focus: Items, expression: Items, new: Items) -> Items:
    """The text with every match replaced; `$1` and `${name}` stand for groups."""
    text, wanted, substitution = (
        text_of(scope, focus),
        text_of(scope, expression),
        text_of(scope, new),
    )
    if text is None or wanted is None or substitution is None:
        return []
    if not wanted:
        return [text]
    found = pattern(wanted)
    out: list[str] = []
    size = at = 0
    for match in found.finditer(text):
        piece = text[at : match.start()] + _substituted(match, substitution)
        at = match.end()
        out.append(piece)
        size += len(piece)
        scope.env.read(size)
    out.append(text[at:])
    return ["".join(out)]


def _substituted(match: Any, substitution: str) -> str:
    if "$" not in substitution:
        return substitution
    out: list[str] = []
    at = 0
    for group in _GROUP.finditer(substitution):
        out.append(substitution[at : group.start()])
        at = group.end()
        name = group.group(1) or group.group(2)
        try:
            out.append(match.group(int(name) if name.isdecimal() else name) or "")
        except (IndexError, KeyError, re2.error):
            raise Wrong(f"groupe « {name} » inconnu", f"unknown group '{name}'") from None
    return "".join([*out, substitution[at:]])


_GROUP = re2.compile(r"\$(?:(\d{1,2})|\{([A-Za-z0-9_]+)\})")
