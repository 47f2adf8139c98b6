"""How do HL7 v2 files come in? As over the wire: kept first, then applied, then told."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from liane.gateways.hl7v2.applying import Applier
from liane.gateways.hl7v2.codec import parse
from liane.gateways.hl7v2.inbox import Inbox
from liane.gateways.hl7v2.partners import Directory, Partner, ensure
from liane.gateways.hl7v2.reception import Peer, Reception
from liane.importing.house import House
from liane.importing.report import Tally

FILES = Partner(
    id="file-import",
    name="Import de fichiers",
    certificates=("file-import",),
    unknown_patient="provisional",
)
"""The partner that messages of files come from; no system on the network can be it."""
_PEER = Peer("fichier", "file-import")
_ACCEPTED = frozenset({"AA", "CA"})


class Hl7Files:
    """The HL7 v2 door, without its port."""

    def __init__(self, house: House) -> None:
        self._house = house
        services = house.services
        self._inbox = Inbox(services.database)
        self._directory = Directory(services.database)
        applier = Applier(services.database, services.blobs)
        self._reception = Reception(services.database, self._inbox, applier, self._directory)
        self._ready = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ready:
            await self._inbox.stop()

    async def _open(self) -> None:
        async with self._house.services.database.transaction() as tx:
            await ensure(tx, FILES)
        await self._directory.refresh()
        self._inbox.start()
        self._ready = True

    async def bring(self, data: bytes, tally: Tally) -> None:
        """Every message of a file, in order."""
        if not self._ready:
            await self._open()
        cut, kept = await self._reception.keep(data.removeprefix(b"\x0b"), _PEER)
        for number, each in enumerate(kept, 1):
            answers: list[bytes] = []

            async def say(answer: bytes, told: list[bytes] = answers) -> None:
                told.append(answer)

            fresh = each.stored is not None and each.stored.fresh
            await self._reception.answer(cut, [each], say)
            _count(f"message {number}", answers, fresh=fresh, tally=tally)
        if not kept:
            tally.refuse("", "aucun message / no message")


def _count(place: str, answers: list[bytes], *, fresh: bool, tally: Tally) -> None:
    code, reason = _verdict(answers)
    if code not in _ACCEPTED and answers:
        tally.refuse(place, reason)
    elif fresh:
        tally.stored["HL7 v2"] += 1
    else:
        tally.skipped += 1


def _verdict(answers: list[bytes]) -> tuple[str, str]:
    if not answers:
        return "AA", ""
    message = parse(answers[-1])
    told, error = message.segment("MSA"), message.segment("ERR")
    reason = "" if error is None else error.get(8) or error.get(7)
    return ("" if told is None else told.get(1)), reason or "message refusé / message refused"
