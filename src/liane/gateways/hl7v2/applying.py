"""What becomes of a message that is safe: applied, kept, held or failed, and what is its sender
told?

All effects of a message, its fate and its answer are one transaction: after a crash it was either
applied, with its answer on record, or it was not touched and is applied at the next start. Messages
about the same patient are applied one after the other, in the order they came.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from liane.access.actor import partner as partner_actor
from liane.base.errors import Busy, Conflict, LianeError, Unavailable
from liane.gateways.hl7v2 import answers, inbox
from liane.gateways.hl7v2.answers import Event, State
from liane.gateways.hl7v2.building import CODES, Problem, acknowledgement
from liane.gateways.hl7v2.codec import Message
from liane.gateways.hl7v2.inbox import Settlement
from liane.gateways.hl7v2.interpreting import INTERPRETERS, SHARING
from liane.gateways.hl7v2.partners import Partner
from liane.gateways.hl7v2.work import AgreedTraits, NotInterpreted, PatientUnknown, Work
from liane.store import Database, Tx
from liane.store.blobs import Blobs
from liane.store.together import Rounds

log = logging.getLogger(__name__)

ATTEMPTS = 4
WAIT_SECONDS = (0.05, 0.25, 1.0)
SHARED_SEGMENTS, SHARED_BYTES = 60, 64 * 1024
"""Messages up to this size share transactions with others that arrive at the same moment."""


class SettledElsewhere(Exception):
    """Another process or connection settled this message first; our effects are rolled back."""


class Overtaken(Conflict):
    """Another write won a race in the database; the same message passes when it is repeated."""


@asynccontextmanager
async def _overtaken_told_apart() -> AsyncIterator[None]:
    try:
        yield
    except Conflict as conflict:
        if conflict.code in {"store.overtaken", "store.version-mismatch", "store.exists"}:
            raise Overtaken(
                "hl7v2.overtaken",
                "Trop de modifications au même moment sur ce dossier.",
                "Too many changes to this record at the same moment.",
            ) from conflict
        raise


class PatientLocks:
    """One lock for each patient number in use: first come, first applied."""

    def __init__(self) -> None:
        self._locks: OrderedDict[str, tuple[asyncio.Lock, int]] = OrderedDict()

    @asynccontextmanager
    async def holding(self, names: Sequence[str]) -> AsyncIterator[None]:
        """Hold every named lock, always taken in the same order."""
        taken: list[str] = []
        try:
            for name in sorted(set(names)):
                lock, users = self._locks.get(name, (asyncio.Lock(), 0))
                self._locks[name] = (lock, users + 1)
                try:
                    await lock.acquire()
                except BaseException:
                    self._forget(name)
                    raise
                taken.append(name)
            yield
        finally:
            for name in reversed(taken):
                self._locks[name][0].release()
                self._forget(name)

    def _forget(self, name: str) -> None:
        lock, users = self._locks[name]
        if users <= 1:
            del self._locks[name]
        else:
            self._locks[name] = (lock, users - 1)


def patient_names(message: Message) -> list[str]:
    """The numbers by which a message may speak of a patient (PID-3, MRG-1), as lock names."""
    names = []
    for segment in message.segments:
        number = {"PID": 3, "MRG": 1}.get(segment.name)
        if number is not None:
            mark = message.delimiters.repetition
            numbers = (
                text.split(message.delimiters.component, 1)[0]
                for text in segment[number][:4096].split(mark)
            )
            names += [text for text in numbers if text]
    return names[:16]


class Applier:
    """Applies messages that are already durable."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        self._locks = PatientLocks()
        self._agreed = AgreedTraits()
        self._rounds = Rounds(database)

    async def apply(
        self, message_id: str, message: Message, partner: Partner, received_at: datetime
    ) -> Settlement:
        """Apply one message and return its fate and answer. Raises `Unavailable` when the
        database does not answer: the message stays pending and is applied later.
        """
        async with self._locks.holding(patient_names(message)):
            for attempt in range(ATTEMPTS):
                try:
                    return await self._attempt(message_id, message, partner, received_at)
                except (Busy, Unavailable, Overtaken):
                    if attempt + 1 == ATTEMPTS:
                        raise
                    await asyncio.sleep(WAIT_SECONDS[min(attempt, len(WAIT_SECONDS) - 1)])
            raise AssertionError("unreachable")

    async def _attempt(
        self, message_id: str, message: Message, partner: Partner, received_at: datetime
    ) -> Settlement:
        try:
            return await self._effects(message_id, message, partner, received_at)
        except SettledElsewhere:
            return await self._fate_on_record(message_id)
        except NotInterpreted as nothing:
            fate = self._kept(message, nothing.fr, nothing.en)
        except (Busy, Unavailable, Overtaken):
            raise
        except PatientUnknown as doubt:
            fate = self._refused(message, Event.PATIENT_UNKNOWN, doubt, partner)
        except LianeError as problem:
            fate = self._refused(message, Event.FAILED, problem, partner)
        except Exception:
            log.exception("message %s could not be applied", message_id)
            fate = self._refused(message, Event.FAILED, _own_fault(), partner)
        return await self._settled(message_id, fate)

    async def _effects(
        self, message_id: str, message: Message, partner: Partner, received_at: datetime
    ) -> Settlement:
        interpreter = INTERPRETERS.get(message.kind)
        if interpreter is None:
            raise NotInterpreted(
                f"Événement {message.kind} : bien reçu et conservé, non interprété.",
                f"Event {message.kind}: received and kept, not interpreted.",
            )
        source = partner.source(message.header.get(3), message.header.get(4))
        actor = partner_actor(partner.name, partner.establishment or None)

        async def piece(tx: Tx) -> Settlement:
            work = Work(tx, actor, self._blobs, self._agreed, partner, message, source, received_at)
            await interpreter(work)
            fate = Settlement(
                State.APPLIED,
                self._answer(message, Event.APPLIED),
                work.resources,
                work.patient,
                flags=tuple(work.flags),
            )
            if not await inbox.settle(tx, message_id, fate):
                raise SettledElsewhere
            return fate

        async with _overtaken_told_apart():
            if interpreter not in SHARING or _is_large(message):
                async with self._database.transaction() as tx:
                    return await piece(tx)
            return await self._rounds.run(piece)

    def _answer(
        self, message: Message, event: Event, problems: Sequence[Problem] = ()
    ) -> bytes | None:
        code = answers.original_answer(State.PENDING, event)
        now = self._database.clock.now()
        return acknowledgement(message, code, now, problems) if code else None

    def _kept(self, message: Message, fr: str, en: str) -> Settlement:
        answer = self._answer(message, Event.NOT_INTERPRETED)
        return Settlement(
            State.KEPT, answer, reason_code="not-interpreted", reason_fr=fr, reason_en=en
        )

    def _refused(
        self, message: Message, event: Event, problem: LianeError, partner: Partner
    ) -> Settlement:
        told = problem_of(problem, partner.language)
        state = answers.step(State.PENDING, event).state
        return Settlement(
            state,
            self._answer(message, event, [told]),
            reason_code=problem.code,
            reason_fr=f"{problem.fr} {problem.advice_fr}".strip(),
            reason_en=f"{problem.en} {problem.advice_en}".strip(),
        )

    async def _settled(self, message_id: str, fate: Settlement) -> Settlement:
        async with self._database.transaction() as tx:
            if await inbox.settle(tx, message_id, fate):
                return fate
        return await self._fate_on_record(message_id)

    async def _fate_on_record(self, message_id: str) -> Settlement:
        async with self._database.reading() as tx:
            row = await tx.fetchrow(inbox.Q["settled"], tx.tenant, message_id)
        return Settlement(State(row["state"]), row["ack"])


def _is_large(message: Message) -> bool:
    """Whether the others would have to wait for its last line."""
    return len(message.segments) > SHARED_SEGMENTS or len(message.raw) > SHARED_BYTES


def problem_of(problem: LianeError, language: str) -> Problem:
    """A refusal as an ERR segment: the code the rule names, else an application error."""
    code = str(problem.details.get("hl7_code", "207"))
    words = f"{problem.message(language)} {problem.advice(language)}".strip()
    location = str(problem.details.get("location", ""))
    return Problem(code, CODES.get(code, "Application error"), words, location)


def _own_fault() -> LianeError:
    return LianeError(
        "hl7v2.own-fault",
        "Une erreur de Liane empêche d'appliquer ce message ; il est conservé.",
        "An error of Liane's own prevents this message from being applied; it is kept.",
        "Prévenez le support avec l'heure du message ; rejouez-le après la correction.",
        "Tell support, with the time of the message; replay it once corrected.",
    )
