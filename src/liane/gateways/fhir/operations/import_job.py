"""How are the files of an import brought in, so that each line counts once whatever happens?

A few hundred lines are one transaction, and the place in the file is kept in that transaction: a
run that was killed goes on after the last line that was stored. A piece that is refused is tried
again line by line; the lines refused are told in a file of errors.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from liane.base.errors import Fault, Invalid, LianeError, Unavailable
from liane.base.ids import is_fhir_id
from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.gateways.fhir import authority
from liane.gateways.fhir.asynchronous import files, requests
from liane.gateways.fhir.asynchronous.requests import Overtaken, Request
from liane.gateways.fhir.asynchronous.running import Work
from liane.gateways.fhir.exchange import Choices, WriteMany
from liane.gateways.fhir.operations.import_asking import Input
from liane.gateways.fhir.operations.import_reading import LINE_BYTES, lines
from liane.gateways.fhir.outcomes import outcome
from liane.rooms import record
from liane.store import Database, Tx
from liane.store.resources import Version, Write, read_many
from liane.ui.services import Services

LINES = 500
"""Lines of one transaction."""
REASON = "FHIR $import"
Line = tuple[int, dict[str, Any]]
Refusal = tuple[int, LianeError]


def import_work(
    services: Services, choices: Choices, writers: Mapping[str, WriteMany] | None = None
) -> Work:
    """What the worker does for `$import`."""

    async def work(database: Database, request: Request) -> dict[str, Any]:
        run = _Run(database, request, services, choices, writers or {})
        try:
            return await run.whole()
        finally:
            run.files.abandon()

    return work


class _Run:
    """One run of one import."""

    def __init__(
        self,
        database: Database,
        request: Request,
        services: Services,
        choices: Choices,
        writers: Mapping[str, WriteMany],
    ) -> None:
        self.database = database
        self.request = request
        self.services = services
        self.hosts = choices.import_hosts
        self.writers = writers
        self.inputs = [Input(**told) for told in request.ask["inputs"]]
        place = request.place
        self.input = int(place.get("input", 0))
        self.line = int(place.get("line", 0))
        self.counts: list[Counter[str]] = [Counter(one) for one in place.get("counts", [])]
        folder = files.folder_of(Path(services.home), request.id)
        self.files = files.Files(folder, place.get("files", []))

    async def whole(self) -> dict[str, Any]:
        """Every line that is not stored yet; what the manifest needs."""
        while len(self.counts) < len(self.inputs):
            self.counts.append(Counter())
        for number in range(self.input, len(self.inputs)):
            if number > self.input:
                self.input, self.line = number, 0
            await self._file(self.inputs[number])
        told = await asyncio.to_thread(self.files.close)
        stored = [
            {"type": type_, "count": count, "inputUrl": one.url or f"content:{one.blob[:12]}"}
            for one, counted in zip(self.inputs, self.counts, strict=True)
            for type_, count in sorted(counted.items())
        ]
        return {"files": told, "told": stored, "count": self._stored}

    @property
    def _stored(self) -> int:
        return sum(sum(one.values()) for one in self.counts)

    async def _file(self, source: Input) -> None:
        piece: list[tuple[int, bytes]] = []
        actor = self.request.actor
        blobs = self.services.blobs
        try:
            async for number, line in lines(source, actor, self.database, blobs, self.hosts):
                if number <= self.line:
                    continue
                piece.append((number, line))
                if len(piece) == LINES:
                    await self._piece(source, piece)
                    piece = []
            await self._piece(source, piece)
        except (Unavailable, Fault, Overtaken):
            raise
        except LianeError as problem:
            # The file as a whole is of no use: the next one may be.
            await self._piece(source, piece)
            async with self.database.transaction() as tx:
                await self._advance(tx, source, [(0, problem)])

    async def _piece(self, source: Input, piece: Sequence[tuple[int, bytes]]) -> None:
        """Store some lines in one transaction, with the place reached and the errors met."""
        if not piece:
            return
        good, refused = await asyncio.to_thread(_parsed, source, piece)
        async with self.database.transaction() as tx:
            try:
                async with tx.savepoint():
                    written = [one for some in _apart(good) for one in await self._write(tx, some)]
            except (Unavailable, Fault):
                raise
            except LianeError:
                written, problems = await self._one_by_one(tx, good)
                refused += problems
            self.line = piece[-1][0]
            self.counts[self.input].update(version.type for version in written)
            await self._advance(tx, source, refused)

    async def _one_by_one(
        self, tx: Tx, good: Sequence[Line]
    ) -> tuple[list[Version], list[Refusal]]:
        """Each by itself, so that one bad line does not take the others with it."""
        written: list[Version] = []
        refused: list[Refusal] = []
        for line in good:
            try:
                async with tx.savepoint():
                    written += await self._write(tx, [line])
            except (Unavailable, Fault):
                raise
            except LianeError as problem:
                refused.append((line[0], problem))
        return written, refused

    async def _write(self, tx: Tx, chunk: Sequence[Line]) -> list[Version]:
        """Through the rooms' actions, once scopes and gate agree."""
        actor = self.request.actor
        known = await _known(tx, chunk)
        concerned: set[str | None] = set()
        by_type: dict[str, list[Write]] = {}
        for _, resource in chunk:
            type_ = resource["resourceType"]
            former = known.get((type_, resource.get("id", "")))
            authority.require_type(actor, type_, "u" if former is not None else "c")
            if former is not None:
                concerned.add(authority.patient_of(former))
            if type_ != "Patient" or former is not None:
                concerned.add(authority.patient_of_resource(resource))
            else:
                concerned.add(None)
            by_type.setdefault(type_, []).append(Write(resource, id=resource.get("id")))
        await authority.require_write(tx, actor, concerned)
        written: list[Version] = []
        for type_, wishes in by_type.items():
            write = self.writers.get(type_, record.write_resources)
            written += await write(tx, actor, wishes, reason=REASON)
        return written

    async def _advance(self, tx: Tx, source: Input, refused: Sequence[Refusal]) -> None:
        """Keep the place and the errors, in the transaction of the lines."""
        for number, problem in sorted(refused, key=lambda one: one[0]):
            self.files.write("OperationOutcome", _told(source, number, problem), 1, kind="error")
        place = {
            "input": self.input,
            "line": self.line,
            "counts": [dict(one) for one in self.counts],
            "files": await asyncio.to_thread(self.files.checkpoint),
        }
        await requests.advance(tx, self.request, self._stored, None, place)


def _parsed(source: Input, piece: Sequence[tuple[int, bytes]]) -> tuple[list[Line], list[Refusal]]:
    """The resources of the lines, and what cannot be read."""
    good: list[Line] = []
    refused: list[Refusal] = []
    for number, line in piece:
        try:
            resource = fhir_json.loads(line.strip(), limit_bytes=LINE_BYTES)
            _check(resource, source.type)
        except LianeError as problem:
            refused.append((number, problem))
        else:
            good.append((number, resource))
    return good, refused


def _told(source: Input, number: int, problem: LianeError) -> bytes:
    """A line of the file of errors: an OperationOutcome that names file and line (0: the file)."""
    told = fhir_json.loads(outcome(problem, "fr"))
    where = source.url or "content"
    place = f"{where}, ligne/line {number}" if number else where
    for issue in told["issue"]:
        issue["diagnostics"] = f"{place}: {issue.get('diagnostics', '')} {problem.en}"
    return fhir_json.dump_bytes(told) + b"\n"


def _check(resource: dict[str, Any], type_: str) -> None:
    if resource.get("resourceType") != type_ or type_ not in definitions.types():
        raise Invalid(
            "fhir.type-mismatch",
            f"La ligne n’est pas une ressource {type_}.",
            f"The line is not a {type_} resource.",
        )
    id_ = resource.get("id")
    if id_ is not None and not (isinstance(id_, str) and is_fhir_id(id_)):
        raise Invalid("fhir.id", "Identifiant de ressource invalide.", "Not a valid resource id.")


def _apart(good: Sequence[Line]) -> list[list[Line]]:
    """Pieces in which no resource stands twice: the later line must win."""
    pieces: list[list[Line]] = []
    seen: set[str] = set()
    for line in good:
        id_ = line[1].get("id")
        if not pieces or (id_ is not None and id_ in seen):
            pieces.append([])
            seen = set()
        pieces[-1].append(line)
        if id_ is not None:
            seen.add(id_)
    return pieces


async def _known(tx: Tx, chunk: Sequence[Line]) -> dict[tuple[str, str], Version]:
    """Those of the resources that are there already."""
    ids: dict[str, list[str]] = {}
    for _, resource in chunk:
        if "id" in resource:
            ids.setdefault(resource["resourceType"], []).append(resource["id"])
    found: dict[tuple[str, str], Version] = {}
    for type_, wanted in ids.items():
        for id_, version in (await read_many(tx, type_, wanted)).items():
            found[type_, id_] = version
    return found
