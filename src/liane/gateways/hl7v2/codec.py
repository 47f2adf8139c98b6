"""How is a message cut into segments, fields, components and words without losing a byte?

The tokenizer keeps the message exactly as it came: joining its pieces gives the same bytes back.
Fields are split only when somebody asks for them, because most are never read. Delimiters come
from MSH-1 and MSH-2 (HL7 v2.5.1 section 2.5.4; five encoding characters since v2.7) and are
honoured or refused as a whole; escape sequences are decoded once, after splitting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from liane.base.errors import Invalid
from liane.gateways.hl7v2 import characters, escapes
from liane.gateways.hl7v2.escapes import STANDARD, Delimiters

_LINE_END = re.compile(r"(\r\n|\r|\n)")
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_HEADERS = ("MSH", "FHS", "BHS")
_BARE = frozenset({"PV1", "PV2", "PD1", "BTS", "FTS", "ORC", "NTE", "RGS"})
MAX_SEGMENTS = 200_000
MAX_REPETITIONS = 2_000
NULL = '""'
"""A field of two quotation marks: the sender erases the value (section 2.5.3)."""


def _words(raw: str, by: Delimiters, encoding: str) -> str:
    text = escapes.unescape(raw, by, encoding) if by.escape in raw else raw
    # PostgreSQL text holds no NUL, and no reader misses one (attack case C8e).
    return text.replace("\0", "") if "\0" in text else text


class Repetition:
    """One occurrence of a field: components, and subcomponents inside them."""

    __slots__ = ("_by", "_encoding", "_parts", "text")

    def __init__(self, text: str, by: Delimiters, encoding: str) -> None:
        self.text = text
        self._by = by
        self._encoding = encoding
        self._parts: list[str] | None = None

    def raw(self, component: int) -> str:
        """The component as it is written, numbered from 1; empty when absent."""
        parts = self._parts
        if parts is None:
            parts = self._parts = self.text.split(self._by.component)
        return parts[component - 1] if component <= len(parts) else ""

    def get(self, component: int = 1, subcomponent: int = 1) -> str:
        """The words of one subcomponent, escapes decoded; empty when absent or erased."""
        raw = self.raw(component)
        if not raw:
            return ""
        if self._by.subcomponent and self._by.subcomponent in raw:
            pieces = raw.split(self._by.subcomponent)
            raw = pieces[subcomponent - 1] if subcomponent <= len(pieces) else ""
        elif subcomponent > 1:
            return ""
        if raw == NULL:
            return ""
        return _words(raw, self._by, self._encoding).strip()

    def whole(self) -> str:
        """All of it as one text (for ST, TX and FT, where a stray delimiter is only a letter)."""
        return "" if self.text == NULL else _words(self.text, self._by, self._encoding)

    def __bool__(self) -> bool:
        return bool(self.text) and self.text != NULL


class Segment:
    """One line of a message; `segment[3]` is field 3 as written."""

    __slots__ = ("_by", "_encoding", "_fields", "name", "text")

    def __init__(self, text: str, by: Delimiters, encoding: str = "utf-8") -> None:
        self.text = text
        self.name = text[:3]
        self._by = by
        self._encoding = encoding
        self._fields: list[str] | None = None

    @property
    def fields(self) -> list[str]:
        """Every field as written; in headers, field 1 is the separator itself (section 2.5.4)."""
        if self._fields is None:
            text = self.text.removesuffix("\\r") if self.text.endswith("\\r") else self.text
            self._fields = text.split(self._by.field)
            if self.name in _HEADERS:
                self._fields.insert(1, self._by.field)
        return self._fields

    def __getitem__(self, number: int) -> str:
        fields = self.fields
        return fields[number] if number < len(fields) else ""

    def first(self, number: int) -> Repetition:
        """The first occurrence of a field (possibly empty)."""
        raw = self[number]
        mark = self._by.repetition
        if mark and mark in raw and not self._is_header_field(number):
            raw = raw.split(mark, 1)[0]
        return Repetition(raw, self._by, self._encoding)

    def repetitions(self, number: int) -> list[Repetition]:
        """Every occurrence of a field; none when the field is empty."""
        raw = self[number]
        if not raw:
            return []
        mark = self._by.repetition
        parts = raw.split(mark) if mark and not self._is_header_field(number) else [raw]
        if len(parts) > MAX_REPETITIONS:
            raise _too_many(self.name, number)
        return [Repetition(part, self._by, self._encoding) for part in parts]

    def get(self, number: int, component: int = 1, subcomponent: int = 1) -> str:
        """The words at one place, escapes decoded; empty when absent or erased."""
        fields = self._fields or self.fields
        raw = fields[number] if number < len(fields) else ""
        if not raw:
            return ""
        by = self._by
        if by.component not in raw and by.repetition not in raw and by.subcomponent not in raw:
            # Most fields are one plain word; this is asked hundreds of times in each message.
            if component > 1 or subcomponent > 1 or raw == NULL:
                return ""
            return _words(raw, by, self._encoding).strip()
        return self.first(number).get(component, subcomponent)

    def whole(self, number: int) -> str:
        """The whole field as one text, escapes decoded."""
        raw = self[number]
        return "" if raw == NULL else _words(raw, self._by, self._encoding)

    def erases(self, number: int) -> bool:
        """Whether the sender asks for the value to be erased."""
        return self[number] == NULL

    def _is_header_field(self, number: int) -> bool:
        return number == 2 and self.name in _HEADERS


@dataclass(slots=True)
class Message:
    """A message as it came: the exact bytes, its segments, and what was odd about it."""

    raw: bytes
    prefix: bytes
    """A byte order mark or blank lines before the first segment."""
    encoding: str
    delimiters: Delimiters
    segments: list[Segment]
    parts: list[str]
    flags: tuple[str, ...]

    @property
    def header(self) -> Segment:
        """The MSH segment."""
        return self.segments[0]

    def segment(self, name: str) -> Segment | None:
        """The first segment of that name."""
        return next((s for s in self.segments if s.name == name), None)

    def all(self, name: str) -> Iterator[Segment]:
        """Every segment of that name, in order."""
        return (s for s in self.segments if s.name == name)

    @property
    def code(self) -> str:
        """MSH-9.1, for example ADT."""
        return self.header.get(9, 1).upper()

    @property
    def event(self) -> str:
        """MSH-9.2, for example A01, else what EVN-1 says."""
        event = self.header.get(9, 2)
        if not event and (evn := self.segment("EVN")) is not None:
            event = evn.get(1)
        return event.upper()

    @property
    def kind(self) -> str:
        """Message and event together: `ADT^A01`."""
        return f"{self.code}^{self.event}" if self.event else self.code

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.get(10)

    @property
    def version(self) -> str:
        """MSH-12, for example 2.5."""
        return self.header.get(12)

    def encode(self) -> bytes:
        """The bytes of the message, rebuilt from its pieces: always equal to `raw`."""
        return self.prefix + characters.encode("".join(self.parts), self.encoding)


def not_hl7(fr: str, en: str) -> Invalid:
    """A refusal because these bytes are not a message."""
    return Invalid(
        "hl7v2.not-hl7",
        fr,
        en,
        "Vérifiez que ce port reçoit bien de l'HL7 v2 encadré par MLLP.",
        "Check that this port is being sent HL7 v2 framed by MLLP.",
    )


def _too_many(name: str, number: int) -> Invalid:
    return Invalid(
        "hl7v2.too-many-repetitions",
        f"Le champ {name}-{number} a plus de {MAX_REPETITIONS} répétitions.",
        f"Field {name}-{number} has more than {MAX_REPETITIONS} repetitions.",
        "Demandez à l'émetteur de vérifier son export, puis de renvoyer le message.",
        "Ask the sender to check its export, then to send the message again.",
        hl7_code="102",
        location=f"{name}^1^{number}",
    )


def parse(raw: bytes, default_encoding: str | None = None) -> Message:
    """Cut one message. Raises Invalid when it has no usable MSH header."""
    body = raw.removeprefix(characters.BOM).lstrip(b" \t\r\n\0")
    start = body[:3].decode("latin-1")
    if start not in _HEADERS:
        raise not_hl7(
            "Le message ne commence pas par un segment MSH.",
            "The message does not begin with an MSH segment.",
        )
    decoded = characters.decode(body, _declared(body), default_encoding)
    flags = list(decoded.flags)
    prefix = raw[: len(raw) - len(body)]
    if prefix.startswith(characters.BOM):
        flags.append("byte-order-mark")
    by = delimiters_of(decoded.text, flags)
    parts = _LINE_END.split(decoded.text)
    segments = _segments(parts, by, decoded.encoding, flags)
    unique = tuple(dict.fromkeys(flags))
    return Message(raw, prefix, decoded.encoding, by, segments, parts, unique)


def _declared(body: bytes) -> str:
    """MSH-18 read from the bytes, before anything is decoded."""
    line = re.split(rb"[\r\n]", body[:8192], maxsplit=1)[0]
    fields = line.split(line[3:4]) if len(line) > 3 else []
    first = re.split(rb"[~\xcb]", fields[17])[0] if len(fields) > 17 else b""
    return first.decode("ascii", "replace")


def delimiters_of(text: str, flags: list[str]) -> Delimiters:
    """The delimiters of MSH-1 and MSH-2, honoured when they can be, repaired and flagged when
    two public kinds of damage are recognised, refused otherwise (attack case C7c).
    """
    field = text[3:4]
    line = _LINE_END.split(text[3:300], maxsplit=1)[0]
    marks = line[1:].split(field, 1)[0] if field else ""
    if not field or field.isalnum() or field.isspace() or not field.isprintable():
        raise not_hl7(
            "Le séparateur de champs (MSH-1) est inutilisable.",
            "The field separator (MSH-1) cannot be used.",
        )
    if marks == "^~\\\\&":
        flags.append("delimiters-doubled-escape")
        marks = "^~\\&"
    if len(marks) < 4:
        flags.append("delimiters-short")
        marks += STANDARD.header[len(marks) :]
    usable = all(m.isprintable() and not m.isalnum() and not m.isspace() for m in marks[:5])
    if not usable or len({field, *marks[:4]}) != 5:
        raise not_hl7(
            "Les caractères de découpage (MSH-2) sont inutilisables ou se répètent.",
            "The encoding characters (MSH-2) cannot be used, or repeat.",
        )
    if not marks[:4].isascii():
        flags.append("delimiters-damaged")
    return Delimiters(field, marks[0], marks[1], marks[2], marks[3], marks[4:5])


def _segments(parts: list[str], by: Delimiters, encoding: str, flags: list[str]) -> list[Segment]:
    """Lines to segments; a line that does not look like one continues the segment before it."""
    segments: list[Segment] = []
    for index in range(0, len(parts), 2):
        line = parts[index]
        if not line.strip():
            continue
        if segments and not _begins_segment(line, by):
            before = segments.pop()
            segments.append(Segment(f"{before.text}\n{line}", by, encoding))
            flags.append("continuation-line")
            continue
        if line.endswith("\\r"):
            flags.append("literal-line-end")
        segments.append(Segment(line, by, encoding))
    if len(segments) > MAX_SEGMENTS:
        raise not_hl7(
            f"Le message a plus de {MAX_SEGMENTS} segments.",
            f"The message has more than {MAX_SEGMENTS} segments.",
        )
    return segments


def _begins_segment(line: str, by: Delimiters) -> bool:
    if _SEGMENT_NAME.match(line) is None:
        return False
    return line[3:4] == by.field or line.rstrip() in _BARE
