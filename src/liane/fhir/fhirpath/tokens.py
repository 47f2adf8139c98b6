"""Into which words does the text of a FHIRPath expression fall? (FHIRPath N1, lexical elements)"""

from __future__ import annotations

import re
from typing import NamedTuple

from liane.fhir.fhirpath.errors import TooCostly, Wrong

LIMIT_CHARACTERS = 20_000
LIMIT_TOKENS = 4_000
LIMIT_DIGITS = 60

_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\r\n]+|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*\*/)
    | (?P<datetime>@\d{4}(?:-\d\d(?:-\d\d)?)?T
        (?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)
    | (?P<date>@\d{4}(?:-\d\d(?:-\d\d)?)?)
    | (?P<time>@T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<quoted>`(?:[^`\\]|\\.)*`)
    | (?P<external>%(?:[A-Za-z_][A-Za-z0-9_-]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'))
    | (?P<special>\$(?:this|index|total))
    | (?P<sign>!=|!~|<=|>=|[-+*/&|=~<>.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES = {"f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERAL_ESCAPES = frozenset("`'\\/\"")


class Token(NamedTuple):
    """One word: its kind, its text (escapes resolved) and where it starts."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    """The words of `text`, ending with one of kind `end`. Raises `Wrong`, `TooCostly`."""
    if len(text) > LIMIT_CHARACTERS:
        raise TooCostly(
            f"plus de {LIMIT_CHARACTERS} caractères", f"more than {LIMIT_CHARACTERS} characters"
        )
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise unexpected(text[at : at + 20], at)
        kind = match.lastgroup or ""
        if kind == "number" and len(match.group()) > LIMIT_DIGITS:
            raise TooCostly("un nombre trop long", "a number that is too long")
        if kind != "blank":
            found.append(Token(kind, _content(kind, match.group()), at))
        at = match.end()
    if len(found) > LIMIT_TOKENS:
        raise TooCostly(f"plus de {LIMIT_TOKENS} mots", f"more than {LIMIT_TOKENS} words")
    found.append(Token("end", "", at))
    return found


def unexpected(shown: str, at: int) -> Wrong:
    """The refusal that names what stands where something else was expected."""
    return Wrong(
        f"« {shown} » inattendu au caractère {at + 1}",
        f"unexpected '{shown}' at character {at + 1}",
    )


def unescaped(text: str) -> str:
    """The text between quotes with its escapes resolved (FHIRPath N1, string)."""
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    if match.group(1):
        return chr(int(match.group(1), 16))
    letter = match.group(2)
    if letter in _LITERAL_ESCAPES:
        return letter
    if letter not in _ESCAPES:
        raise Wrong(f"séquence « \\{letter} » inconnue", f"unknown escape '\\{letter}'")
    return _ESCAPES[letter]


def _content(kind: str, text: str) -> str:
    if kind in ("string", "quoted"):
        return unescaped(text[1:-1])
    if kind == "external":
        return unescaped(text[2:-1]) if text[1] in "`'" else text[1:]
    if kind in ("date", "datetime", "time", "special"):
        return text[1:]
    return text
