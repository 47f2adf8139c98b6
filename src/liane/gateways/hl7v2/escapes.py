"""What parts a message, and what did the sender mean by a backslash sequence inside a value?

HL7 v2.5.1 chapter 2, section 2.7. Sequences are decoded once, after the message was split, so
that a value can hold a delimiter or a line end without ever making a new field or segment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The characters that part a message, as its own header declares them."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    @property
    def header(self) -> str:
        """MSH-2 as it is written."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


STANDARD = Delimiters()


_MAX_SPACES = 200
_PATTERNS: dict[str, re.Pattern[str]] = {}


def unescape(text: str, by: Delimiters, encoding: str = "utf-8") -> str:
    """`text` with its sequences replaced; an unknown or unfinished one stays as it is written."""
    if not by.escape or by.escape not in text:
        return text
    pattern = _PATTERNS.get(by.escape)
    if pattern is None:
        mark = re.escape(by.escape)
        pattern = _PATTERNS[by.escape] = re.compile(f"{mark}([^{mark}\r\n]{{1,4096}}){mark}")
    return pattern.sub(lambda found: _meaning(found, by, encoding), text)


def _meaning(found: re.Match[str], by: Delimiters, encoding: str) -> str:
    body: str = found.group(1)
    letters = {
        "F": by.field,
        "S": by.component,
        "T": by.subcomponent,
        "R": by.repetition,
        "E": by.escape,
        "P": by.truncation or "#",
        "H": "",
        "N": "",
    }
    if body in letters:
        return letters[body]
    if body[0] == "X":
        return _hexadecimal(body[1:], encoding, found.group(0))
    if body[0] == ".":
        return _layout(body[1:], found.group(0))
    return found.group(0)


def _hexadecimal(digits: str, encoding: str, written: str) -> str:
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        return written
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode("cp1252", "liane-unassigned")


def _layout(command: str, written: str) -> str:
    name = command[:2].lower()
    if name in {"br", "ce"}:
        return "\n"
    if name == "sp":
        return "\n" * _count(command[2:])
    if name == "sk":
        return " " * _count(command[2:])
    if name in {"in", "ti", "fi", "nf"}:
        return ""
    return written


def _count(text: str) -> int:
    digits = text.strip().lstrip("+")
    return min(int(digits), _MAX_SPACES) if digits.isascii() and digits.isdigit() else 1


def escape(text: str, by: Delimiters) -> str:
    """`text` written so that it can stand in a field: delimiters and line ends as sequences."""
    if not by.escape:
        return text
    replaced = [
        (by.escape, "E"),
        (by.field, "F"),
        (by.component, "S"),
        (by.subcomponent, "T"),
        (by.repetition, "R"),
    ]
    table = {ord(c): f"{by.escape}{name}{by.escape}" for c, name in reversed(replaced) if c}
    table[ord("\r")] = f"{by.escape}X0D{by.escape}"
    table[ord("\n")] = f"{by.escape}.br{by.escape}"
    table[0x0B] = table[0x1C] = " "
    return text.translate(table)
