"""May these resources be written, and what is there to say about them?

`liane.fhir.validation` says what the definitions at hand can tell. Codes of systems that stand in
tables, and whether a resource pointed to is there, are asked of the database here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any

from liane.base.errors import Invalid
from liane.fhir.profiles.findings import Finding, finding, of_profile, wrong_code
from liane.fhir.profiles.visit import Pointer, Question
from liane.fhir.validation import Report, examine
from liane.store import terminology
from liane.store.conformance.knowing import Known, Q, known
from liane.store.database import Tx

Json = dict[str, Any]

LIMIT_QUESTIONS = 200
"""Codes looked up for one resource; what is beyond is not checked."""
_Place = tuple[Any, Any]
_TOLD: ContextVar[dict[_Place, list[Finding]] | None] = ContextVar("liane_warnings", default=None)


def listen() -> None:
    """From now on, in this request, the warnings of writes are looked for and kept."""
    _TOLD.set({})


def heard(type_: str, id_: str) -> list[Finding]:
    """The warnings of the write of that resource, once; empty when nobody listened."""
    told = _TOLD.get()
    if not told:
        return []
    return told.pop((type_, id_), None) or told.pop((type_, None), [])


Sees = Callable[[str], bool]
"""Whether the writer may learn which resources of a type exist; where not, they are never told
that a reference points to nothing."""


def sees_nothing(_type: str) -> bool:
    """The answer for a writer from whom some resources are hidden."""
    return False


async def judge(
    tx: Tx, establishment: str | None, resources: Sequence[Json], *, sees: Sees = sees_nothing
) -> None:
    """Refuse what the establishment blocks. Raises `Invalid` with every blocking finding."""
    held = await known(tx)
    policy = held.policy(establishment)
    told = _TOLD.get()
    blocking: list[tuple[int, Finding]] = []
    written = {(one.get("resourceType"), one.get("id")) for one in resources}
    for number, resource in enumerate(resources):
        thorough = told is not None or policy.asks_profiles
        about = examine(resource, catalogue=held.catalogue, thorough=thorough)
        findings = list(about.findings)
        findings += await _answers(tx, about.questions, required_only=not thorough)
        if told is not None or policy.effects["reference"] == "block":
            findings += await _dangling(tx, about.pointers, written, sees)
        blocking += [(number, one) for one in policy.blocking(findings)]
        if told is not None:
            told[resource.get("resourceType"), resource.get("id")] = policy.warnings(findings)
    if blocking:
        raise refusal(blocking)


def refusal(blocking: Sequence[tuple[int, Finding]]) -> Invalid:
    """What the writer is told: every finding, the first one in the sentence.

    `details["places"]` says which of the resources each finding is about.
    """
    first = blocking[0][1]
    return Invalid(
        "record.invalid",
        f"Ressource refusée : {first.fr} ({first.path}).",
        f"Resource refused: {first.en} ({first.path}).",
        "Corrigez les points listés puis renvoyez ; rien n'a été enregistré.",
        "Correct the points listed and send again; nothing was stored.",
        issues=tuple(one for _, one in blocking),
        places=tuple(number for number, _ in blocking),
    )


async def report(
    tx: Tx, resource: Json, profiles: Iterable[str] = (), *, sees: Sees = sees_nothing
) -> list[Finding]:
    """Everything that can be said of a resource, with the severity of the standard."""
    held: Known = await known(tx)
    about: Report = examine(resource, catalogue=held.catalogue, profiles=profiles)
    findings = list(about.findings)
    findings += await _answers(tx, about.questions, required_only=False)
    own = {(resource.get("resourceType"), resource.get("id"))}
    findings += await _dangling(tx, about.pointers, own, sees)
    return findings


async def _answers(tx: Tx, questions: Sequence[Question], *, required_only: bool) -> list[Finding]:
    """What the code systems in the tables say of the codes that could not be judged."""
    found: list[Finding] = []
    known_answers: dict[tuple[str, str | None, str], bool | None] = {}
    for asked in questions[:LIMIT_QUESTIONS]:
        required = asked.strength == "required"
        if required_only and not required:
            continue
        answers = []
        for system, code in asked.codings:
            key = (asked.value_set, system, code)
            if key not in known_answers:
                known_answers[key] = await terminology.member(
                    tx, asked.value_set, system or "", code
                )
            answers.append(known_answers[key])
        if answers and all(answer is False for answer in answers):
            code = asked.codings[0][1]
            one = wrong_code(asked.path, code, asked.value_set, required=required)
            found.append(of_profile(one, asked.profile) if asked.profile else one)
    return found


async def _dangling(
    tx: Tx, pointers: Sequence[Pointer], written: set[tuple[Any, Any]], sees: Sees
) -> list[Finding]:
    """References to resources that are not there."""
    asked = [one for one in pointers if (one.type, one.id) not in written and sees(one.type)]
    if not asked:
        return []
    rows = await tx.fetch(
        Q.missing, tx.tenant, [one.type for one in asked], [one.id for one in asked]
    )
    return [_points_nowhere(asked[row["n"] - 1]) for row in rows]


def _points_nowhere(pointer: Pointer) -> Finding:
    literal = f"{pointer.type}/{pointer.id}"
    return finding(
        "reference",
        "unresolved",
        pointer.path,
        f"{literal} n’est pas dans le dossier",
        f"{literal} is not in the record",
        code="not-found",
        severity="warning",
    )


__all__ = ["heard", "judge", "listen", "refusal", "report"]
