"""Which internal number does the next stored row get, without asking for each one?

Rows are joined by a short number instead of the FHIR id. Numbers come from one database sequence
in blocks, so that a write needs no extra round trip; a block lost in a crash leaves a harmless gap.
"""

from __future__ import annotations

from typing import Any

BLOCK_SIZE = 500
"""Must equal the increment of the sequence `record.rid`."""


class RidBlock:
    """Numbers that this process may use."""

    def __init__(self) -> None:
        self._next = 0
        self._end = 0

    async def take(self, connection: Any, count: int) -> list[int]:
        """`count` numbers that no other row has; the sequence is asked when the block ends."""
        taken: list[int] = []
        while len(taken) < count:
            if self._next == self._end:
                blocks = max(1, (count - len(taken)) // BLOCK_SIZE)
                starts = await connection.fetch(
                    "select nextval('record.rid') as first from generate_series(1, $1::int)",
                    blocks,
                )
                for row in starts[:-1]:
                    taken.extend(range(row["first"], row["first"] + BLOCK_SIZE))
                self._next = starts[-1]["first"]
                self._end = self._next + BLOCK_SIZE
            step = min(count - len(taken), self._end - self._next)
            taken.extend(range(self._next, self._next + step))
            self._next += step
        return taken
