"""What do the functions over texts answer? (FHIRPath N1, section 5.6)"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re

from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.functions.registry import Table, eager
from liane.fhir.fhirpath.nodes import Items, type_name
from liane.fhir.fhirpath.scope import Scope, single

TABLE: Table = {}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def text_of(scope: Scope, items: Items) -> str | None:
    """The only item as a text, None when there is none. Raises `Wrong` for anything else."""
    value = single(items)
    if value is None:
        return None
    if type(value) is str:
        scope.env.read(len(value))
        return value
    shown = type_name(items[0])[1]
    raise Wrong(f"un texte est attendu, pas {shown}", f"a text is expected, not {shown}")


def integer_of(items: Items) -> int | None:
    """The only item as an integer; None when there is none."""
    value = single(items)
    if value is None or type(value) is int:
        return value
    raise Wrong("un entier est attendu", "an integer is expected")


@eager(TABLE, "indexOf", 1)
def index_of(scope: Scope, focus: Items, part: Items) -> Items:
    """Where `part` begins, -1 when it is not there."""
    text, wanted = text_of(scope, focus), text_of(scope, part)
    return [] if text is None or wanted is None else [text.find(wanted)]


@eager(TABLE, "lastIndexOf", 1)
def last_index_of(scope: Scope, focus: Items, part: Items) -> Items:
    """Where `part` begins for the last time, -1 when it is not there."""
    text, wanted = text_of(scope, focus), text_of(scope, part)
    return [] if text is None or wanted is None else [text.rfind(wanted)]


@eager(TABLE, "substring", 1, 2)
def substring(scope: Scope, focus: Items, start: Items, length: Items | None = None) -> Items:
    """The text from `start`, `length` characters at most."""
    text, first = text_of(scope, focus), integer_of(start)
    if text is None or first is None or not 0 <= first < len(text):
        return []
    many = None if length is None else integer_of(length)
    if length is not None and many is not None:
        return [text[first : first + max(0, many)]]
    return [text[first:]]


@eager(TABLE, "startsWith", 1)
def starts_with(scope: Scope, focus: Items, part: Items) -> Items:
    """Whether the text begins so."""
    text, wanted = text_of(scope, focus), text_of(scope, part)
    return [] if text is None or wanted is None else [text.startswith(wanted)]


@eager(TABLE, "endsWith", 1)
def ends_with(scope: Scope, focus: Items, part: Items) -> Items:
    """Whether the text ends so."""
    text, wanted = text_of(scope, focus), text_of(scope, part)
    return [] if text is None or wanted is None else [text.endswith(wanted)]


@eager(TABLE, "contains", 1)
def contains(scope: Scope, focus: Items, part: Items) -> Items:
    """Whether the text holds it."""
    text, wanted = text_of(scope, focus), text_of(scope, part)
    return [] if text is None or wanted is None else [wanted in text]


@eager(TABLE, "upper")
def upper(scope: Scope, focus: Items) -> Items:
    """The text in capitals."""
    text = text_of(scope, focus)
    return [] if text is None else [text.upper()]


@eager(TABLE, "lower")
def lower(scope: Scope, focus: Items) -> Items:
    """The text in small letters."""
    text = text_of(scope, focus)
    return [] if text is None else [text.lower()]


@eager(TABLE, "replace", 2)
def replace(scope: Scope, focus: Items, pattern: Items, substitution: Items) -> Items:
    """The text with every `pattern` replaced."""
    text, old, new = text_of(scope, focus), text_of(scope, pattern), text_of(scope, substitution)
    if text is None or old is None or new is None:
        return []
    scope.env.read(len(text) + (text.count(old) if old else len(text) + 1) * len(new))
    return [text.replace(old, new)]


@eager(TABLE, "length")
def length(scope: Scope, focus: Items) -> Items:
    """How many characters the text has."""
    text = text_of(scope, focus)
    return [] if text is None else [len(text)]


@eager(TABLE, "toChars")
def to_chars(scope: Scope, focus: Items) -> Items:
    """Each character as a text."""
    text = text_of(scope, focus)
    scope.env.spend(len(text or ""))
    return list(text or "")


@eager(TABLE, "trim")
def trim(scope: Scope, focus: Items) -> Items:
    """The text without blanks around it."""
    text = text_of(scope, focus)
    return [] if text is None else [text.strip()]


@eager(TABLE, "split", 1)
def split(scope: Scope, focus: Items, separator: Items) -> Items:
    """The parts between separators."""
    text, by = text_of(scope, focus), text_of(scope, separator)
    if text is None or by is None:
        return []
    parts = text.split(by) if by else list(text)
    scope.env.spend(len(parts))
    return list(parts)


@eager(TABLE, "join", 0, 1)
def join(scope: Scope, focus: Items, separator: Items | None = None) -> Items:
    """The texts as one, with `separator` between them."""
    by = "" if separator is None else text_of(scope, separator) or ""
    texts = [text_of(scope, [item]) for item in focus]
    present = [text for text in texts if text is not None]
    scope.env.read(sum(map(len, present)) + len(by) * len(present))
    return [by.join(present)]


@eager(TABLE, "encode", 1)
def encode(scope: Scope, focus: Items, format_: Items) -> Items:
    """The text in base64, urlbase64 or hex."""
    text, kind = text_of(scope, focus), text_of(scope, format_)
    if text is None or kind is None:
        return []
    raw = text.encode()
    match kind:
        case "base64":
            return [base64.b64encode(raw).decode()]
        case "urlbase64":
            return [base64.urlsafe_b64encode(raw).decode()]
        case "hex":
            return [raw.hex()]
    return []


@eager(TABLE, "decode", 1)
def decode(scope: Scope, focus: Items, format_: Items) -> Items:
    """The text that was in base64, urlbase64 or hex; nothing when it was not."""
    text, kind = text_of(scope, focus), text_of(scope, format_)
    if text is None or kind not in ("base64", "urlbase64", "hex"):
        return []
    try:
        if kind == "hex":
            return [bytes.fromhex(text).decode()]
        alphabet = b"-_" if kind == "urlbase64" else b"+/"
        return [base64.b64decode(text, altchars=alphabet, validate=True).decode()]
    except (binascii.Error, ValueError):
        return []


@eager(TABLE, "escape", 1)
def escape(scope: Scope, focus: Items, target: Items) -> Items:
    """The text as it stands inside html or json."""
    text, kind = text_of(scope, focus), text_of(scope, target)
    if text is None:
        return []
    if kind == "html":
        return [html.escape(text)]
    return [json.dumps(text, ensure_ascii=False)[1:-1]] if kind == "json" else []


@eager(TABLE, "unescape", 1)
def unescape(scope: Scope, focus: Items, target: Items) -> Items:
    """The text that stood inside html or json."""
    text, kind = text_of(scope, focus), text_of(scope, target)
    if text is None:
        return []
    if kind == "html":
        return [html.unescape(text)]
    return [_ESCAPE.sub(_character, text)] if kind == "json" else []


def _character(match: re.Match[str]) -> str:
    if match.group(1):
        return chr(int(match.group(1), 16))
    return _ESCAPES.get(match.group(2), match.group(2))
