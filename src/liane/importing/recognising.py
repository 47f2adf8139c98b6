"""Which files stand below the paths given, and what is each of them?

The first bytes decide, not the name; only CSV, which has no mark of its own, goes by its ending.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from liane.base.errors import NotFound
from liane.base.safe_archive import gunzip
from liane.gateways.cda import looks_like_cda

Kind = Literal["fhir", "ndjson", "hl7v2", "dicom", "cda", "pdf", "picture", "csv", "unknown"]
LIMIT_BYTES = 1024 * 1024 * 1024
HEAD_BYTES = 8192
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*")
_HL7_STARTS = (b"MSH", b"FHS", b"BHS")


def files_below(paths: Iterable[Path]) -> list[Path]:
    """Every regular file, folders walked in order of name; hidden files and links left out.

    Raises `NotFound` for a path that does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                found += [Path(folder, name) for name in sorted(names) if name[0] != "."]
        elif path.is_file():
            found.append(path)
        else:
            raise NotFound("import.no-file", f"{path} n’existe pas.", f"{path} does not exist.")
    return [path for path in found if path.is_file() and not path.is_symlink()]


def head_of(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def is_gzip(head: bytes) -> bool:
    """Whether the bytes begin a gzip file."""
    return head.startswith(b"\x1f\x8b")


def content_of(path: Path) -> bytes:
    """The whole content, unpacked within limits when it is gzip."""
    data = path.read_bytes()
    return gunzip(data, limit_bytes=LIMIT_BYTES) if is_gzip(data) else data


def kind_of(name: str, head: bytes) -> Kind:
    """What a file is, by its first bytes."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[128:132] == b"DICM":
        return "dicom"
    if start.startswith(_HL7_STARTS) or start.startswith(b"\x0bMSH"):
        return "hl7v2"
    if start.startswith(b"{"):
        ending = name.lower().removesuffix(".gz")
        return "ndjson" if ending.endswith((".ndjson", ".jsonl")) else "fhir"
    if start.startswith(b"%PDF-"):
        return "pdf"
    if head.startswith(_PICTURES):
        return "picture"
    if looks_like_cda(head):
        return "cda"
    if name.lower().removesuffix(".gz").endswith((".csv", ".tsv")):
        return "csv"
    return "unknown"
