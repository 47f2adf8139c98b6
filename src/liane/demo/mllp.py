"""How does a sending system hand a message over and wait for the answer, whatever happens?

One connection, one message at a time (the original acknowledgement mode). When the line breaks or
nothing is answered, the same bytes are sent again with the same control id until an answer comes:
the receiver must know a repetition when it sees one.
"""

from __future__ import annotations

import asyncio
import contextlib

from liane.demo.hl7 import Answer, read_answer

START, END = b"\x0b", b"\x1c\r"
ANSWER_LIMIT_BYTES = 1 << 20
ANSWER_WITHIN_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
AE_PAUSES_SECONDS = (0.3, 1.0, 3.0, 6.0)


class MllpLine:
    """A line to an MLLP port that mends itself."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.repeated = 0
        """How many times a message was sent again."""

    async def send(self, message: bytes, *, patience_seconds: float | None = None) -> Answer:
        """The answer to `message`. Sends it again after every break.

        `patience_seconds` None: for ever; otherwise `TimeoutError` when it has passed.
        """
        async with asyncio.timeout(patience_seconds):
            pause = FIRST_PAUSE_SECONDS
            while True:
                try:
                    async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                        return await self._exchange(message)
                except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, TimeoutError):
                    await self.close()
                    self.repeated += 1
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)

    async def send_until_applied(self, message: bytes) -> Answer:
        """The answer to `message`, sent again a few times while it is AE (kept, not applied):
        the reason may pass, and the receiver knows a repetition when it sees one.
        """
        answer = await self.send(message)
        for pause in AE_PAUSES_SECONDS:
            if answer.code != "AE":
                break
            await asyncio.sleep(pause)
            self.repeated += 1
            answer = await self.send(message)
        return answer

    async def close(self) -> None:
        """Hang up."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _exchange(self, message: bytes) -> Answer:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(
                self._host, self._port, limit=ANSWER_LIMIT_BYTES
            )
        self._writer.write(START + message + END)
        await self._writer.drain()
        frame = await self._reader.readuntil(END)
        answer = read_answer(frame.lstrip(b"\x0b\r\n").removesuffix(END))
        control_id = message.split(b"|", 10)[9].decode("ascii", "replace")
        if answer.control_id != control_id:
            raise ValueError("the answer is to another message")
        return answer
