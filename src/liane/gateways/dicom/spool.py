"""Where does an image wait while it is still arriving?

In memory while it is small, in a temporary file of ours once it is not: a film of two gigabytes
must not cost two gigabytes of memory. What the peer calls the image never names the file.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

MEMORY_LIMIT_BYTES = 8 * 1024 * 1024
OBJECT_LIMIT_BYTES = 8 * 1024**3
"""Beyond this one object is taken for an attack and dropped while it arrives."""


class Spool:
    """The pieces of one data set, in order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: list[bytes] = []
        self._path: Path | None = None
        self._failed = False
        self.size_bytes = 0
        self.in_memory_bytes = 0

    @property
    def failed(self) -> bool:
        """Whether the disk or the size limit refused a part; the object cannot be kept."""
        return self._failed

    @property
    def is_light(self) -> bool:
        """Whether everything is in memory, so that `content` does not touch the disk."""
        return self._path is None

    @property
    def is_heavy(self) -> bool:
        """Whether `flush` should run before more is added."""
        return self.in_memory_bytes >= MEMORY_LIMIT_BYTES

    def add(self, piece: memoryview) -> None:
        """Take one more piece (copied); after a failure pieces are counted and dropped."""
        self.size_bytes += len(piece)
        if self.size_bytes > OBJECT_LIMIT_BYTES:
            self._fail()
        if self._failed:
            return
        self._parts.append(bytes(piece))
        self.in_memory_bytes += len(piece)

    def flush(self) -> None:
        """Move what is in memory to the temporary file. Blocking: call it in a thread."""
        parts, self._parts = self._parts, []
        self.in_memory_bytes = 0
        if self._failed:
            return
        try:
            if self._path is None:
                handle, name = tempfile.mkstemp(
                    prefix="arriving-", suffix=".dicom", dir=self._folder
                )
                self._path = Path(name)
            else:
                handle = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            with os.fdopen(handle, "wb") as file:
                file.writelines(parts)
        except OSError:
            self._fail()

    def content(self) -> bytes | Path:
        """The whole data set: bytes, or the file it was written to. Blocking when in a file."""
        if self._path is None:
            return b"".join(self._parts)
        self.flush()
        return self._path

    def discard(self) -> None:
        """Forget everything, the temporary file included."""
        self._parts = []
        self.in_memory_bytes = 0
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def _fail(self) -> None:
        self._failed = True
        self.discard()
