"""How many messages came in one delivery, and where does each begin?

A file or a frame may hold one message, several, or a batch with FHS, BHS, BTS and FTS around them
(HL7 v2.5.1 section 2.10.3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from liane.gateways.hl7v2.characters import BOM

_STARTS = re.compile(rb"(?:\A|(?<=[\r\n]))[ \t]*(MSH|FHS|BHS|BTS|FTS)(?=[^A-Za-z0-9\s]|[\r\n]|\Z)")
MAX_MESSAGES = 10_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """The messages of one frame or file, and the envelope lines around them."""

    messages: tuple[bytes, ...]
    envelope: tuple[bytes, ...]

    @property
    def is_batch(self) -> bool:
        """Whether the sender wrapped the messages in a batch."""
        return bool(self.envelope)


def split(data: bytes) -> Delivery:
    """Cut `data` where a message or an envelope line begins; every byte ends up in one piece."""
    body = data.removeprefix(BOM)
    if body.startswith(b"MSH") and b"\rMSH" not in body and b"\nMSH" not in body:
        # The usual case, found without looking at every line. (Envelope lines never follow.)
        return Delivery((data,), ())
    starts = [(m.start(), m.group(1)) for m in _STARTS.finditer(body)]
    if len(starts) <= 1 or body[: starts[0][0]].strip():
        return Delivery((data,), ())
    messages: list[bytes] = []
    envelope: list[bytes] = []
    ends = [start for start, _ in starts[1:]] + [len(body)]
    for (start, name), end in zip(starts, ends, strict=True):
        (messages if name == b"MSH" else envelope).append(body[start:end])
    return Delivery(tuple(messages), tuple(envelope))
