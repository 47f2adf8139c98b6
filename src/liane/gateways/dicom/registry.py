"""Which kinds of image, and in which encodings, does the hospital take from its machines?"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

VERIFICATION = "1.2.840.10008.1.1"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"

IMPLEMENTATION_UID = "2.25.151906287034871234021187934019586417325"
IMPLEMENTATION_VERSION = "LIANE_1"

Encoding = Literal["implicit", "explicit", "big"]


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """How a data set is written on the wire (PS3.5 section 10)."""

    uid: str
    keyword: str
    encoding: Encoding
    """implicit: VR implied, little endian; explicit: little endian; big: explicit, big endian."""
    encapsulated: bool
    """Whether pixels come as fragments (PS3.5 annex A.4) rather than as plain samples."""


@cache
def _registry() -> Mapping[str, Mapping[str, object]]:
    text = (resources.files(__package__) / "registry.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def transfer_syntaxes() -> Mapping[str, TransferSyntax]:
    """Every accepted transfer syntax, by UID."""
    found: dict[str, TransferSyntax] = {}
    for uid, entry in _registry()["transfer_syntax"].items():
        assert isinstance(entry, Mapping)
        found[uid] = TransferSyntax(
            uid=uid,
            keyword=str(entry["keyword"]),
            encoding=entry["encoding"],
            encapsulated=entry["pixels"] == "encapsulated",
        )
    return found


@cache
def storage_classes() -> Mapping[str, str]:
    """Every accepted storage SOP class: UID to the standard's keyword."""
    return {uid: str(keyword) for uid, keyword in _registry()["storage_class"].items()}
