"""What happens to an image between its last byte and the word Success?

It is looked over, its bytes become durable, its index row is committed: then, and only then, it is
`Filed`. The examination's resource and thumbnail follow within a moment, in the background; if the
process dies in between, the next start finds what is missing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path

from liane.access.actor import SYSTEM, Actor
from liane.base.errors import Invalid
from liane.gateways.dicom import mapping, part10, partners, registry
from liane.gateways.dicom.following import Follower
from liane.gateways.dicom.header import Data
from liane.gateways.dicom.mapping import Expected, Mismatch
from liane.gateways.dicom.pdu import Malformed
from liane.gateways.dicom.registry import TransferSyntax
from liane.rooms.imaging import actions
from liane.rooms.imaging.values import Filed, Instance, Policy
from liane.ui.services import Services

log = logging.getLogger(__name__)

BATCH = 64
SMALL_BYTES = 2 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024

__all__ = ["Arrival", "Desk", "Filed", "Source", "file_object"]


@dataclass(frozen=True, slots=True)
class Source:
    """On whose behalf objects are filed, and by which rules."""

    actor: Actor
    policy: Policy

    @classmethod
    def named(cls, name: str) -> Source:
        """The platform itself bringing objects in (`import`): unknown patients are provisional."""
        policy = Policy(name, "provisional", authorities=partners.GROUP_AUTHORITIES)
        return cls(SYSTEM(name), policy)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One data set as it came: in memory, or in a file of ours from `offset` on."""

    content: bytes | Path
    syntax: TransferSyntax
    offset: int = 0
    expected: Expected | None = None


class Desk:
    """Takes objects in, several at a time, and commits their index rows together."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: list[tuple[Instance, Source, asyncio.Future[Filed]]] = []
        self._indexing: asyncio.Task[None] | None = None
        self.follower = Follower(services)

    @classmethod
    @asynccontextmanager
    async def opened(cls, services: Services) -> AsyncIterator[Desk]:
        """A desk for a while; at the end every examination is told in the record."""
        desk = cls(services)
        try:
            yield desk
        finally:
            await desk.follower.finish()

    async def file(
        self, arrival: Arrival, source: Source, *, only_study: str | None = None
    ) -> Filed:
        """Make one object durable and indexed; with `only_study`, refuse any other examination.

        Raises `Malformed` or `Mismatch` when it is refused, `OSError` when there is no room.
        """
        instance, front = await self._examined(arrival, source.policy)
        if only_study is not None and instance.study_uid != only_study:
            raise Mismatch("the image is of another study than the address")
        blob = await self._services.blobs.put(_parts(front, arrival))
        kept = replace(instance, sha256=blob.sha256, size=blob.size)
        filed = await self._indexed(kept, source)
        if filed.outcome in ("stored", "duplicate") and filed.patient is not None:
            self.follower.touch(filed.study_uid)
        return filed

    async def _examined(self, arrival: Arrival, policy: Policy) -> tuple[Instance, bytes]:
        small = isinstance(arrival.content, bytes) and len(arrival.content) <= SMALL_BYTES
        if small:
            return _examine(arrival, policy)
        return await asyncio.to_thread(_examine, arrival, policy)

    async def _indexed(self, instance: Instance, source: Source) -> Filed:
        done: asyncio.Future[Filed] = asyncio.get_running_loop().create_future()
        self._waiting.append((instance, source, done))
        if self._indexing is None:
            self._indexing = asyncio.create_task(self._index())
        return await done

    async def _index(self) -> None:
        """Commit what waits; while one transaction runs, the next batch gathers."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                try:
                    await self._commit(batch)
                except Exception:
                    log.exception("a batch of images could not be indexed; trying one by one")
                    await self._commit_singly(batch)
        finally:
            self._indexing = None

    async def _commit(self, batch: list[tuple[Instance, Source, asyncio.Future[Filed]]]) -> None:
        filed: list[Filed] = []
        async with self._services.database.transaction() as tx:
            for actor, items in _by_actor(batch):
                filed += await actions.file_instances(tx, actor, items)
        for (_, _, done), one in zip(batch, filed, strict=True):
            if not done.done():
                done.set_result(one)

    async def _commit_singly(
        self, batch: list[tuple[Instance, Source, asyncio.Future[Filed]]]
    ) -> None:
        for one in batch:
            try:
                await self._commit([one])
            except Exception as problem:  # noqa: BLE001 (handed to whoever waits for it)
                if not one[2].done():
                    one[2].set_exception(problem)


def _by_actor(
    batch: list[tuple[Instance, Source, asyncio.Future[Filed]]],
) -> Iterable[tuple[Actor, list[tuple[Instance, Policy]]]]:
    """Neighbours of one actor together, the order kept."""
    groups: list[tuple[Actor, list[tuple[Instance, Policy]]]] = []
    for instance, source, _ in batch:
        if not groups or groups[-1][0] != source.actor:
            groups.append((source.actor, []))
        groups[-1][1].append((instance, source.policy))
    return groups


def _examine(arrival: Arrival, policy: Policy) -> tuple[Instance, bytes]:
    """Look the object over; give its facts and the bytes that stand in front of it."""
    with _viewed(arrival) as data:
        instance = mapping.describe(
            data, arrival.syntax, expected=arrival.expected, quarantine=policy.quarantine
        )
    front = part10.front(instance.sop_class, instance.sop_uid, arrival.syntax.uid)
    start = instance.pixel_offset
    placed = replace(
        instance,
        dataset_offset=len(front),
        pixel_offset=None if start is None else start + len(front),
    )
    return placed, front


@contextmanager
def _viewed(arrival: Arrival) -> Iterator[Data]:
    if isinstance(arrival.content, bytes):
        yield memoryview(arrival.content)[arrival.offset :]
        return
    if arrival.content.stat().st_size <= arrival.offset:
        raise Malformed("truncated: nothing after the file meta information")
    with arrival.content.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as mapped:
        view = memoryview(mapped)
        rest = view[arrival.offset :]
        try:
            yield rest
        finally:
            rest.release()
            view.release()


def _parts(front: bytes, arrival: Arrival) -> Iterator[bytes]:
    yield front
    if isinstance(arrival.content, bytes):
        yield arrival.content[arrival.offset :] if arrival.offset else arrival.content
        return
    with arrival.content.open("rb") as file:
        file.seek(arrival.offset)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def arrival_of_file(content: bytes | Path) -> Arrival:
    """A DICOM file (PS3.10) as an arrival; raises `Malformed`."""
    if isinstance(content, bytes):
        start: bytes = content[: part10.META_LIMIT_BYTES]
    else:
        with content.open("rb") as file:
            start = file.read(part10.META_LIMIT_BYTES)
    meta = part10.read_front(start)
    syntax = registry.transfer_syntaxes().get(meta.transfer_syntax)
    if syntax is None:
        raise Malformed(f"transfer syntax {meta.transfer_syntax[:64]} is not accepted")
    expected = None
    if meta.sop_instance and meta.sop_class:
        expected = Expected(meta.sop_class, meta.sop_instance)
    return Arrival(content, syntax, meta.offset, expected)


async def file_object(
    services: Services, content: bytes | Path, *, source: Source | str, desk: Desk | None = None
) -> Filed:
    """File one DICOM file (bytes, or a path). For many, open one `Desk` and pass it.

    Raises `Invalid` with the reason when the object is refused.
    """
    named = Source.named(source) if isinstance(source, str) else source
    try:
        arrival = await asyncio.to_thread(arrival_of_file, content)
        if desk is not None:
            return await desk.file(arrival, named)
        async with Desk.opened(services) as own:
            return await own.file(arrival, named)
    except (Malformed, Mismatch) as problem:
        raise Invalid(
            "dicom.refused",
            f"Cet objet DICOM est refusé : {problem}.",
            f"This DICOM object is refused: {problem}.",
        ) from problem
