"""In which order, under which names and with which links are the entries of a transaction written?

R4 http, transaction processing rules: deletes, then creates, then updates and patches, then reads;
an entry's fullUrl stands for the resource it becomes; a condition names exactly one resource.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from liane.base.errors import Invalid, LianeError
from liane.gateways.fhir import authority, dispatch, patching
from liane.gateways.fhir.conditions import Q, condition_key, lock_criteria, matching
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.links import rename
from liane.gateways.fhir.planning import Plan, conditional_links, plan_of, sender_base
from liane.gateways.fhir.writes import gone, require_match, told
from liane.store import Tx, conformance
from liane.store.resources import Version, Write

Entry = tuple[Exchange, str | None]
Key = tuple[str, str]

CHUNK = 200
"""Resources written in one go."""


class Transaction:
    """One transaction Bundle on its way into the record."""

    def __init__(self, exchange: Exchange, entries: list[Entry], tx: Tx) -> None:
        self.exchange = exchange
        self.entries = entries
        self.tx = tx
        self.plans: list[Plan] = []
        self.answers: dict[int, Answer] = {}
        self.names: dict[str, str] = {}
        """What each fullUrl (and each conditional reference) stands for: `Type/id`."""
        self.known: dict[Key, Version] = {}
        """What is there now of all that is written, locked."""

    async def run(self) -> list[Answer]:
        """Serve every entry; raises, and nothing is written, when one cannot be."""
        self._plan()
        await self._meet_conditions()
        self._name()
        self._refuse_twice()
        await self._lock()
        self._patch()
        await self._resolve_conditional_references()
        await self._rename()
        await self._authorise()
        await self._write()
        for index, (one, _) in enumerate(self.entries):
            if dispatch.is_read(one):
                with of_entry(index):
                    self.answers[index] = await dispatch.serve(one, self.tx)
        return [self.answers[index] for index in range(len(self.entries))]

    def _plan(self) -> None:
        for index, (one, full_url) in enumerate(self.entries):
            if not dispatch.is_read(one):
                with of_entry(index):
                    self.plans.append(plan_of(index, one, full_url))

    async def _meet_conditions(self) -> None:
        """Look up what conditional entries name, once all their conditions are held."""
        conditional = [plan for plan in self.plans if plan.criteria is not None]
        if not conditional:
            return
        asked = [(plan.type, plan.criteria or "") for plan in conditional]
        await lock_criteria(self.tx, asked)
        for plan in conditional:
            with of_entry(plan.index):
                authority.require_type(plan.exchange.actor, plan.type, "s")
                criteria = plan.criteria or ""
                found = await matching(plan.exchange, self.tx, plan.type, criteria, lock=False)
                plan.meet(found)
                if plan.done and found is not None:
                    await authority.require_open(self.tx, plan.exchange.actor, found)
                    self.answers[plan.index] = self._answer(found, 200)
                elif plan.done:
                    self.answers[plan.index] = Answer(204)
        _refuse_same_condition([p for p in conditional if not p.done and p.met is None])

    def _name(self) -> None:
        for plan in self.plans:
            if plan.id is None or plan.kind == "delete":
                continue
            self.names.update(dict.fromkeys(plan.names(), f"{plan.type}/{plan.id}"))

    def _refuse_twice(self) -> None:
        """R4: a resource is written by one entry of a transaction at most."""
        seen: set[Key] = set()
        for plan in self._open():
            if plan.key in seen:
                with of_entry(plan.index):
                    raise Invalid(
                        "fhir.same-resource-twice",
                        f"{plan.type}/{plan.id} est déjà écrit par une autre entrée.",
                        f"{plan.type}/{plan.id} is written by another entry already.",
                    )
            seen.add(plan.key)

    def _open(self) -> Iterator[Plan]:
        return (plan for plan in self.plans if not plan.done)

    async def _lock(self) -> None:
        """What is there, locked in one order, so that transactions never wait in a circle."""
        keys = sorted(plan.key for plan in self._open() if not plan.is_new)
        if not keys:
            return
        rows = await self.tx.fetch(Q["read_many_locked"], *map(list, zip(*keys, strict=True)))
        for row in rows:
            version = Version(*row)
            self.known[version.type, version.id] = version
        for plan in self._open():
            if not plan.is_new:
                with of_entry(plan.index):
                    plan.require_still(self.known.get(plan.key))
                    require_match(plan.exchange, self.known.get(plan.key))

    def _patch(self) -> None:
        for plan in self._open():
            if plan.kind == "patch":
                with of_entry(plan.index):
                    former = self.known.get(plan.key)
                    if former is None:
                        raise authority.absent(plan.type, str(plan.id))
                    if former.deleted:
                        raise gone(former)
                    plan.resource = patching.patched(plan.exchange, former)

    async def _rename(self) -> None:
        for number, plan in enumerate(self._open(), 1):
            if plan.kind != "delete":
                rename(plan.resource, self.names, sender_base(plan))
            if number % CHUNK == 0:
                await asyncio.sleep(0)

    async def _resolve_conditional_references(self) -> None:
        """`Patient?identifier=...` as a reference stands for the one patient it finds, which may
        be one of this Bundle.
        """
        wanted: set[str] = set()
        for plan in self._open():
            if plan.kind != "delete":
                conditional_links(plan.resource, wanted)
        own = {
            condition_key(plan.type, plan.criteria): f"{plan.type}/{plan.id}"
            for plan in self.plans
            if plan.criteria is not None and plan.kind != "delete"
        }
        for text in sorted(wanted):
            type_, _, criteria = text.partition("?")
            self.names[text] = own.get(condition_key(type_, criteria)) or (
                await self._found_by_reference(text, type_, criteria)
            )

    async def _found_by_reference(self, text: str, type_: str, criteria: str) -> str:
        authority.require_type(self.exchange.actor, type_, "s")
        found = await matching(self.exchange, self.tx, type_, criteria, lock=False)
        if found is None:
            raise Invalid(
                "fhir.precondition",
                f"Aucune ressource ne répond à la référence « {text[:120]} ».",
                f"No resource meets the reference '{text[:120]}'.",
            )
        return found.reference

    async def _authorise(self) -> None:
        """Ask the gate once for each patient concerned, before and after the change."""
        former = [version for version in self.known.values() if not version.deleted]
        concerned: set[str | None] = {authority.patient_of(version) for version in former}
        born = {plan.id for plan in self._open() if plan.type == "Patient" and self._creates(plan)}
        for plan in self._open():
            if plan.kind == "delete":
                continue
            patient = None if plan.id in born else self._patient(plan)
            concerned.add(None if patient in born else patient)
        await authority.require_write(self.tx, self.exchange.actor, concerned)

    def _creates(self, plan: Plan) -> bool:
        return plan.kind != "delete" and plan.key not in self.known

    def _patient(self, plan: Plan) -> str | None:
        if not authority.restricted(self.exchange.actor):
            return None  # does not change the decision, and extraction is done again when stored
        return authority.patient_of_resource(plan.resource)

    async def _write(self) -> None:
        """Each room concerned in turn: deletes first, then creates, then updates. In pieces, so
        that a large Bundle does not keep the process from answering others.
        """
        rooms: dict[Any, list[Plan]] = defaultdict(list)
        for plan in sorted(self._open(), key=lambda plan: plan.rank):
            if self._creates(plan):
                authority.require_type(plan.exchange.actor, plan.type, "c")
            rooms[self.exchange.parts.writer(plan.type)].append(plan)
        if self.exchange.returns == "OperationOutcome":
            conformance.listen()
        for write, plans in rooms.items():
            for chunk in (plans[i : i + CHUNK] for i in range(0, len(plans), CHUNK)):
                wishes = [_wish(plan) for plan in chunk]
                with _placed(chunk):
                    versions = await write(
                        self.tx, self.exchange.actor, wishes, reason="FHIR transaction"
                    )
                for plan, version in zip(chunk, versions, strict=True):
                    self.answers[plan.index] = self._answer(version, self._status(plan))

    def _status(self, plan: Plan) -> int:
        if plan.kind == "delete":
            return 204
        return 201 if self._creates(plan) else 200

    def _answer(self, version: Version, status: int) -> Answer:
        location = f"{version.reference}/_history/{version.version}" if version.version else None
        body = version.body
        if self.exchange.returns == "OperationOutcome":
            number = f"{version.reference} version {version.version}"
            body = told(
                f"{number} enregistrée.",
                f"{number} stored.",
                self.exchange.language,
                conformance.heard(version.type, version.id),
            )
        return Answer(status, body, version, None if status == 204 else location)


@contextmanager
def _placed(chunk: Sequence[Plan]) -> Iterator[None]:
    """Findings of validation name the entry they are about."""
    try:
        yield
    except Invalid as refusal:
        places = refusal.details.get("places")
        if isinstance(places, tuple):
            open_ = [plan for plan in chunk if plan.kind != "delete"]
            refusal.issues = tuple(
                replace(
                    issue,
                    path=f"Bundle.entry[{open_[place].index}].resource"
                    f"{issue.path.removeprefix(open_[place].type)}",
                )
                for issue, place in zip(refusal.issues, places, strict=True)
            )
        raise


def _wish(plan: Plan) -> Write:
    if plan.kind == "delete":
        return Write({"resourceType": plan.type, "id": plan.id}, id=plan.id, deletes=True)
    return Write(plan.resource, id=plan.id, must_be_new=plan.is_new)


def _refuse_same_condition(plans: list[Plan]) -> None:
    """Two entries with one condition would be two resources that meet it, or one written twice."""
    seen: set[str] = set()
    for plan in plans:
        with of_entry(plan.index):
            key = condition_key(plan.type, plan.criteria or "")
            if key in seen:
                raise Invalid(
                    "fhir.same-condition-twice",
                    f"La condition « {plan.type}?{plan.criteria} » est posée par deux entrées."[
                        :200
                    ],
                    f"The condition '{plan.type}?{plan.criteria}' is set by two entries."[:200],
                )
            seen.add(key)


@contextmanager
def of_entry(index: int) -> Iterator[None]:
    """Say which entry of the Bundle a refusal is about."""
    try:
        yield
    except LianeError as problem:
        problem.details.setdefault("entry", index)
        raise
