"""Who sent this delivery, is it safe, and what is answered?

One delivery is one MLLP frame (or one file): usually one message, sometimes several or a batch.
Each message is stored before anything is said about it; each delivery gets one answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from liane.base.errors import Invalid, LianeError
from liane.base.ids import new_id
from liane.gateways.hl7v2 import answers, batches, building, refusals
from liane.gateways.hl7v2.answers import Event, State
from liane.gateways.hl7v2.applying import Applier, problem_of
from liane.gateways.hl7v2.building import CODES, Problem
from liane.gateways.hl7v2.codec import Message, parse
from liane.gateways.hl7v2.inbox import Arrival, Inbox, Stored, fingerprint
from liane.gateways.hl7v2.mapping.datatypes import instant
from liane.gateways.hl7v2.partners import Directory, Partner, Recognised
from liane.store import Database

log = logging.getLogger(__name__)

THREAD_BYTES = 128 * 1024
"""Larger messages are cut in a thread, so that other lines are not held up."""
SAMPLE_BYTES = 64 * 1024
REFUSALS_KEPT_PER_MINUTE = 20

Say = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a line."""

    address: str
    certificate: str = ""
    """SHA-256 of its certificate, hexadecimal, or nothing."""


@dataclass(slots=True)
class Kept:
    """A message of the delivery, with where it is stored."""

    message: Message | None
    partner: Partner | None
    arrival: Arrival
    event: Event
    stored: Stored | None = None
    problem: Problem | None = None


@dataclass(slots=True)
class Counters:
    """What this process has seen since it started."""

    received: int = 0
    answered: int = 0
    refused: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=100))


class Reception:
    """Takes deliveries from lines and gives answers back."""

    def __init__(
        self, database: Database, inbox: Inbox, applier: Applier, directory: Directory
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._applier = applier
        self._directory = directory
        self._refusals: dict[str, list[float]] = {}
        self.in_flight: set[str] = set()
        self.counters = Counters()

    async def keep(self, delivery: bytes, peer: Peer) -> tuple[batches.Delivery, list[Kept]]:
        """Make every message of a delivery durable; nothing is applied or answered yet."""
        self.counters.received += 1
        cut = batches.split(delivery)
        batch = new_id() if len(cut.messages) > 1 or cut.is_batch else ""
        kept = [await self._read(raw, peer, batch) for raw in cut.messages]
        await asyncio.gather(*(self._store(each, peer) for each in kept))
        return cut, kept

    async def answer(self, cut: batches.Delivery, kept: list[Kept], say: Say) -> None:
        """Apply what was kept, in order, and say one answer for the delivery."""
        told: list[bytes] = []
        for each in kept:
            told += await self._fate(each, say)
        if not cut.messages:
            told.append(self._empty())
        if told:
            await say(building.joined(told, cut.is_batch))
            self.counters.answered += 1

    async def refuse_too_large(self, start: bytes, peer: Peer, limit: int) -> bytes:
        """Keep the beginning of an endless message, and the answer to give before hanging up."""
        problem = refusals.too_large(limit)
        return await self._refuse(start, peer, Event.TOO_LARGE, problem)

    async def refuse_noise(self, start: bytes, peer: Peer) -> bytes:
        """The same for bytes that are not even framed."""
        return await self._refuse(start, peer, Event.NOT_HL7, refusals.unframed())

    async def keep_truncated(self, data: bytes, peer: Peer) -> None:
        """Keep the beginning of a message whose end never came. Its sender is told nothing: it
        will send it again.
        """
        log.warning("message cut short by %s after %d bytes", peer.address, len(data))
        await self._refuse(data, peer, Event.NOT_HL7, refusals.cut_short())

    async def _refuse(self, start: bytes, peer: Peer, event: Event, problem: LianeError) -> bytes:
        each = Kept(None, None, _arrival(start[:SAMPLE_BYTES], peer, problem), event)
        await self._store(each, peer)
        code = answers.original_answer(State.NEW, event) or "AR"
        return building.refusal(code, self._now(), problem_of(problem, "fr"), start)

    def _now(self) -> Any:
        return self._database.clock.now()

    def _empty(self) -> bytes:
        return building.refusal("AR", self._now(), Problem("100", CODES["100"], _EMPTY))

    async def _read(self, raw: bytes, peer: Peer, batch: str) -> Kept:
        """Cut one message and recognise its sender."""
        known = self._directory.recognise(peer.address, peer.certificate, "")
        charset = known.partner.charset if known.partner else ""
        try:
            if len(raw) > THREAD_BYTES:
                message, digest = await asyncio.to_thread(_read_large, raw, charset)
            else:
                message, digest = parse(raw, charset), fingerprint(raw)
            if not message.code:
                raise refusals.untyped()
        except Invalid as problem:
            arrival = replace(_arrival(raw, peer, problem), batch=batch)
            told = problem_of(problem, "fr")
            return Kept(None, known.partner, arrival, Event.NOT_HL7, problem=told)
        application = message.header.get(3)
        sender = self._directory.recognise(peer.address, peer.certificate, application)
        if sender.partner is None:
            return _stranger(message, raw, digest, peer, sender)
        return _known(message, digest, peer, sender.partner, batch)

    async def _store(self, each: Kept, peer: Peer) -> None:
        if each.event in _REFUSALS and not self._worth_keeping(peer):
            self.counters.refused += 1
            return
        if each.event in _REFUSALS:
            log.warning("refused a delivery from %s: %s", peer.address, each.arrival.reason_code)
        try:
            each.stored = await self._inbox.keep(each.arrival)
        except LianeError as problem:
            each.event = Event.NOT_STORED
            each.problem = problem_of(problem, "fr")
        else:
            if each.event is Event.STORED:
                self.in_flight.add(each.stored.id)

    def release(self, kept: list[Kept]) -> None:
        """These messages are in nobody's hands any more: what still waits may be swept."""
        for each in kept:
            if each.stored is not None:
                self.in_flight.discard(each.stored.id)

    def _worth_keeping(self, peer: Peer) -> bool:
        """Refused bytes are kept as proof, but nobody can fill the disk with them."""
        now = asyncio.get_running_loop().time()
        recent = [at for at in self._refusals.get(peer.address, []) if now - at < 60]
        if len(recent) >= REFUSALS_KEPT_PER_MINUTE:
            return False
        if len(self._refusals) > 1000:
            self._refusals.clear()
        self._refusals[peer.address] = [*recent, now]
        return True

    async def _fate(self, each: Kept, say: Say) -> list[bytes]:
        """The answers to one message (in enhanced mode the first is said at once)."""
        if each.event in _REFUSALS or each.event is Event.NOT_STORED:
            return self._refusal(each)
        if each.event is Event.IS_ANSWER or each.message is None or each.stored is None:
            return []
        try:
            if each.partner is not None and _enhanced(each):
                return await self._enhanced_fate(each, say)
            answer = await self._applied(each)
        finally:
            self.in_flight.discard(each.stored.id)
        return [answer] if answer else []

    def _refusal(self, each: Kept) -> list[bytes]:
        problem = each.problem or Problem("207", CODES["207"], each.arrival.reason_fr)
        line = answers.step(State.NEW, each.event)
        code = line.accept if _enhanced(each) else line.original
        if code is None:
            return []
        if each.message is not None:
            return [building.acknowledgement(each.message, code, self._now(), [problem])]
        return [building.refusal(code, self._now(), problem, each.arrival.raw)]

    async def _applied(self, each: Kept) -> bytes | None:
        """Apply the message, unless it was here before: then say what was said then."""
        assert each.stored is not None
        assert each.message is not None
        assert each.partner is not None
        if not each.stored.fresh and each.stored.state is not State.PENDING:
            return each.stored.ack
        try:
            fate = await self._applier.apply(
                each.stored.id, each.message, each.partner, each.stored.received_at
            )
        except (LianeError, OSError) as problem:
            log.warning("message %s waits: %s", each.stored.id, problem)
            told = problem_of(refusals.interrupted(), each.partner.language)
            code = answers.original_answer(State.PENDING, Event.INTERRUPTED) or "AE"
            return building.acknowledgement(each.message, code, self._now(), [told])
        return fate.ack

    async def _enhanced_fate(self, each: Kept, say: Say) -> list[bytes]:
        """Enhanced mode: first that it is safe, then, if asked, what became of it."""
        assert each.message is not None
        header = each.message.header
        accept = answers.enhanced_answers(State.NEW, Event.STORED, header.get(15), "")
        for code in accept:
            await say(building.acknowledgement(each.message, code, self._now()))
        answer = await self._applied(each)
        code = _code_of(answer)
        return [answer] if answer and answers.wanted(header.get(16), code) else []


_REFUSALS = frozenset({Event.NOT_HL7, Event.NOT_ALLOWED, Event.TOO_LARGE})
_EMPTY = "La livraison ne contient aucun message. / The delivery holds no message."


def _read_large(raw: bytes, charset: str) -> tuple[Message, bytes]:
    return parse(raw, charset), fingerprint(raw)


def _code_of(answer: bytes | None) -> str:
    if not answer:
        return ""
    msa = parse(answer).segment("MSA")
    return msa.get(1) if msa is not None else ""


def _enhanced(each: Kept) -> bool:
    if each.partner is None or not each.partner.enhanced or each.message is None:
        return False
    header = each.message.header
    return bool(header.get(15) or header.get(16))


def _arrival(raw: bytes, peer: Peer, problem: LianeError) -> Arrival:
    return Arrival(
        raw=raw[:SAMPLE_BYTES],
        sha256=fingerprint(raw[:SAMPLE_BYTES]),
        partner="",
        sender=f"refused|{new_id()}",
        peer=peer.address,
        state=State.REFUSED,
        reason_code=problem.code,
        reason_fr=f"{problem.fr} {problem.advice_fr}".strip(),
        reason_en=f"{problem.en} {problem.advice_en}".strip(),
    )


def _facts(message: Message) -> dict[str, Any]:
    """What the inbox notes of a message, each bounded."""
    return {
        "control_id": _line(message.control_id, 200),
        "kind": _line(message.kind, 40),
        "event": _line(message.event, 20),
        "message_at": instant(message.header.get(7)),
        "flags": message.flags,
    }


def _line(text: str, limit: int) -> str:
    """Words from outside as one short line without controls (attack case C4)."""
    clean = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return clean[:limit]


def _stranger(message: Message, raw: bytes, digest: bytes, peer: Peer, sender: Recognised) -> Kept:
    arrival = Arrival(
        raw=raw[:SAMPLE_BYTES],
        sha256=digest,
        partner="",
        sender=f"refused|{new_id()}",
        peer=peer.address,
        state=State.REFUSED,
        reason_code=sender.code,
        reason_fr=sender.fr,
        reason_en=sender.en,
        **_facts(message),
    )
    problem = Problem("207", CODES["207"], sender.fr, "MSH^1^3")
    return Kept(message, None, arrival, Event.NOT_ALLOWED, problem=problem)


def _known(message: Message, digest: bytes, peer: Peer, partner: Partner, batch: str) -> Kept:
    is_answer = message.code in {"ACK", "MCF"}
    event = Event.IS_ANSWER if is_answer else Event.STORED
    names = (partner.id, message.header.get(3), message.header.get(4))
    arrival = Arrival(
        raw=message.raw,
        sha256=digest,
        partner=partner.id,
        sender=_line("|".join(names), 300),
        peer=peer.address,
        batch=batch,
        state=answers.step(State.NEW, event).state,
        **_facts(message),
    )
    return Kept(message, partner, arrival, event)
