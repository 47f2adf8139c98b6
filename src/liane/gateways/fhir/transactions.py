"""In which order, under which names and with which links are the entries of a transaction written?

R4 http, transaction processing rules: deletes, then creates, then updates, then reads; an entry's
fullUrl stands for the resource it becomes; a condition names exactly one resource.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any
from urllib.parse import urlencode

from liane.base.errors import Invalid
from liane.base.ids import is_fhir_id, new_id
from liane.fhir import definitions
from liane.gateways.fhir import authority, dispatch
from liane.gateways.fhir.conditions import matching
from liane.gateways.fhir.exchange import Answer, Exchange, version_wanted
from liane.gateways.fhir.interactions import checked_type
from liane.gateways.fhir.links import rename
from liane.store import Tx
from liane.store.resources import Version, Write, read_many

Entry = tuple[Exchange, str | None]


CHUNK = 200
"""Resources written in one go."""


class Transaction:
    """One transaction Bundle on its way into the record."""

    def __init__(self, exchange: Exchange, entries: list[Entry], tx: Tx) -> None:
        self.exchange = exchange
        self.entries = entries
        self.tx = tx
        self.answers: dict[int, Answer] = {}
        self.writes: dict[int, Write] = {}
        self.names: dict[str, str] = {}
        """What each fullUrl (and each conditional reference) stands for: `Type/id`."""

    async def run(self) -> list[Answer]:
        """Serve every entry; raises, and nothing is written, when one cannot be."""
        await self._plan()
        await self._resolve_conditional_references()
        self._refuse_twice()
        for number, write in enumerate(self.writes.values()):
            if not write.deletes:
                rename(write.resource, self.names)
            if number % CHUNK == CHUNK - 1:
                await asyncio.sleep(0)
        former = await self._authorise()
        await self._write(former)
        for index, (one, _) in enumerate(self.entries):
            if dispatch.is_read(one):
                self.answers[index] = await dispatch.serve(one, self.tx)
        return [self.answers[index] for index in range(len(self.entries))]

    def _refuse_twice(self) -> None:
        """R4: a resource is written by one entry of a transaction at most."""
        keys = [(write.resource["resourceType"], write.id) for write in self.writes.values()]
        if len(set(keys)) != len(keys):
            raise Invalid(
                "fhir.same-resource-twice",
                "La même ressource est écrite par deux entrées.",
                "The same resource is written by two entries.",
            )

    async def _plan(self) -> None:
        for index, (one, full_url) in enumerate(self.entries):
            if dispatch.is_read(one):
                continue
            try:
                name = await self._plan_one(index, one)
            except Invalid as problem:
                problem.details["entry"] = index
                raise
            if full_url and name:
                self.names[full_url] = name

    async def _plan_one(self, index: int, one: Exchange) -> str | None:
        type_ = one.path[0] if one.path else ""
        if type_ not in definitions.types():
            raise dispatch.unknown_address()
        match one.method, one.path[1:]:
            case "POST", ():
                return await self._plan_create(index, one, type_)
            case "PUT", (id_,) if is_fhir_id(id_):
                return self._plan_update(index, one, type_, id_)
            case "PUT", () if one.query:
                return await self._plan_conditional_update(index, one, type_)
            case "DELETE", (id_,) if is_fhir_id(id_):
                authority.require_type(one.actor, type_, "d")
                gone = {"resourceType": type_, "id": id_}
                wanted = version_wanted(one.if_match)
                self.writes[index] = Write(gone, id=id_, if_match=wanted, deletes=True)
                return None
        raise dispatch.not_allowed()

    async def _plan_create(self, index: int, one: Exchange, type_: str) -> str:
        authority.require_type(one.actor, type_, "c")
        resource = checked_type(one.body, type_)
        if one.if_none_exist:
            authority.require_type(one.actor, type_, "s")
            found = await matching(one, self.tx, type_, one.if_none_exist)
            if found is not None:
                self.answers[index] = self._answer(found, 200)
                return found.reference
        id_ = new_id()
        # The id is new: it need not be looked for, so it is given inside the resource only.
        self.writes[index] = Write({**resource, "id": id_}, id=id_, must_be_new=True)
        return f"{type_}/{id_}"

    def _plan_update(self, index: int, one: Exchange, type_: str, id_: str) -> str:
        authority.require_type(one.actor, type_, "u")
        resource = checked_type(one.body, type_)
        if resource.get("id", id_) != id_:
            raise Invalid(
                "fhir.id-mismatch",
                f"Entrée {index} : l’identifiant du corps n’est pas celui de l’adresse.",
                f"Entry {index}: the id in the body is not the id in the address.",
            )
        wanted = version_wanted(one.if_match)
        self.writes[index] = Write({**resource, "id": id_}, id=id_, if_match=wanted)
        return f"{type_}/{id_}"

    async def _plan_conditional_update(self, index: int, one: Exchange, type_: str) -> str:
        authority.require_type(one.actor, type_, "u")
        authority.require_type(one.actor, type_, "s")
        criteria = urlencode(one.query)
        found = await matching(one, self.tx, type_, criteria)
        resource = checked_type(one.body, type_)
        if found is None:
            authority.require_type(one.actor, type_, "c")
        id_ = found.id if found is not None else str(resource.get("id") or new_id())
        self.writes[index] = Write({**resource, "id": id_}, id=id_)
        return f"{type_}/{id_}"

    async def _resolve_conditional_references(self) -> None:
        """`Patient?identifier=...` as a reference stands for the one patient it finds."""
        wanted: set[str] = set()
        for write in self.writes.values():
            _conditional(write.resource, wanted)
        for text in sorted(wanted):
            type_, _, criteria = text.partition("?")
            authority.require_type(self.exchange.actor, type_, "s")
            found = await matching(self.exchange, self.tx, type_, criteria, lock=False)
            if found is None:
                raise Invalid(
                    "fhir.precondition",
                    f"Aucune ressource ne répond à la référence « {text[:120]} ».",
                    f"No resource meets the reference '{text[:120]}'.",
                )
            self.names[text] = found.reference

    async def _authorise(self) -> dict[tuple[str, str], Version]:
        """Ask the gate once for each patient concerned, before and after the change."""
        known = await self._known()
        concerned: set[str | None] = {authority.patient_of(v) for v in known.values()}
        born = {
            write.id
            for write in self.writes.values()
            if write.must_be_new and write.resource["resourceType"] == "Patient"
        }
        for write in self.writes.values():
            type_, id_ = write.resource["resourceType"], str(write.id)
            if write.deletes:
                continue
            is_new_patient = type_ == "Patient" and (type_, id_) not in known
            patient = None if is_new_patient else self._patient(write)
            concerned.add(None if patient in born else patient)
        await authority.require_write(self.tx, self.exchange.actor, concerned)
        return known

    def _patient(self, write: Write) -> str | None:
        if self.exchange.actor.kind == "client" and self.exchange.actor.establishment is None:
            return None  # does not change the decision, and extraction is done again when stored
        return authority.patient_of_resource(write.resource)

    async def _known(self) -> dict[tuple[str, str], Version]:
        wanted: dict[str, list[str]] = defaultdict(list)
        for write in self.writes.values():
            if not write.must_be_new:
                wanted[write.resource["resourceType"]].append(str(write.id))
        known = {}
        for type_, ids in wanted.items():
            for id_, version in (await read_many(self.tx, type_, ids)).items():
                known[type_, id_] = version
        return known

    async def _write(self, former: dict[tuple[str, str], Version]) -> None:
        """Each room concerned in turn: deletes first, then creates, then updates. In pieces, so
        that a large Bundle does not keep the process from answering others.
        """
        order = sorted(self.writes, key=lambda index: _rank(self.writes[index]))
        rooms: dict[Any, list[int]] = defaultdict(list)
        for index in order:
            type_ = self.writes[index].resource["resourceType"]
            rooms[self.exchange.parts.writer(type_)].append(index)
        reason = "FHIR transaction"
        for write, indexes in rooms.items():
            for chunk in (indexes[i : i + CHUNK] for i in range(0, len(indexes), CHUNK)):
                wishes = [self.writes[index] for index in chunk]
                versions = await write(self.tx, self.exchange.actor, wishes, reason=reason)
                for index, version in zip(chunk, versions, strict=True):
                    status = self._status(index, version, former)
                    self.answers[index] = self._answer(version, status)

    def _status(self, index: int, version: Version, former: dict[tuple[str, str], Version]) -> int:
        if self.writes[index].deletes:
            return 204
        return 200 if (version.type, version.id) in former else 201

    def _answer(self, version: Version, status: int) -> Answer:
        location = f"{version.reference}/_history/{version.version}"
        return Answer(status, version.body, version, None if status == 204 else location)


def _rank(write: Write) -> int:
    if write.deletes:
        return 0
    return 1 if write.must_be_new else 2


def _conditional(node: Any, found: set[str]) -> None:
    if type(node) is dict:
        text = node.get("reference")
        if type(text) is str and "?" in text and text.partition("?")[0] in definitions.types():
            found.add(text)
        for value in node.values():
            if type(value) is dict or type(value) is list:
                _conditional(value, found)
    elif type(node) is list:
        for item in node:
            if type(item) is dict:
                _conditional(item, found)
