"""What does each line of a message say, in words the IT department knows?

The names of segments and fields stand in `data/segments.toml`. A reader who may not see clinical
text sees which fields are filled, and the words of the administrative ones only.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from liane.base.text import visible
from liane.gateways.hl7v2.codec import Message, Segment

MAX_VALUE_CHARS = 600
MAX_SEGMENTS_SHOWN = 400


@dataclass(frozen=True, slots=True)
class FieldShown:
    """One filled field."""

    number: int
    name: str
    value: str
    hidden: bool
    size: int


@dataclass(frozen=True, slots=True)
class SegmentShown:
    """One line with its filled fields."""

    place: int
    code: str
    name: str
    fields: tuple[FieldShown, ...]


@cache
def _dictionary() -> dict[str, Any]:
    file = resources.files("liane.gateways.hl7v2") / "data" / "segments.toml"
    return tomllib.loads(file.read_text("utf-8"))


def explained(message: Message, language: str, *, clinical: bool) -> list[SegmentShown]:
    """The first lines of a message, each field named; `clinical` shows every word."""
    shown = message.segments[:MAX_SEGMENTS_SHOWN]
    return [_segment(place, s, language, clinical) for place, s in enumerate(shown, 1)]


def _segment(place: int, segment: Segment, language: str, clinical: bool) -> SegmentShown:
    known = _dictionary().get(segment.name, {})
    name = _word(known.get("name", ""), language)
    return SegmentShown(
        place, segment.name, name, tuple(_fields(segment, known, language, clinical))
    )


def _fields(
    segment: Segment, known: dict[str, Any], language: str, clinical: bool
) -> Iterator[FieldShown]:
    readable = set(known.get("open", ()))
    for number, raw in enumerate(segment.fields):
        if number == 0 or not raw:
            continue
        name = _word(known.get(str(number), ""), language)
        hidden = not clinical and number not in readable
        value = "" if hidden else visible(raw[:MAX_VALUE_CHARS])
        yield FieldShown(number, name, value, hidden, len(raw))


def _word(text: str, language: str) -> str:
    french, _, english = text.partition(" | ")
    return english if language == "en" and english else french
