"""How does a thing get a name that no other thing has?"""

from __future__ import annotations

import hashlib
import os
import re
import time
from typing import NewType

Tenant = NewType("Tenant", int)
PatientId = NewType("PatientId", str)
EncounterId = NewType("EncounterId", str)
ResourceId = NewType("ResourceId", str)

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def new_id() -> str:
    """A fresh identifier in the layout of a UUID version 7 (RFC 9562): 48 bits of milliseconds
    first, so that neighbours in time are neighbours in an index, then 74 random bits.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_fhir_id(text: str) -> bool:
    """Whether `text` may be the id of a FHIR resource (R4 datatypes, `id`)."""
    return _FHIR_ID.fullmatch(text) is not None


def stable_id(*parts: str) -> str:
    """The same id for the same business key, for ever: SHA-256 of the parts in the layout of a
    UUID version 8 (RFC 9562). Parts are kept apart by their lengths, so that ("ab", "c") and
    ("a", "bc") differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    value = int.from_bytes(digest.digest()[:16], "big")
    value = (value & ~(0xF << 76)) | (0x8 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
