"""How do received images enter the record, and under which patient?

Objects are already durable blobs when they come here. One transaction files a few of them: the
first image of an examination finds its patient (or waits for a person); the others follow it. An
image that names somebody else than its examination does is kept apart and flagged, never shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from liane.access import gate, writes
from liane.access.actor import Actor
from liane.access.permissions import Permission
from liane.base.errors import Conflict, NotFound
from liane.base.ids import new_id
from liane.fhir import json
from liane.rooms.imaging import rules
from liane.rooms.imaging.reads import not_waiting
from liane.rooms.imaging.values import Filed, Instance, Outcome, Policy, Subject
from liane.rooms.patients import Identifier, find_patient, register_identity
from liane.store import Tx
from liane.store.resources import Version, Write, read
from liane.store.sql import queries

Q = queries("liane.rooms.imaging", "filing.sql")

SHORT_STUDY = 32
"""Up to so many images, each version of the resource lists them all."""

_OF_INSTANCE = (
    "sop_uid", "sha256", "study_uid", "series_uid", "sop_class", "transfer_syntax", "number",
    "position", "rows", "columns", "frames", "photometric", "bits", "size", "dataset_offset",
    "pixel_offset", "pixel_length", "fragments", "given_uid", "modality", "series_number",
    "series_description", "body_part", "laterality", "station", "series_started",
)  # fmt: skip


async def file_instances(
    tx: Tx, actor: Actor, instances: Sequence[tuple[Instance, Policy]]
) -> list[Filed]:
    """Index objects whose bytes are durable; the answer has their order.

    The same bytes again change nothing; other bytes under a known UID are kept and flagged.
    """
    filed = await _add_expected(tx, instances)
    left = [one for one in instances if (one[0].sop_uid, one[0].sha256) not in filed]
    odd = iter(await _add_closely(tx, actor, left) if left else ())
    return [
        filed.get((instance.sop_uid, instance.sha256)) or next(odd) for instance, _ in instances
    ]


async def _add_expected(
    tx: Tx, instances: Sequence[tuple[Instance, Policy]]
) -> dict[tuple[str, str], Filed]:
    """New objects of examinations that are known: one statement for all of them."""
    uids = Counter(instance.sop_uid for instance, _ in instances)
    alone = [(one, policy) for one, policy in instances if uids[one.sop_uid] == 1]
    rows = [
        {**_row(one, policy, "stored", ""), "identity_key": one.subject.key}
        for one, policy in alone
    ]
    added = await tx.fetch(Q["add_expected"], tx.tenant, _json(rows), tx.now)
    by_name = {one.sop_uid: one for one, _ in alone}
    return {
        (row["sop_uid"], row["sha256"]): _filed(
            by_name[row["sop_uid"]], row, "stored" if row["patient"] else "held", row["held"]
        )
        for row in added
    }


async def _add_closely(
    tx: Tx, actor: Actor, instances: Sequence[tuple[Instance, Policy]]
) -> list[Filed]:
    """First images of an examination, repetitions, and those that do not fit."""
    known = await _known_instances(tx, instances)
    studies = await _studies(tx, actor, instances)
    filed: list[Filed] = []
    rows: list[dict[str, Any]] = []
    for instance, policy in instances:
        study = studies[instance.study_uid]
        held = known.setdefault(instance.sop_uid, {})
        if instance.sha256 in held:
            filed.append(_filed(instance, study, "duplicate", held[instance.sha256]["reason"]))
            continue
        outcome, reason = _judged(instance, study, held)
        row = _row(instance, policy, outcome, reason)
        held[instance.sha256] = row
        rows.append(row)
        filed.append(_filed(instance, study, outcome, reason or study["held"]))
    if rows:
        await tx.execute(Q["add_instances"], tx.tenant, _json(rows), tx.now)
    return filed


async def _known_instances(
    tx: Tx, instances: Sequence[tuple[Instance, Policy]]
) -> dict[str, dict[str, Mapping[str, Any]]]:
    uids = list({instance.sop_uid for instance, _ in instances})
    known: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in await tx.fetch(Q["known_instances"], tx.tenant, uids):
        known.setdefault(row["sop_uid"], {})[row["sha256"]] = row
    return known


async def _studies(
    tx: Tx, actor: Actor, instances: Sequence[tuple[Instance, Policy]]
) -> dict[str, Mapping[str, Any]]:
    """The examinations of these images; new ones are opened."""
    wanted = {instance.study_uid: (instance, policy) for instance, policy in reversed(instances)}
    found = await _known_studies(tx, wanted)
    for uid in sorted(wanted.keys() - found.keys()):
        await tx.execute(Q["lock_study"], str(tx.tenant), uid)
        found.update(await _known_studies(tx, [uid]))
        if uid not in found:
            found[uid] = await _open_study(tx, actor, *wanted[uid])
    return found


async def _known_studies(tx: Tx, uids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    rows = await tx.fetch(Q["known_studies"], tx.tenant, list(uids))
    return {row["study_uid"]: row for row in rows}


async def _open_study(
    tx: Tx, actor: Actor, instance: Instance, policy: Policy
) -> Mapping[str, Any]:
    """Find the patient, keep the examination, and make it known in the record at once."""
    patient, held = await _patient_of(tx, actor, instance, policy)
    subject = instance.subject
    study = {
        "study_uid": instance.study_uid,
        "id": new_id(),
        "patient": patient,
        "held": held,
        "identity_key": subject.key,
        "patient_number": subject.number,
        "issuer": subject.issuer,
        "patient_name": subject.dicom_name,
        "birth_date": subject.birth_date,
        "sex": subject.sex,
        "accession": instance.accession,
        "description": instance.study_description,
        "started": instance.started,
        "started_at": _instant(instance.started) or tx.now.isoformat(),
        "institution": instance.institution,
        "establishment": policy.establishment,
        "source": policy.source,
    }
    await tx.execute(Q["add_study"], tx.tenant, _json(study), tx.now)
    return study


async def _patient_of(
    tx: Tx, actor: Actor, instance: Instance, policy: Policy
) -> tuple[str | None, str]:
    """The patient of a new examination, or why it waits for a person."""
    subject = instance.subject
    if not subject.number:
        if policy.unknown_patient == "hold":
            return None, rules.HELD_NO_NUMBER
        # Without a number nothing can join two examinations of one person: each has its own.
        alone = Subject(
            number=instance.study_uid,
            family=subject.family,
            given=subject.given,
            birth_date=subject.birth_date,
            sex=subject.sex,
        )
        return await _provisional(tx, actor, alone, "urn:dicom:uid", policy), ""
    systems = rules.identifier_systems(subject, policy)
    patient = await _named(tx, subject, systems)
    if patient is not None:
        fits = rules.agrees(subject, await _resource(tx, patient), strict=False)
        return (patient, "") if fits else (None, rules.HELD_DIFFERS)
    for system in rules.unstated_systems(subject, policy):
        patient = await _named(tx, subject, [system])
        if patient and rules.agrees(subject, await _resource(tx, patient), strict=True):
            return patient, ""
    if policy.unknown_patient == "hold":
        return None, rules.HELD_UNKNOWN
    return await _provisional(tx, actor, subject, systems[0], policy), ""


async def _named(tx: Tx, subject: Subject, systems: Sequence[str]) -> str | None:
    numbers = [Identifier(system, subject.number, rules.LOCAL_NUMBER) for system in systems]
    try:
        return await find_patient(tx, numbers)
    except Conflict:
        return None


async def _resource(tx: Tx, patient: str) -> Mapping[str, Any]:
    version = await read(tx, "Patient", patient)
    return json.loads(version.body) if version is not None and not version.deleted else {}


async def _provisional(tx: Tx, actor: Actor, subject: Subject, system: str, policy: Policy) -> str:
    made = await register_identity(
        tx,
        actor,
        rules.provisional_patient(subject, system),
        source=policy.source,
        at=tx.now,
        provisional=True,
    )
    return made.patient_id


def _judged(
    instance: Instance, study: Mapping[str, Any], held: Mapping[str, Mapping[str, Any]]
) -> tuple[Outcome, str]:
    """Whether an object may stand beside the others of its examination."""
    if instance.subject.key != study["identity_key"]:
        return "conflict", rules.CONFLICT_PATIENT
    current = next((row for row in held.values() if row["state"] == "current"), None)
    if current is not None:
        same_study = current["study_uid"] == instance.study_uid
        return "conflict", rules.CONFLICT_BYTES if same_study else rules.CONFLICT_STUDY
    return ("stored" if study["patient"] else "held"), ""


def _row(instance: Instance, policy: Policy, outcome: Outcome, reason: str) -> dict[str, Any]:
    row = {name: getattr(instance, name) for name in _OF_INSTANCE}
    row["state"] = "conflict" if outcome == "conflict" else "current"
    row["reason"] = reason
    row["source"] = policy.source
    row["patient_number"] = instance.subject.number
    row["patient_name"] = instance.subject.dicom_name
    row["birth_date"] = instance.subject.birth_date
    return row


def _filed(instance: Instance, study: Mapping[str, Any], outcome: Outcome, reason: str) -> Filed:
    return Filed(
        sop_uid=instance.sop_uid,
        sha256=instance.sha256,
        outcome=outcome,
        sop_class=instance.sop_class,
        series_uid=instance.series_uid,
        study_uid=instance.study_uid,
        study_id=study["id"],
        patient=study["patient"],
        reason=reason,
    )


async def publish_study(
    tx: Tx, actor: Actor, study_uid: str, *, full: bool, reason: str = "images"
) -> Version | None:
    """Write the ImagingStudy of an examination so that it tells of every image received.

    `full` lists each image; while a long examination is arriving only the numbers are told.
    Returns None when there is nothing to say (held, or told already).
    """
    study = await tx.fetchrow(Q["study_to_publish"], tx.tenant, study_uid)
    if study is None or study["patient"] is None or (study["listed"] and not study["stale"]):
        return None
    series = await tx.fetch(Q["series_of_study"], tx.tenant, study_uid)
    total = sum(row["instance_count"] for row in series)
    full = full or total <= SHORT_STUDY
    if not series or not (study["stale"] or full):
        return None
    instances: dict[str, list[Any]] = {}
    if full:
        for row in await tx.fetch(Q["instances_of_study"], tx.tenant, study_uid):
            instances.setdefault(row["series_uid"], []).append(row)
    facts = {**study, "patient": await _present_patient(tx, study)}
    resource = rules.imaging_study(facts, series, instances)
    [version] = await writes.apply(tx, actor, [Write(resource, id=study["id"])], reason=reason)
    modalities = sorted({row["modality"] for row in series if row["modality"]})
    await tx.execute(Q["published"], tx.tenant, study_uid, full, len(series), total, modalities)
    return version


async def _present_patient(tx: Tx, study: Mapping[str, Any]) -> str:
    """The patient the record gives the examination now: a merge may have moved it."""
    version = await read(tx, "ImagingStudy", study["id"])
    if version is None or version.deleted:
        return str(study["patient"])
    reference = str(json.loads(version.body).get("subject", {}).get("reference", ""))
    patient = reference.removeprefix("Patient/")
    if patient and patient != study["patient"]:
        await tx.execute(Q["attach"], tx.tenant, study["study_uid"], patient)
        return patient
    return str(study["patient"])


async def attach_study(
    tx: Tx, actor: Actor, study_uid: str, patient: str, *, reason: str
) -> Version | None:
    """A person says whose the waiting examination is: it appears in that chart."""
    await gate.require(tx, actor, Permission.IDENTITY_WRITE)
    study = await tx.fetchrow(Q["study_to_publish"], tx.tenant, study_uid)
    if study is None or study["patient"] is not None:
        raise not_waiting()
    body = await _resource(tx, patient)
    if not body:
        raise NotFound(
            "patients.unknown", "Cette identité n'existe pas.", "There is no such identity."
        )
    if any(link.get("type") == "replaced-by" for link in body.get("link") or []):
        raise merged_away()
    await tx.execute(Q["attach"], tx.tenant, study_uid, patient)
    return await publish_study(tx, actor, study_uid, full=True, reason=reason)


def merged_away() -> Conflict:
    """Nothing new may be filed under an identity that another one has replaced."""
    return Conflict(
        "imaging.merged-away",
        "Cette identité a été fusionnée dans une autre : choisissez celle qui demeure.",
        "This identity was merged into another one: choose the one that remains.",
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _instant(text: str) -> str | None:
    """The beginning of a FHIR dateTime as an instant, None when it has no day."""
    if len(text) < 10:
        return None
    try:
        return datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00+00:00").isoformat()
    except ValueError:
        return None
