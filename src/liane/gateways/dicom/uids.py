"""Is this the name of an image that the standard allows (PS3.5 section 9.1)?"""

from __future__ import annotations

import re
import uuid

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def is_uid(text: str) -> bool:
    """Digits in dotted groups, 64 signs at most.

    Leading zeros of a group are let through: real equipment sends them, and our own file names
    never contain a UID.
    """
    return 0 < len(text) <= 64 and _UID.fullmatch(text) is not None


def new_uid() -> str:
    """A UID nobody else has made, from a random UUID (PS3.5 annex B.2)."""
    return f"2.25.{uuid.uuid4().int}"
