"""Which characters do these bytes stand for?

A sender names its character set in MSH-18 (HL7 table 0211); many leave it empty, some name the
wrong one. Every choice that was not the sender's own is flagged, and whatever is chosen turns
back into exactly the same bytes.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"

_NAMES = {
    "ASCII": "ascii",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "8859/1": "iso-8859-1",
    "ISO-8859-1": "iso-8859-1",
    "ISO 8859-1": "iso-8859-1",
    "ISO8859-1": "iso-8859-1",
    "8859/2": "iso-8859-2",
    "8859/3": "iso-8859-3",
    "8859/4": "iso-8859-4",
    "8859/5": "iso-8859-5",
    "8859/7": "iso-8859-7",
    "8859/9": "iso-8859-9",
    "8859/15": "iso-8859-15",
    "ISO-8859-15": "iso-8859-15",
    "ISO 8859-15": "iso-8859-15",
    "WINDOWS-1252": "cp1252",
    "CP1252": "cp1252",
}
"""MSH-18 as senders write it, to the name Python knows it by."""

LAST_RESORT = "cp1252"


def _pass_unassigned(error: UnicodeError) -> tuple[str | bytes, int]:
    # Five bytes have no character in Windows-1252: they stand for the control of the same number,
    # so that nothing is lost in either direction.
    if isinstance(error, UnicodeDecodeError):
        return "".join(chr(b) for b in error.object[error.start : error.end]), error.end
    if isinstance(error, UnicodeEncodeError):
        text = error.object[error.start : error.end]
        if all(ord(c) < 256 for c in text):
            return bytes(ord(c) for c in text), error.end
    raise error


codecs.register_error("liane-unassigned", _pass_unassigned)


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a message, how it was read, and what was odd about it."""

    text: str
    encoding: str
    flags: tuple[str, ...]


def encoding_named(name: str) -> str | None:
    """The Python codec for an MSH-18 value, None when we do not know the name."""
    return _NAMES.get(name.strip().upper())


def decode(data: bytes, declared: str, default: str | None = None) -> Decoded:
    """Read `data` by MSH-18, else the partner's default, else UTF-8, else Windows-1252."""
    flags: list[str] = []
    named = encoding_named(declared) if declared.strip() else None
    if declared.strip() and named is None:
        flags.append("charset-unknown")
    usual = encoding_named(default) if default else None
    for encoding in dict.fromkeys(filter(None, (named, usual, "utf-8"))):
        text = _attempt(data, encoding)
        if text is None:
            if encoding == named:
                flags.append("charset-wrong")
            continue
        if encoding == "iso-8859-1" and any(b in data for b in _C1):
            return Decoded(_lenient(data), LAST_RESORT, (*flags, "charset-windows"))
        return Decoded(text, encoding, tuple(flags))
    return Decoded(_lenient(data), LAST_RESORT, (*flags, "charset-guessed"))


_C1 = tuple(bytes([b]) for b in (0x80, 0x85, 0x8C, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x9C))
"""Bytes that are controls in ISO 8859-1 but quotes, dashes, the euro and ligatures in Windows."""


def encode(text: str, encoding: str) -> bytes:
    """The bytes that `decode` read as `text`."""
    return text.encode(encoding, "liane-unassigned")


def _attempt(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _lenient(data: bytes) -> str:
    return data.decode(LAST_RESORT, "liane-unassigned")
