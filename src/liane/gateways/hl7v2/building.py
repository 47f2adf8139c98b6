"""How does Liane write a message or an acknowledgement that others can read?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from liane.base.i18n import HOSPITAL_ZONE
from liane.base.ids import new_id
from liane.gateways.hl7v2 import batches, characters
from liane.gateways.hl7v2.codec import Message
from liane.gateways.hl7v2.escapes import STANDARD, Delimiters, escape

Component = str | Sequence[str]
Field = str | Sequence[Component]


@dataclass(frozen=True, slots=True)
class Problem:
    """One ERR segment: HL7 table 0357 code, where, and words for the sender's screen."""

    code: str
    text: str
    """The name of the code in English, as table 0357 writes it."""
    message: str
    """What a person reads and does."""
    location: str = ""
    """ERR-2, for example `PID^1^3`."""


CODES = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}


def stamp(at: datetime) -> str:
    """An instant as HL7 DTM, in the hospital's local time with its offset."""
    return at.astimezone(HOSPITAL_ZONE).strftime("%Y%m%d%H%M%S%z")


def segment(name: str, fields: Iterable[Field], by: Delimiters = STANDARD) -> str:
    """One line. A field is a text, a list of components, or components of subcomponents."""
    return by.field.join((name, *(_field(field, by) for field in fields))).rstrip(by.field)


def _field(field: Field, by: Delimiters) -> str:
    if isinstance(field, str):
        return escape(field, by)
    return by.component.join(_component(part, by) for part in field).rstrip(by.component)


def _component(part: Component, by: Delimiters) -> str:
    if isinstance(part, str):
        return escape(part, by)
    return by.subcomponent.join(escape(piece, by) for piece in part)


def acknowledgement(
    received: Message, code: str, at: datetime, problems: Sequence[Problem] = ()
) -> bytes:
    """The ACK for `received`, in its delimiters and characters (section 2.9.2)."""
    by = received.delimiters
    if not by.header.isascii():
        by = STANDARD
    event = received.event
    lines = [
        by.field.join(
            (
                "MSH",
                by.header,
                *(_echo(received, number, by) for number in (5, 6, 3, 4)),
                stamp(at),
                "",
                by.component.join(("ACK", event, "ACK") if event else ("ACK",)),
                new_id().replace("-", "")[:20],
                _echo(received, 11, by) or "P",
                _echo(received, 12, by) or "2.5",
                *("", "", "", ""),
                _echo(received, 17, by),
                _charset(received, by),
            )
        ).rstrip(by.field)
    ]
    lines.append(segment("MSA", [code, received.control_id, *_old_text(received, problems)], by))
    lines.extend(_error(problem, by) for problem in problems)
    text = "\r".join(lines) + "\r"
    return text.encode(received.encoding, "replace")


def _echo(received: Message, number: int, by: Delimiters) -> str:
    """A field of the sender's header, given back; rewritten when the delimiters differ."""
    raw = received.header[number]
    return raw if by is received.delimiters else escape(received.header.whole(number), by)


def _charset(received: Message, by: Delimiters) -> str:
    declared = received.header[18]
    named = characters.encoding_named(declared.split(received.delimiters.repetition)[0])
    if declared and named == received.encoding:
        return _echo(received, 18, by)
    return {"utf-8": "UNICODE UTF-8", "iso-8859-15": "8859/15"}.get(received.encoding, "8859/1")


def _old_text(received: Message, problems: Sequence[Problem]) -> list[str]:
    """Before version 2.5 there is no ERR-8: the words go to MSA-3."""
    return [problems[0].message[:80]] if problems and received.version < "2.5" else []


def _error(problem: Problem, by: Delimiters) -> str:
    location: list[Component] = list(problem.location.split("^")) if problem.location else [""]
    code: list[Component] = [problem.code, problem.text, "HL70357"]
    return segment("ERR", ["", location, code, "E", "", "", "", problem.message[:250]], by)


def refusal(code: str, at: datetime, problem: Problem, received: bytes = b"") -> bytes:
    """An answer to bytes that could not be read: the control id is given back when it can be
    found, because senders wait for it.
    """
    control_id = _guessed_control_id(received)
    header: list[Field] = ["LIANE", "", "", "", stamp(at), "", "ACK", new_id()[-20:], "P", "2.5"]
    lines = [
        segment("MSH|^~\\&", header),
        segment("MSA", [code, control_id]),
        _error(problem, STANDARD),
    ]
    return ("\r".join(lines) + "\r").encode("utf-8")


def _guessed_control_id(received: bytes) -> str:
    line = received[:4096].split(b"\r")[0].split(b"\n")[0]
    fields = line.split(b"|")
    if len(fields) > 9 and fields[0].endswith(b"MSH"):
        return "".join(c for c in fields[9].decode("latin-1") if c.isprintable())[:199]
    return ""


def joined(answers: Sequence[bytes], batch: bool) -> bytes:
    """One delivery gets one answer: several acknowledgements, in a batch if it came as a batch."""
    if not batch:
        return b"".join(answers)
    count = str(len(answers)).encode()
    return b"BHS|^~\\&|LIANE\r" + b"".join(answers) + b"BTS|" + count + b"\r"


def messages_in(answer: bytes) -> tuple[bytes, ...]:
    """The acknowledgements of one answer (for clients and tests)."""
    return batches.split(answer).messages
