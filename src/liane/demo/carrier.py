"""Who carries a parcel to the right door, and comes back with the answer?"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from typing import Self

from liane.demo.doors import Doors, FhirAwayError, FhirDoor
from liane.demo.ledger import Parcel
from liane.demo.mllp import MllpLine
from liane.demo.storage_scu import RefusedAssociationError, StorageLine

CALLING_AE_TITLE = "DEMO_RIS"
SEND_AGAIN = "A7"
"""DICOM statuses A7xx, out of resources: the archive could not store it just now (PS3.4, table
B.2-1); a device keeps the image and sends it again.
"""
LONGEST_PAUSE_SECONDS = 1.0


class Carrier:
    """Lines to every door. Parcels of one lane always take the same line, in their order."""

    def __init__(self, doors: Doors, *, lines: int) -> None:
        self._mllp = [MllpLine(doors.mllp.host, doors.mllp.port) for _ in range(lines)]
        self._locks = [asyncio.Lock() for _ in range(lines)]
        self._storage = StorageLine(doors.dicom, doors.dicom_ae_title, CALLING_AE_TITLE)
        self._storage_lock = asyncio.Lock()
        self._fhir = FhirDoor(doors, connections=2)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(line.close() for line in self._mllp))
        await self._storage.close()
        await self._fhir.__aexit__()

    async def deliver(self, parcel: Parcel) -> str:
        """The answer's code, however often the line breaks before it comes."""
        if parcel.kind == "hl7":
            return await self._deliver_message(parcel)
        if parcel.kind == "dicom":
            return await self._deliver_image(parcel)
        resources = json.loads(parcel.payload)
        while True:
            with contextlib.suppress(FhirAwayError):
                await self._fhir.write(resources)
                return "200"

    async def _deliver_message(self, parcel: Parcel) -> str:
        index = zlib.crc32(parcel.lane.encode()) % len(self._mllp)
        async with self._locks[index]:
            answer = await self._mllp[index].send_until_applied(parcel.payload)
        return answer.code

    async def _deliver_image(self, parcel: Parcel) -> str:
        pause = 0.2
        async with self._storage_lock:
            while True:
                with contextlib.suppress(OSError, EOFError, TimeoutError, RefusedAssociationError):
                    status = await self._storage.store(parcel.payload)
                    if not status.startswith(SEND_AGAIN):
                        return status
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
