"""How does the house get a picture from the child process that may break?

A few children wait, warm. A request goes to a free one; if it breaks, exceeds its time or dies, it
is replaced and the request is refused: the next image is not affected.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal
from weakref import WeakKeyDictionary

from liane.base.errors import Invalid
from liane.ui.services import Services

log = logging.getLogger(__name__)

CHILDREN = 2
REQUEST_SECONDS = 15.0
REQUESTS_PER_CHILD = 2000
LONGEST_ANSWER_BYTES = 600 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the pixels of one stored object lie (a row of `imaging.instance`)."""

    sha256: str
    transfer_syntax: str
    pixel_offset: int | None
    pixel_length: int | None
    encapsulated: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready for a browser."""

    body: bytes
    media_type: str
    window: tuple[float, float] | None
    frames: int
    rows: int
    columns: int


class Renderer:
    """The warm children of this process."""

    def __init__(self, services: Services, children: int = CHILDREN) -> None:
        self._blobs = services.blobs
        self._free: asyncio.LifoQueue[_Child] = asyncio.LifoQueue()
        self._room = asyncio.Semaphore(children)

    async def picture(
        self,
        stored: Stored,
        *,
        frame: int = 0,
        window: tuple[float, float] | None = None,
        most: int | None = None,
        kind: Literal["jpeg", "png"] = "jpeg",
    ) -> Picture:
        """One frame, counted from 0, as a picture; raises `Invalid` when it cannot be shown."""
        request = {"do": "picture", "window": window, "most": most, "format": kind}
        head, body = await self._pixels(stored, frame, request)
        used = head["window"]
        return Picture(
            body=body,
            media_type=f"image/{kind}",
            window=(used[0], used[1]) if used else None,
            frames=head["frames"],
            rows=head["picture"][0],
            columns=head["picture"][1],
        )

    async def frame(self, stored: Stored, frame: int) -> bytes:
        """The bytes of one frame as stored, counted from 0."""
        return (await self._pixels(stored, frame, {"do": "frame"}))[1]

    async def metadata(self, sha256: str, link: str) -> bytes:
        """The header in DICOM JSON; `link` is the address of the object."""
        return (await self._ask(sha256, {"do": "metadata", "link": link}))[1]

    async def close(self) -> None:
        """End the children."""
        while not self._free.empty():
            self._free.get_nowait().end()

    async def _pixels(
        self, stored: Stored, frame: int, request: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        if stored.pixel_offset is None or stored.pixel_length is None:
            raise _cannot_show("no pixels")
        place = {
            "frame": frame,
            "syntax": stored.transfer_syntax,
            "offset": stored.pixel_offset,
            "length": stored.pixel_length,
            "encapsulated": stored.encapsulated,
        }
        return await self._ask(stored.sha256, {**request, **place})

    async def _ask(self, sha256: str, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        async with self._room:
            child = None if self._free.empty() else self._free.get_nowait()
            try:
                child, head, body = await asyncio.to_thread(self._exchange, child, sha256, request)
            except (OSError, ValueError, EOFError) as problem:
                log.warning("image %s broke its decoder: %s", sha256, problem)
                raise _cannot_show("decoder ended") from problem
            if child is not None:
                self._free.put_nowait(child)
        if not head["ok"]:
            log.info("image %s cannot be shown: %s", sha256, head["reason"])
            raise _cannot_show(head["reason"])
        return head, body

    def _exchange(
        self, child: _Child | None, sha256: str, request: dict[str, Any]
    ) -> tuple[_Child | None, dict[str, Any], bytes]:
        with self._blobs.open(sha256) as file:
            child = child or _Child()
            try:
                head, body = child.ask(request, file)
            except BaseException:
                child.end()
                raise
        if child.asked >= REQUESTS_PER_CHILD:
            child.end()
            return None, head, body
        return child, head, body


class _Child:
    """One limited process and the socket to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.asked = 0
        self._socket = ours
        ours.settimeout(REQUEST_SECONDS)
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (our own module, fixed arguments)
                [
                    sys.executable,
                    "-m",
                    "liane.rooms.imaging.rendering.worker",
                    str(theirs.fileno()),
                ],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )

    def ask(self, request: dict[str, Any], file: BinaryIO) -> tuple[dict[str, Any], bytes]:
        """Send one request; raises `OSError`, `ValueError` or `EOFError` when the child fails."""
        self.asked += 1
        socket.send_fds(self._socket, [json.dumps(request).encode()], [file.fileno()])
        line = bytearray()
        while not line.endswith(b"\n"):
            one = self._socket.recv(1)
            if not one or len(line) > 4096:
                raise EOFError("the child ended")
            line += one
        head = json.loads(line)
        size = head["size"]
        if not 0 <= size <= LONGEST_ANSWER_BYTES:
            raise ValueError("an answer of an impossible size")
        return head, self._body(size)

    def _body(self, size: int) -> bytes:
        body = bytearray(size)
        view, got = memoryview(body), 0
        while got < size:
            count = self._socket.recv_into(view[got:])
            if not count:
                raise EOFError("the child ended")
            got += count
        return bytes(body)

    def end(self) -> None:
        """Close the socket and make sure that the process is gone."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


def _cannot_show(reason: str) -> Invalid:
    return Invalid(
        "imaging.cannot-show",
        "Cette image ne peut pas être affichée ici ; l’original est conservé intact.",
        "This image cannot be shown here; the original is kept unchanged.",
        "Ouvrez-la sur une console d’imagerie.",
        "Open it on an imaging workstation.",
        reason=reason,
    )


_renderers: WeakKeyDictionary[Any, Renderer] = WeakKeyDictionary()


def renderer_of(services: Services) -> Renderer:
    """The renderer of this process (made at the first use, one per database of the process)."""
    found = _renderers.get(services.database)
    if found is None:
        found = _renderers[services.database] = Renderer(services)
    return found
