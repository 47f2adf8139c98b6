"""Where do images, letters and recordings lie, and how do we know they are still the same bytes?

A blob is named by the SHA-256 of its bytes. It is durable (file and folder entry on the disk)
before `put` returns, and its hash is computed again whenever it is read whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from liane.base.errors import Fault, Invalid, NotFound
from liane.base.safe_file import sync_folder

_HASH = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BlobRef:
    """The name and size of stored bytes."""

    sha256: str
    size: int

    @property
    def url(self) -> str:
        """How a resource points to it: `blob:<sha256>`."""
        return f"blob:{self.sha256}"


class Blobs:
    """A folder of content-addressed bytes."""

    def __init__(self, root: Path) -> None:
        self._root = Path(root)
        self._drafts = self._root / "incoming"
        self._drafts.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def put(
        self,
        content: bytes | Iterable[bytes] | AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
    ) -> BlobRef:
        """Store bytes, given whole or in parts; raises `Invalid` beyond `limit_bytes`."""
        if isinstance(content, AsyncIterable):
            return await self._put_stream(content, limit_bytes)
        parts: Iterable[bytes] = (content,) if isinstance(content, bytes) else content
        return await asyncio.to_thread(self._put_parts, parts, limit_bytes)

    async def read(self, sha256: str) -> bytes:
        """The whole content, verified; raises `NotFound`, or `Fault` when the bytes changed."""
        return await asyncio.to_thread(self._read, sha256)

    async def stream(self, sha256: str, chunk_bytes: int = _CHUNK_BYTES) -> AsyncIterator[bytes]:
        """The content in chunks; the hash is verified first, so no altered byte is ever sent."""
        await asyncio.to_thread(self.verify, sha256)
        file = await asyncio.to_thread(self.open, sha256)
        try:
            while chunk := await asyncio.to_thread(file.read, chunk_bytes):
                yield chunk
        finally:
            await asyncio.to_thread(file.close)

    async def exists(self, sha256: str) -> bool:
        """Whether these bytes are stored."""
        return await asyncio.to_thread(self.path(sha256).is_file)

    def open(self, sha256: str) -> BinaryIO:
        """The content as a file for random access; not verified."""
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError:
            raise _absent() from None

    def path(self, sha256: str) -> Path:
        """Where the content lies; only programs that must have a path (codecs) need it."""
        if not _HASH.fullmatch(sha256):
            raise _absent()
        # One level of 256 folders: a new folder costs one more flush, paid 256 times in all.
        return self._root / sha256[:2] / sha256

    def verify(self, sha256: str) -> int:
        """Compute the hash again, without keeping the bytes; gives the size."""
        digest, size = hashlib.sha256(), 0
        with self.open(sha256) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
        if digest.hexdigest() != sha256:
            raise _altered(sha256)
        return size

    def _read(self, sha256: str) -> bytes:
        with self.open(sha256) as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise _altered(sha256)
        return content

    def _put_parts(self, parts: Iterable[bytes], limit_bytes: int | None) -> BlobRef:
        draft = _Draft(self._drafts, limit_bytes)
        try:
            for part in parts:
                draft.write(part)
            return self._keep(draft)
        finally:
            draft.discard()

    async def _put_stream(self, parts: AsyncIterable[bytes], limit_bytes: int | None) -> BlobRef:
        draft = await asyncio.to_thread(_Draft, self._drafts, limit_bytes)
        try:
            async for part in parts:
                await asyncio.to_thread(draft.write, part)
            return await asyncio.to_thread(self._keep, draft)
        finally:
            await asyncio.to_thread(draft.discard)

    def _keep(self, draft: _Draft) -> BlobRef:
        sha256, size = draft.finish()
        final = self.path(sha256)
        if not final.is_file():
            if not final.parent.is_dir():
                final.parent.mkdir(exist_ok=True, mode=0o700)
                sync_folder(self._root)
            draft.path.replace(final)
        sync_folder(final.parent)
        return BlobRef(sha256, size)


class _Draft:
    """Bytes on their way in, hashed while they are written."""

    def __init__(self, folder: Path, limit_bytes: int | None) -> None:
        self.path = folder / f"{secrets.token_hex(16)}.part"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._digest = hashlib.sha256()
        self._size = 0
        self._limit_bytes = limit_bytes

    def write(self, part: bytes) -> None:
        self._size += len(part)
        if self._limit_bytes is not None and self._size > self._limit_bytes:
            raise Invalid(
                "store.blob-too-large",
                "Ce fichier dépasse la taille permise.",
                "This file is larger than allowed.",
                limit_bytes=self._limit_bytes,
            )
        self._digest.update(part)
        self._file.write(part)

    def finish(self) -> tuple[str, int]:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest(), self._size

    def discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


def _absent() -> NotFound:
    return NotFound("store.no-blob", "Ce fichier n'existe pas.", "There is no such file.")


def _altered(sha256: str) -> Fault:
    return Fault(
        "store.blob-altered",
        "Ce fichier a été altéré sur le disque : il n'est pas montré.",
        "This file was altered on the disk: it is not shown.",
        "Prévenez le service informatique : il peut être restauré d'une sauvegarde.",
        "Tell the IT department: it can be restored from a backup.",
        sha256=sha256,
    )
