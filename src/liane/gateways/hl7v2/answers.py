"""What happens to a message next, and what is its sender told?

The acknowledgement rules of HL7 v2.5.1 section 2.9 as one table: the state a message is in and
what happens to it give its next state and the answer. In original mode there is one answer, given
when the fate of the message is known (MSA-1 AA, AE, AR). In enhanced mode the sender is told that
the message is safe (CA, CE, CR) and, when it asked, what became of it. A pair that is not in the
table is an error that names both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a message stands; `NEW` is the only one that is never stored."""

    NEW = "new"
    PENDING = "pending"
    APPLIED = "applied"
    KEPT = "kept"
    HELD = "held"
    FAILED = "failed"
    REFUSED = "refused"
    ANSWER = "answer"


class Event(StrEnum):
    """What can happen to a message."""

    STORED = "stored"
    NOT_HL7 = "not-hl7"
    NOT_ALLOWED = "not-allowed"
    TOO_LARGE = "too-large"
    NOT_STORED = "not-stored"
    IS_ANSWER = "is-answer"
    APPLIED = "applied"
    NOT_INTERPRETED = "not-interpreted"
    PATIENT_UNKNOWN = "patient-unknown"
    FAILED = "failed"
    REPLAYED = "replayed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Step:
    """The next state; MSA-1 in original mode; accept and application codes in enhanced mode."""

    state: State
    original: str | None = None
    accept: str | None = None
    application: str | None = None


RULES: dict[tuple[State, Event], Step] = {
    (State.NEW, Event.STORED): Step(State.PENDING, accept="CA"),
    (State.NEW, Event.NOT_HL7): Step(State.REFUSED, "AR", "CR"),
    (State.NEW, Event.NOT_ALLOWED): Step(State.REFUSED, "AR", "CR"),
    (State.NEW, Event.TOO_LARGE): Step(State.REFUSED, "AR", "CR"),
    (State.NEW, Event.NOT_STORED): Step(State.NEW, "AE", "CE"),
    (State.NEW, Event.IS_ANSWER): Step(State.ANSWER),
    (State.PENDING, Event.APPLIED): Step(State.APPLIED, "AA", None, "AA"),
    (State.PENDING, Event.NOT_INTERPRETED): Step(State.KEPT, "AA", None, "AA"),
    (State.PENDING, Event.PATIENT_UNKNOWN): Step(State.HELD, "AE", None, "AE"),
    (State.PENDING, Event.FAILED): Step(State.FAILED, "AE", None, "AE"),
    (State.PENDING, Event.INTERRUPTED): Step(State.PENDING, "AE", None, "AE"),
    (State.PENDING, Event.REPLAYED): Step(State.PENDING),
    (State.APPLIED, Event.REPLAYED): Step(State.PENDING),
    (State.KEPT, Event.REPLAYED): Step(State.PENDING),
    (State.HELD, Event.REPLAYED): Step(State.PENDING),
    (State.FAILED, Event.REPLAYED): Step(State.PENDING),
}


class NoSuchStepError(LookupError):
    """The table has no line for this state and event."""


def step(state: State, event: Event) -> Step:
    """The line of the table for `state` and `event`."""
    try:
        return RULES[state, event]
    except KeyError:
        raise NoSuchStepError(f"no rule for a {state} message when it is {event}") from None


def wanted(condition: str, code: str) -> bool:
    """Whether an enhanced-mode sender asked for this answer (MSH-15, MSH-16, HL7 table 0155:
    AL always, NE never, ER on error or refusal only, SU on success only; empty counts as AL for
    the accept answer and NE for the application answer).
    """
    success = code in ("AA", "CA")
    return {"AL": True, "NE": False, "ER": not success, "SU": success}.get(condition, False)


def original_answer(state: State, event: Event) -> str | None:
    """MSA-1 in original mode, or None when nothing is said yet (or ever)."""
    return step(state, event).original


def enhanced_answers(
    state: State, event: Event, accept_wanted: str, application_wanted: str
) -> tuple[str, ...]:
    """The MSA-1 codes to send in enhanced mode, in order."""
    line = step(state, event)
    codes: list[str] = []
    if line.accept and wanted(accept_wanted or "AL", line.accept):
        codes.append(line.accept)
    if line.application and wanted(application_wanted, line.application):
        codes.append(line.application)
    return tuple(codes)


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2"]
    for (state, event), line in RULES.items():
        told = line.original or "-"
        lines.append(f"    {state} --> {line.state}: {event} / {told}")
    return "\n".join(lines)
