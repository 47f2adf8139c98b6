"""How is an HL7 v2 message written, and what does its answer say?

A small writer of its own: fields by number, text escaped, segments ended by CR. Text that is
already encoded (components joined by ^, repetitions by ~) is marked as `Raw`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Paris")
_ESCAPES = str.maketrans(
    {
        "\\": "\\E\\",
        "|": "\\F\\",
        "^": "\\S\\",
        "&": "\\T\\",
        "~": "\\R\\",
        "\r": "\\.br\\",
        "\n": "\\.br\\",
    }
)


class Raw(str):
    """Text that is already encoded and must not be escaped again."""

    __slots__ = ()


def encoded(value: object) -> Raw:
    """A value as it stands in a field: text escaped, nothing for None."""
    if isinstance(value, Raw):
        return value
    return Raw("" if value is None else str(value).translate(_ESCAPES))


def parts(*values: object) -> Raw:
    """Components joined by ^, empty ones at the end left out."""
    return Raw("^".join(encoded(value) for value in values).rstrip("^"))


def subparts(*values: object) -> Raw:
    """Sub-components joined by &."""
    return Raw("&".join(encoded(value) for value in values).rstrip("&"))


def repeats(*values: object) -> Raw:
    """Repetitions joined by ~, empty ones left out."""
    return Raw("~".join(text for text in (encoded(value) for value in values) if text))


def segment(name: str, fields: Mapping[int, object]) -> str:
    """A segment with its fields by number (the first field after the name is 1)."""
    last = max(fields, default=0)
    return "|".join([name, *(encoded(fields.get(number)) for number in range(1, last + 1))])


def timestamp(at: datetime) -> str:
    """A time as the senders write it: Paris time with its offset from UTC."""
    return at.astimezone(ZONE).strftime("%Y%m%d%H%M%S%z")


@dataclass(frozen=True, slots=True)
class Sender:
    """An application that sends: MSH-3 and MSH-4."""

    application: str
    facility: str


def header(sender: Sender, kind: str, control_id: str, at: datetime, *, version: str) -> str:
    """The MSH segment. `kind` is MSH-9, for example ADT^A01^ADT_A01."""
    profile = {"ADT": "2.11^IHE_FRANCE-2.11-PAM"}.get(kind[:3], "")
    fields = [
        "MSH",
        r"^~\&",
        encoded(sender.application),
        encoded(sender.facility),
        "LIANE",
        "GHT",
        timestamp(at),
        "",
        kind,
        control_id,
        "D",
        version,
        "",
        "",
        "",
        "",
        "FRA",
        "UNICODE UTF-8",
        "FR",
        "",
        profile,
    ]
    return "|".join(fields).rstrip("|")


def message(*segments: str) -> bytes:
    """The bytes of a message: each segment ended by CR, in UTF-8."""
    return "".join(f"{one}\r" for one in segments if one).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement: its code (AA, AE, AR ...), the control id it answers, its words."""

    code: str
    control_id: str
    text: str


def read_answer(data: bytes) -> Answer:
    """The MSA segment of an answer. Raises ValueError when there is none."""
    for line in data.decode("utf-8", "replace").replace("\n", "\r").split("\r"):
        fields = line.split("|")
        if fields[0] == "MSA" and len(fields) > 2:
            return Answer(fields[1], fields[2], fields[3] if len(fields) > 3 else "")
    raise ValueError("the answer has no MSA segment")
