"""Whose image is it, what does the record say of an examination, and which slice stands for it?

Pure: values in, values out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from liane.base.text import fold
from liane.rooms.imaging.values import Policy, Subject

UID_SYSTEM = "urn:dicom:uid"
MODALITY_SYSTEM = "http://dicom.nema.org/resources/ontology/DCM"
LOCAL_NUMBER = "PI"

HELD_UNKNOWN = "imaging.held.unknown-patient"
HELD_NO_NUMBER = "imaging.held.no-number"
HELD_DIFFERS = "imaging.held.identity-differs"
CONFLICT_BYTES = "imaging.conflict.bytes"
CONFLICT_PATIENT = "imaging.conflict.patient"
CONFLICT_STUDY = "imaging.conflict.study"

NOT_PICTURES = frozenset(("SR", "KO", "PR", "AU", "REG", "RTSTRUCT", "RTPLAN", "RTRECORD", "DOC"))
"""Modalities whose objects hold no picture to show."""

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


def identifier_systems(subject: Subject, policy: Policy) -> list[str]:
    """The systems in which the machine's number may be looked up, best first."""
    if subject.issuer in policy.authorities:
        return [policy.authorities[subject.issuer]]
    if _OID.fullmatch(subject.issuer):
        return [f"urn:oid:{subject.issuer}"]
    if subject.issuer:
        return [f"urn:liane:dicom:issuer:{fold(subject.issuer).replace(' ', '-')}"]
    return [f"urn:liane:dicom:source:{fold(policy.source).replace(' ', '-')}"]


def unstated_systems(subject: Subject, policy: Policy) -> list[str]:
    """Where to look a number up that names no issuer: believed only when name or birth agree."""
    if subject.issuer or "" in policy.authorities:
        return []
    return list(dict.fromkeys(policy.authorities.values()))


def agrees(subject: Subject, patient: Mapping[str, Any], *, strict: bool) -> bool:
    """Whether the machine's traits fit the patient whose number it gives.

    Not strict: refuse only when both the family name and the birth date are known and both
    differ (a number typed wrong). Strict: one must agree and none may differ.
    """
    names = {
        fold(str(name.get("family", "")))
        for name in patient.get("name") or []
        if name.get("family")
    }
    said = fold(subject.family)
    ours = str(patient.get("birthDate", ""))
    name_known, birth_known = bool(said and names), bool(subject.birth_date and ours)
    name_differs = name_known and not any(_same_name(said, name) for name in names)
    birth_differs = birth_known and not subject.birth_date.startswith(ours[:10])
    if strict:
        return (name_known or birth_known) and not (name_differs or birth_differs)
    return not (name_differs and birth_differs)


def differing(study: Mapping[str, Any], patient: Mapping[str, Any]) -> tuple[str, ...]:
    """Traits that the machine wrote and that the identity does not have: of name, given, birth
    and sex. What either side does not know differs from nothing.
    """
    family, _, given = str(study["patient_name"]).partition("^")
    ours = patient.get("name") or []
    families = [fold(str(name.get("family", ""))) for name in ours if name.get("family")]
    givens = [fold(str(each)) for name in ours for each in name.get("given") or []]
    first = fold(given.partition("^")[0])
    birth, sex = str(patient.get("birthDate", "")), str(patient.get("gender", ""))
    found = {
        "name": family and families and not any(_same_name(fold(family), n) for n in families),
        "given": first and givens and not any(_same_name(first, n) for n in givens),
        "birth": study["birth_date"] and birth and study["birth_date"] != birth,
        "sex": study["sex"] and sex not in {"", "unknown", study["sex"]},
    }
    return tuple(trait for trait, differs in found.items() if differs)


def _same_name(said: str, ours: str) -> bool:
    """Machines cut and join compound names: one may begin with the other."""
    return said.startswith(ours) or ours.startswith(said)


def provisional_patient(subject: Subject, system: str) -> dict[str, Any]:
    """The Patient of identity status provisoire that an unknown number stands for."""
    patient: dict[str, Any] = {
        "resourceType": "Patient",
        "identifier": [
            {
                "use": "usual",
                "type": {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                            "code": LOCAL_NUMBER,
                        }
                    ]
                },
                "system": system,
                "value": subject.number,
            }
        ],
    }
    if subject.family or subject.given:
        name: dict[str, Any] = {"use": "official"}
        if subject.family:
            name["family"] = subject.family
        if subject.given:
            name["given"] = list(subject.given)
        patient["name"] = [name]
    if subject.birth_date:
        patient["birthDate"] = subject.birth_date
    if subject.sex:
        patient["gender"] = subject.sex
    return patient


def imaging_study(
    study: Mapping[str, Any],
    series: Sequence[Mapping[str, Any]],
    instances: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, Any]:
    """The ImagingStudy resource of one examination (R4; study level, series and images below).

    `instances` by series UID; a series that is not in it is told by its number of images only.
    """
    modalities = sorted({row["modality"] for row in series if row["modality"]})
    resource: dict[str, Any] = {
        "resourceType": "ImagingStudy",
        "id": study["id"],
        "identifier": [{"system": UID_SYSTEM, "value": f"urn:oid:{study['study_uid']}"}],
        "status": "available",
        "modality": [_modality(code) for code in modalities],
        "subject": {"reference": f"Patient/{study['patient']}"},
        "started": study["started"],
        "numberOfSeries": len(series),
        "numberOfInstances": sum(row["instance_count"] for row in series),
        "description": study["description"],
        "series": [_series(row, instances.get(row["series_uid"])) for row in series],
    }
    if study["accession"]:
        resource["identifier"].append(
            {
                "type": {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                            "code": "ACSN",
                        }
                    ]
                },
                "value": study["accession"],
            }
        )
    if study["institution"]:
        resource["location"] = {"display": study["institution"]}
    return {key: value for key, value in resource.items() if value not in ("", [])}


def _modality(code: str) -> dict[str, str]:
    return {"system": MODALITY_SYSTEM, "code": code}


def _series(
    row: Mapping[str, Any], instances: Sequence[Mapping[str, Any]] | None
) -> dict[str, Any]:
    series: dict[str, Any] = {
        "uid": row["series_uid"],
        "number": row["number"] if row["number"] is not None and row["number"] >= 0 else None,
        # R4 demands a modality; OT is the standard's word for none of the others.
        "modality": _modality(row["modality"] or "OT"),
        "description": row["description"],
        "numberOfInstances": row["instance_count"],
        "started": row["started"],
    }
    if row["body_part"]:
        series["bodySite"] = {"system": "urn:dicom:body-part-examined", "code": row["body_part"]}
    if instances:
        series["instance"] = [_instance(one) for one in instances]
    return {key: value for key, value in series.items() if value not in ("", None, [])}


def _instance(row: Mapping[str, Any]) -> dict[str, Any]:
    instance: dict[str, Any] = {
        "uid": row["sop_uid"],
        "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{row['sop_class']}"},
    }
    if row["number"] is not None and row["number"] >= 0:
        instance["number"] = row["number"]
    return instance


def standing_for(
    series: Sequence[Mapping[str, Any]],
) -> Mapping[str, Any] | None:
    """The series whose picture stands for the whole examination: pictures first, then the most
    images, then the lowest number; None when nothing can be shown.
    """
    pictures = [row for row in series if row["modality"] not in NOT_PICTURES and row["pictures"]]
    if not pictures:
        return None
    return min(
        pictures,
        key=lambda row: (-row["pictures"], row["number"] is None, row["number"] or 0),
    )


def middle(count: int) -> int:
    """The index of the middle of `count` things, the earlier one of two."""
    return max(0, (count - 1) // 2)
