"""How are images taken in over HTTP (PS3.18 section 10.5)?

Each part streams to a spool and is filed like an image from the network: same checks, same
durability, same patient matching. One bad part fails alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liane.access.actor import partner
from liane.gateways.dicom import command
from liane.gateways.dicom.filing import Desk, Source, arrival_of_file
from liane.gateways.dicom.mapping import Mismatch
from liane.gateways.dicom.partners import GROUP_AUTHORITIES
from liane.gateways.dicom.pdu import Malformed
from liane.gateways.dicom.spool import Spool
from liane.gateways.dicomweb.authority import Caller
from liane.gateways.dicomweb.multipart import PartBegins, PartEnds, Piece, parts
from liane.rooms.imaging.values import Filed, Policy

ACCEPTED_TYPES = ("application/dicom", "application/octet-stream", "")
NOT_A_TYPE_WE_TAKE = 0x0122
MISMATCHED_STUDY = 0xA900


@dataclass(slots=True)
class Result:
    """What became of the parts of one request."""

    stored: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    patients: list[str | None] = field(default_factory=list)

    @property
    def status(self) -> int:
        """200 all, 202 some, 409 none."""
        if self.failed:
            return 202 if self.stored else 409
        return 200 if self.stored else 409


def source_of(caller: Caller) -> Source:
    """The program as a partner: unknown patients are provisional, never merged by themselves."""
    policy = Policy(
        source=f"DICOMweb {caller.actor.name}",
        unknown_patient="provisional",
        establishment=caller.actor.establishment or "",
        authorities=GROUP_AUTHORITIES,
    )
    return Source(partner(f"dicomweb:{caller.actor.id}", caller.actor.establishment), policy)


async def take_in(
    caller: Caller, desk: Desk, body: AsyncIterable[bytes], boundary: bytes, study_uid: str | None
) -> Result:
    """File every part of the body; with `study_uid`, only images of that examination."""
    result = Result()
    source = source_of(caller)
    folder = caller.services.home / "dicom"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    spool, kind = Spool(folder), ""
    try:
        async for event in parts(body, boundary):
            if isinstance(event, PartBegins):
                spool, kind = Spool(folder), event.content_type
            elif isinstance(event, Piece):
                spool.add(memoryview(event.data))
                if spool.is_heavy:
                    await asyncio.to_thread(spool.flush)
            elif isinstance(event, PartEnds):
                await _file(desk, source, spool, kind, study_uid, result)
                spool.discard()
    finally:
        spool.discard()
    return result


async def _file(
    desk: Desk, source: Source, spool: Spool, kind: str, study_uid: str | None, result: Result
) -> None:
    if kind not in ACCEPTED_TYPES:
        result.failed.append(_failure(NOT_A_TYPE_WE_TAKE, f"content type {kind[:60]}"))
        return
    try:
        content: bytes | Path = await asyncio.to_thread(spool.content)
        if spool.failed:
            result.failed.append(_failure(command.OUT_OF_RESOURCES, "no room"))
            return
        arrival = await asyncio.to_thread(arrival_of_file, content)
        filed = await desk.file(arrival, source, only_study=study_uid)
    except Mismatch as problem:
        result.failed.append(_failure(command.DOES_NOT_MATCH, str(problem)))
    except Malformed as problem:
        result.failed.append(_failure(command.CANNOT_UNDERSTAND, str(problem)))
    except OSError:
        result.failed.append(_failure(command.OUT_OF_RESOURCES, "not stored"))
    else:
        _note(filed, result)


def _note(filed: Filed, result: Result) -> None:
    result.stored.append(
        {
            "study_uid": filed.study_uid,
            "series_uid": filed.series_uid,
            "sop_uid": filed.sop_uid,
            "sop_class": filed.sop_class,
        }
    )
    result.patients.append(filed.patient)


def _failure(status: int, reason: str) -> dict[str, Any]:
    return {"sop_class": "", "sop_uid": "", "status": status, "reason": reason}
