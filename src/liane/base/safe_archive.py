"""How are compressed bytes from outside opened without filling the memory or leaving the folder?

Everything is inflated in steps of at most 1 MiB, under a limit of bytes and a limit of ratio; the
sizes an archive declares are never believed. Nothing is ever unpacked to the disk by name.
"""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from liane.base.errors import Invalid

STEP_BYTES = 1024 * 1024
LIMIT_BYTES = 256 * 1024 * 1024
LIMIT_RATIO = 200
RATIO_CHECKED_AFTER_BYTES = 4 * 1024 * 1024
LIMIT_MEMBERS = 2_000

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


def gunzip(data: bytes, *, limit_bytes: int = LIMIT_BYTES, ratio: int = LIMIT_RATIO) -> bytes:
    """The content of a gzip file (several members joined). Raises `Invalid`."""
    parts = []
    rest = data
    left = limit_bytes
    while rest:
        engine = zlib.decompressobj(_GZIP)
        part = b"".join(_inflate(engine, rest, left, ratio))
        parts.append(part)
        left -= len(part)
        rest = engine.unused_data.lstrip(b"\0")
    return b"".join(parts)


def inflate(
    data: bytes, *, raw: bool, limit_bytes: int = LIMIT_BYTES, ratio: int = LIMIT_RATIO
) -> bytes:
    """The content of a deflate stream (`raw`) or of a zlib stream. Raises `Invalid`."""
    engine = zlib.decompressobj(_RAW if raw else _ZLIB)
    return b"".join(_inflate(engine, data, limit_bytes, ratio))


def _inflate(
    engine: zlib._Decompress, data: bytes, limit_bytes: int, ratio: int
) -> Iterator[bytes]:
    produced = 0
    pending = data
    while not engine.eof:
        try:
            part = engine.decompress(pending, STEP_BYTES)
        except zlib.error as problem:
            raise _refused(
                "archive-damaged",
                f"Ces données compressées sont abîmées ({problem}).",
                f"This compressed data is damaged ({problem}).",
            ) from None
        pending = engine.unconsumed_tail
        produced += len(part)
        _check(produced, len(data) - len(pending), limit_bytes, ratio)
        yield part
        if not part and not pending and not engine.eof:
            raise _refused(
                "archive-truncated",
                "Ces données compressées s’arrêtent avant la fin.",
                "This compressed data stops before its end.",
            )


def _check(produced: int, consumed: int, limit_bytes: int, ratio: int) -> None:
    if produced > limit_bytes:
        raise _refused(
            "archive-too-large",
            f"Une fois ouvertes, ces données dépassent la limite de {limit_bytes} octets.",
            f"Once opened, this data is larger than the limit of {limit_bytes} bytes.",
        )
    if produced > RATIO_CHECKED_AFTER_BYTES and produced > ratio * max(consumed, 1):
        raise _refused(
            "archive-ratio",
            f"Ces données gonflent de plus de {ratio} fois : elles sont refusées.",
            f"This data swells more than {ratio} times: it is refused.",
        )


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a zip archive; `name` is only for display."""

    name: str
    content: bytes


def unzip(
    data: bytes, *, limit_bytes: int = LIMIT_BYTES, members: int = LIMIT_MEMBERS
) -> Iterator[Member]:
    """The files of a zip archive, in its order, limits held over all of them together.

    Refuses links, absolute names, `..`, encrypted files, names given twice, overlapping files
    and archives within the archive's own bytes.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as problem:
        raise _damaged(problem) from None
    with archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        _check_entries(entries, len(data), members)
        left = limit_bytes
        for entry in entries:
            content = _member(archive, entry, left)
            left -= len(content)
            yield Member(entry.filename, content)


def untar_gz(
    data: bytes, *, limit_bytes: int = LIMIT_BYTES, members: int = LIMIT_MEMBERS
) -> Iterator[Member]:
    """The plain files of a `.tar.gz` archive, in its order; folders are passed over.

    Refuses links, devices, sparse files, absolute names, `..` and names given twice. Raises
    `Invalid`.
    """
    opened = io.BytesIO(gunzip(data, limit_bytes=limit_bytes))
    names: set[str] = set()
    try:
        with tarfile.open(fileobj=opened, mode="r:") as archive:
            for entry in archive:
                if entry.isdir():
                    continue
                _check_tar_entry(entry, names, members)
                file = archive.extractfile(entry)
                yield Member(entry.name, b"" if file is None else file.read())
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as problem:
        raise _damaged(problem) from None


def _check_tar_entry(entry: tarfile.TarInfo, names: set[str], members: int) -> None:
    if not entry.isreg() or entry.sparse is not None:
        raise _dangerous()
    if _is_dangerous(entry.name):
        raise _dangerous()
    if entry.name in names:
        raise _twice()
    names.add(entry.name)
    if len(names) > members:
        raise _too_many(members)


def _check_entries(entries: list[zipfile.ZipInfo], size: int, members: int) -> None:
    if len(entries) > members:
        raise _too_many(members)
    if len({entry.filename for entry in entries}) != len(entries):
        raise _twice()
    for entry in entries:
        _check_name(entry)
    end = 0
    for entry in sorted(entries, key=lambda e: e.header_offset):
        if entry.header_offset < end or entry.header_offset + entry.compress_size > size:
            raise _refused(
                "archive-overlap",
                "Des fichiers de cette archive se recouvrent.",
                "Files of this archive overlap.",
            )
        end = entry.header_offset + 30 + entry.compress_size


def _check_name(entry: zipfile.ZipInfo) -> None:
    if stat.S_ISLNK(entry.external_attr >> 16) or _is_dangerous(entry.filename):
        raise _dangerous()
    if entry.flag_bits & 1:
        raise _refused(
            "archive-encrypted", "Cette archive est chiffrée.", "This archive is encrypted."
        )


def _is_dangerous(given: str) -> bool:
    name = given.replace("\\", "/")
    drive = len(name) > 1 and name[1] == ":"
    return drive or name.startswith("/") or ".." in name.split("/") or "\0" in name


def _dangerous() -> Invalid:
    return _refused(
        "archive-path",
        "Cette archive contient un nom de fichier ou un lien dangereux.",
        "This archive holds a dangerous file name or link.",
    )


def _twice() -> Invalid:
    return _refused(
        "archive-names",
        "Deux fichiers de cette archive portent le même nom.",
        "Two files of this archive have the same name.",
    )


def _too_many(members: int) -> Invalid:
    return _refused(
        "archive-too-many",
        f"Cette archive contient plus de {members} fichiers.",
        f"This archive holds more than {members} files.",
    )


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int) -> bytes:
    parts = []
    produced = 0
    try:
        with archive.open(entry) as file:
            while part := file.read(STEP_BYTES):
                produced += len(part)
                _check(produced, entry.compress_size, left, LIMIT_RATIO)
                parts.append(part)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as problem:
        raise _damaged(problem) from None
    return b"".join(parts)


def _damaged(problem: Exception) -> Invalid:
    return _refused(
        "archive-damaged",
        f"Cette archive est abîmée ({problem}).",
        f"This archive is damaged ({problem}).",
    )


def _refused(code: str, french: str, english: str) -> Invalid:
    return Invalid(code, french, english)
