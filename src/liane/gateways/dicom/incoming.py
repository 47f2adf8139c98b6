"""How is one message put together from the pieces in which it arrives (PS3.7 section 6.3)?

First the fragments of a command, then, when the command says so, those of its data set: nothing
else, in no other order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container

from liane.gateways.dicom import command
from liane.gateways.dicom.pdu import Fragment, Malformed
from liane.gateways.dicom.spool import Spool


class Incoming:
    """The message that is arriving on one association; one at a time."""

    def __init__(self, new_spool: Callable[[], Spool]) -> None:
        self._new_spool = new_spool
        self._command = bytearray()
        self.began = 0.0
        """When the first piece came (`time.monotonic`), 0 between messages."""
        self.complete = False
        self.request: command.Request | None = None
        self.spool: Spool | None = None
        self.context = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of the data set so far."""
        return self.spool.size_bytes if self.spool is not None else 0

    def take(self, piece: Fragment, accepted: Container[int]) -> None:
        """Add one fragment; `complete` tells when the message is whole."""
        if self.complete:
            raise Malformed("a second message before the answer to the first")
        if not self.began:
            self.began = time.monotonic()
        if piece.is_command:
            self._take_command(piece, accepted)
        else:
            self._take_data_set(piece)

    def forget(self) -> None:
        """Be ready for the next message; what was not handed over is dropped."""
        if self.spool is not None:
            self.spool.discard()
        self._command.clear()
        self.began = 0.0
        self.complete = False
        self.request = None
        self.spool = None
        self.context = 0

    def _take_command(self, piece: Fragment, accepted: Container[int]) -> None:
        if self.request is not None:
            raise Malformed("a command where a data set should be")
        if piece.context not in accepted:
            raise Malformed("a context that was not accepted")
        self._command += piece.data
        if len(self._command) > command.LIMIT_BYTES:
            raise Malformed("a command set that is far too long")
        if not piece.is_last:
            return
        self.request = command.decode(bytes(self._command))
        self.context = piece.context
        if self.request.has_data_set:
            self.spool = self._new_spool()
        else:
            self.complete = True

    def _take_data_set(self, piece: Fragment) -> None:
        if self.request is None or self.spool is None or piece.context != self.context:
            raise Malformed("a data set without its command")
        self.spool.add(piece.data)
        self.complete = piece.is_last
