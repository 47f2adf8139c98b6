"""How is a file put on the disk so that it is either wholly there or not there at all?

Names are made by the server. A name that came from outside is never a path: it may be shown,
after `display_name`, and nothing else.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from liane.base.errors import Invalid
from liane.base.text import visible

_SERVER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,120}")
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]+')


def server_path(root: Path, *names: str) -> Path:
    """A path below `root` made of server-made names (lower case, digits, `.`, `_`, `-`).

    Raises `Invalid` for any other name, `..` included.
    """
    for name in names:
        if not _SERVER_NAME.fullmatch(name) or ".." in name:
            raise Invalid(
                "file-name",
                "Ce nom de fichier n’est pas permis.",
                "This file name is not allowed.",
            )
    return root.joinpath(*names)


def display_name(name: str, *, limit: int = 120) -> str:
    """A name from outside as it may be shown or offered for download: one line, no path."""
    last = visible(name).replace("\\", "/").rpartition("/")[2]
    clean = _UNSAFE.sub("_", last).strip(" .")
    return clean[:limit] or "document"


def atomic_write(path: Path, parts: bytes | Iterable[bytes], *, fsync: bool = True) -> int:
    """Write `parts` to `path`: all of them, or nothing. Returns the number of bytes.

    With `fsync`, file and folder entry are on the disk when this returns, so that a power cut
    right after it loses nothing. Folders that lack are made (and made durable too).
    """
    _make_folder(path.parent, fsync=fsync)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    written = 0
    try:
        with temporary.open("xb") as file:
            for part in (parts,) if isinstance(parts, bytes) else parts:
                written += file.write(part)
            file.flush()
            if fsync:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if fsync:
        sync_folder(path.parent)
    return written


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable (fsync of the directory)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_folder(folder: Path, *, fsync: bool) -> None:
    missing = []
    current = folder
    while not current.exists():
        missing.append(current)
        current = current.parent
    folder.mkdir(parents=True, exist_ok=True)
    if fsync:
        for made in missing:
            sync_folder(made.parent)
