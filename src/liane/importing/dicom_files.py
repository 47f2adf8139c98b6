"""How do DICOM files come in? As over the wire: looked over, kept bit for bit, indexed."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from liane.gateways.dicom.filing import Desk, file_object
from liane.importing.house import House
from liane.importing.report import Tally


class DicomFiles:
    """One desk for all images of an import."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._desk: Desk | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    async def bring(self, path: Path, tally: Tally) -> None:
        """One object. Raises `Invalid` when it is refused."""
        if self._desk is None:
            self._desk = await self._open.enter_async_context(Desk.opened(self._house.services))
        filed = await file_object(self._house.services, path, source="import", desk=self._desk)
        if filed.outcome == "duplicate":
            tally.skipped += 1
        elif filed.outcome == "stored":
            tally.stored["image DICOM"] += 1
        else:
            tally.refuse("", f"image mise de côté ({filed.outcome})")
