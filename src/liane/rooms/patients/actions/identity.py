"""How does an identity enter the house, and how is it corrected?

A message names its person by numbers. Known numbers lead to the known identity, which is then
reconciled with what the message says; unknown ones make a new identity. Numbers are locked for
the length of the transaction, so that two messages at once never make two of one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liane.access import gate, writes
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.base.errors import Conflict, Invalid
from liane.base.ids import new_id
from liane.fhir import json
from liane.rooms.patients.actions.projection import identity_told
from liane.rooms.patients.rules import identity, indexing
from liane.rooms.patients.rules.values import Identifier, Registered
from liane.store import Tx
from liane.store.resources import Write, read
from liane.store.sql import queries
from liane.store.together import Joint, Shared

Q = queries("liane.rooms.patients", "identity.sql")
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Said:
    """What a source says of a person, and when it said so."""

    patient: Resource
    source: str
    at: datetime
    provisional: bool
    digest: str


@dataclass(frozen=True, slots=True)
class _Known:
    """The identity that a message's numbers lead to."""

    patient: str
    status: str
    source: str
    traits_at: datetime
    heard: str
    body: Resource | None


async def find_patient(tx: Tx, identifiers: Sequence[Identifier]) -> str | None:
    """The patient that exact numbers name, the survivor when merged; None when unknown.

    A local number (IPP) goes before the INS. Raises `Conflict` when the INS given belongs to
    somebody else than the IPP does, both having one: filing would risk the wrong patient.
    """
    numbers = [i for i in identifiers if i.value and indexing.names_person(i.system, i.type)]
    if not numbers:
        return None
    rows = await _people(tx, "find", [(n.system, n.value) for n in numbers])
    local = [row for row in rows if row["system"] not in identity.INS_SYSTEMS]
    national = [row for row in rows if row["system"] in identity.INS_SYSTEMS]
    current = {row["patient"] for row in national if row["use"] not in {"old", "temp"}}
    if not local:
        return current.pop() if len(current) == 1 else None
    found = str(local[0]["patient"])
    held = str(local[0]["ins"])
    if current and found not in current and held:
        raise _numbers_disagree()
    return found


async def register_identity(
    tx: Tx,
    actor: Actor,
    patient: Resource,
    *,
    source: str,
    at: datetime,
    provisional: bool = False,
) -> Registered:
    """Create the identity that `patient` (a FHIR Patient without id) describes, or update it.

    `source` names the sending system, `at` when it spoke. A validated identity is never changed
    by a less trusted source: the difference is kept for the identity staff. `provisional` makes
    a new identity *provisoire*, whatever the message says.
    """
    await gate.require(tx, actor, Permission.IDENTITY_WRITE)
    numbers = indexing.numbers_of(patient)
    if not numbers:
        raise Invalid(
            "patients.no-number",
            "Le message ne porte aucun numéro qui désigne un patient.",
            "The message carries no number that names a patient.",
            "Renseignez l'IPP ou l'INS du patient (PID-3).",
            "Give the patient's local number or INS (PID-3).",
        )
    named = [(n["system"], n["value"]) for n in numbers]
    rows = await _people(tx, "lock_and_find", named)
    said = _Said(patient, source, at, provisional, indexing.digest_of(patient))
    known = _chosen(rows, numbers, source)
    if known is None:
        return await _attached_or_created(tx, actor, said, rows)
    if known.heard == said.digest:
        return Registered(known.patient, created=False, status=known.status)
    return await _updated(tx, actor, known, said)


async def _people(tx: Tx, question: str, numbers: list[tuple[str, str]]) -> list[Any]:
    """Whom numbers name, and hold them; for all pieces of work that ask at once, as long as they
    speak of different people.
    """
    if isinstance(tx, Shared):
        found: list[Any] = await tx.join(_JOINT[question], numbers, changes=False)
        for system, value in numbers:
            tx.claim(f"number|{system}|{value}")
        for row in found:
            tx.claim(f"patient|{row.get('retired_into') or row['patient']}")
        return found
    [alone] = await _JOINT[question](tx, [numbers])
    return list(alone)


def _people_of_all(question: str) -> Joint:
    async def ask(tx: Tx, requests: list[list[tuple[str, str]]]) -> list[list[Any]]:
        owner = [n for n, numbers in enumerate(requests) for _ in numbers]
        asked = [number for numbers in requests for number in numbers]
        rows = await tx.fetch(Q[question], [n[0] for n in asked], [n[1] for n in asked])
        found: list[list[Any]] = [[] for _ in requests]
        for row in rows:
            found[owner[row["rank"] - 1]].append(row)
        return found

    return ask


_JOINT = {question: _people_of_all(question) for question in ("find", "lock_and_find")}


def _chosen(rows: list[Any], numbers: list[dict[str, str]], source: str) -> _Known | None:
    """The identity of the first local number that is known, in the sender's own order."""
    for number in numbers:
        if number["system"] in identity.INS_SYSTEMS:
            continue
        for row in rows:
            if (row["system"], row["value"]) == (number["system"], number["value"]):
                return _known(row, source)
    return None


def _known(row: Any, source: str) -> _Known:
    heard = json.loads(row["heard"]) if isinstance(row["heard"], str) else row["heard"]
    survivor = row["retired_into"]
    return _Known(
        survivor or row["patient"],
        row["status"],
        row["source"],
        row["traits_at"],
        "" if survivor else str(heard.get(source, "")),
        json.loads(row["body"]) if row["body"] else None,
    )


async def _attached_or_created(tx: Tx, actor: Actor, said: _Said, rows: list[Any]) -> Registered:
    """The INS alone joins two establishments' identities only when no strict trait differs."""
    holders = {
        row["retired_into"] or row["patient"]: row
        for row in rows
        if row["use"] not in {"old", "temp"}
    }
    if len(holders) == 1 and not said.provisional:
        known = _known(next(iter(holders.values())), said.source)
        if _same_traits(known, said.patient):
            return await _updated(tx, actor, known, said)
    patient = _ins_as_mention(said.patient) if holders else said.patient
    reconciled = identity.reconcile(None, patient, provisional=said.provisional)
    body = {**reconciled.patient, "resourceType": "Patient", "active": True}
    with identity_told(said.source, said.digest, said.at, gave_traits=True):
        versions = await writes.apply(tx, actor, [Write(body)], reason="identity received")
    warnings = (*(("ins-of-another",) if holders else ()), *reconciled.warnings)
    return Registered(versions[0].id, created=True, status=reconciled.status, warnings=warnings)


def _same_traits(known: _Known, patient: Resource) -> bool:
    theirs = identity.traits_of(patient)
    if known.body is None or not (theirs.birth_name and theirs.birth_date):
        return False
    return not identity.differing(identity.traits_of(known.body), theirs)


async def _updated(tx: Tx, actor: Actor, known: _Known, said: _Said) -> Registered:
    body = known.body
    if body is None:
        raise _gone()
    same_source, older = said.source == known.source, said.at < known.traits_at
    after = identity.reconcile(body, said.patient, same_source=same_source, older=older)
    if not (same_source and older):
        await _keep_discrepancies(tx, known.patient, after, said)
    accepted = not after.discrepancies
    vouches = not known.source and identity.trust(said.patient) >= identity.trust(body)
    gave = accepted and (bool(after.changed_traits) or vouches)
    at = said.at if accepted else None
    if after.patient != body:
        with identity_told(said.source, said.digest, at, gave_traits=gave):
            change = Write(after.patient, id=known.patient)
            await writes.apply(tx, actor, [change], reason="identity received")
    else:
        heard = json.dumps({said.source: said.digest})
        source = said.source if gave else ""
        await tx.execute(Q["heard"], tx.tenant, known.patient, heard, at, source)
    return Registered(known.patient, created=False, status=after.status, warnings=after.warnings)


async def _keep_discrepancies(
    tx: Tx, patient: str, after: identity.Reconciled, said: _Said
) -> None:
    for gap in after.discrepancies:
        row = (new_id(), patient, gap.trait, gap.kept, gap.proposed, said.source, said.at)
        await tx.execute(Q["keep_discrepancy"], tx.tenant, *row)


def _gone() -> Conflict:
    return Conflict(
        "patients.gone",
        "Cette identité a été supprimée du dossier.",
        "This identity has been deleted from the record.",
        "Demandez à la cellule d'identitovigilance.",
        "Ask the identity staff.",
    )


async def change_identifier(
    tx: Tx, actor: Actor, patient_id: str, old: Identifier, new: Identifier
) -> None:
    """Replace a number of a patient (A47). The former one stays readable, marked as old.

    Raises `Conflict` when the new number already names somebody else: that is a merge.
    """
    await gate.require(tx, actor, Permission.IDENTITY_WRITE)
    rows = await tx.fetch(Q["lock_and_find"], [old.system, new.system], [old.value, new.value])
    holders = {
        r["retired_into"] or r["patient"]
        for r in rows
        if (r["system"], r["value"]) == (new.system, new.value)
    }
    if holders - {patient_id}:
        raise _numbers_disagree()
    version = await read(tx, "Patient", patient_id)
    if version is None or version.deleted:
        raise _numbers_disagree()
    body: Resource = json.loads(version.body)
    body["identifier"] = _replaced(body.get("identifier") or [], old, new)
    await writes.apply(tx, actor, [Write(body, id=patient_id)], reason="number changed")


def _replaced(numbers: list[Resource], old: Identifier, new: Identifier) -> list[Resource]:
    kept = [n for n in numbers if (n.get("system"), n.get("value")) != (new.system, new.value)]
    former = (old.system, old.value)
    marked = [{**n, "use": "old"} if (n.get("system"), n["value"]) == former else n for n in kept]
    fresh: Resource = {"use": "usual", "system": new.system, "value": new.value}
    fresh["type"] = {"coding": [{"code": new.type}]}
    return [fresh, *marked]


def _ins_as_mention(patient: Resource) -> Resource:
    """An INS held by somebody else is not given to a second person."""
    return {
        **patient,
        "identifier": [
            {**i, "use": "temp"} if i.get("system") in identity.INS_SYSTEMS else i
            for i in patient["identifier"]
        ],
    }


def _numbers_disagree() -> Conflict:
    return Conflict(
        "patients.numbers-disagree",
        "Les numéros du message désignent deux personnes différentes.",
        "The numbers of the message name two different people.",
        "Faites vérifier l'identité par la cellule d'identitovigilance, puis rejouez le message.",
        "Have the identity staff check it, then replay the message.",
    )
