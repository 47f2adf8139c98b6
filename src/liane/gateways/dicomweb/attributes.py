"""How are the findings of a search written in DICOM JSON (PS3.18 annex F)? (Pure.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
_SEXES = {"male": "M", "female": "F", "other": "O"}


def study(row: Row, base: str) -> dict[str, Any]:
    """The attributes of an examination (PS3.18 table 10.6.3-3)."""
    day, time = _moment(row["started"])
    return {
        **_common(f"{base}/studies/{row['study_uid']}"),
        **_text("00080020", "DA", day),
        **_text("00080030", "TM", time),
        **_text("00080050", "SH", row["accession"]),
        **_many("00080061", "CS", row["modalities"]),
        **_text("00081030", "LO", row["description"]),
        **_name("00100010", row["patient_name"]),
        **_text("00100020", "LO", row["patient_number"]),
        **_text("00100021", "LO", row["issuer"]),
        **_text("00100030", "DA", row["birth_date"].replace("-", "")),
        **_text("00100040", "CS", _SEXES.get(row["sex"], "")),
        **_text("0020000D", "UI", row["study_uid"]),
        **_many("00201206", "IS", [row["series_count"]]),
        **_many("00201208", "IS", [row["instance_count"]]),
    }


def series(row: Row, base: str) -> dict[str, Any]:
    """The attributes of a series (table 10.6.3-4)."""
    return {
        **_common(f"{base}/studies/{row['study_uid']}/series/{row['series_uid']}"),
        **_text("00080060", "CS", row["modality"]),
        **_text("0008103E", "LO", row["description"]),
        **_text("0020000D", "UI", row["study_uid"]),
        **_text("0020000E", "UI", row["series_uid"]),
        **_numbers("00200011", "IS", row["number"]),
        **_many("00201209", "IS", [row["instance_count"]]),
    }


def instance(row: Row, base: str) -> dict[str, Any]:
    """The attributes of one object (table 10.6.3-5)."""
    where = f"{base}/studies/{row['study_uid']}/series/{row['series_uid']}"
    found = {
        **_common(f"{where}/instances/{row['sop_uid']}"),
        **_text("00080016", "UI", row["sop_class"]),
        **_text("00080018", "UI", row["sop_uid"]),
        **_text("00080060", "CS", row["modality"]),
        **_text("0020000D", "UI", row["study_uid"]),
        **_text("0020000E", "UI", row["series_uid"]),
        **_numbers("00200013", "IS", row["number"]),
        **_text("00083002", "UI", row["transfer_syntax"]),
    }
    if row["rows"]:
        found |= _numbers("00280010", "US", row["rows"])
        found |= _numbers("00280011", "US", row["columns"])
        found |= _numbers("00280100", "US", row["bits"])
        found |= _numbers("00280008", "IS", row["frames"])
    return found


def stored(done: Sequence[Row], failed: Sequence[Row], base: str) -> dict[str, Any]:
    """The answer to STOW-RS (PS3.18 table 10.5.3-2)."""
    answer: dict[str, Any] = {}
    if done:
        answer["00081199"] = {"vr": "SQ", "Value": [_reference(row, base) for row in done]}
    if failed:
        answer["00081198"] = {"vr": "SQ", "Value": [_failure(row) for row in failed]}
    return answer


def _reference(row: Row, base: str) -> dict[str, Any]:
    address = (
        f"{base}/studies/{row['study_uid']}/series/{row['series_uid']}/instances/{row['sop_uid']}"
    )
    return {
        **_text("00081150", "UI", row["sop_class"]),
        **_text("00081155", "UI", row["sop_uid"]),
        **_text("00081190", "UR", address),
    }


def _failure(row: Row) -> dict[str, Any]:
    return {
        **_text("00081150", "UI", row["sop_class"]),
        **_text("00081155", "UI", row["sop_uid"]),
        **_many("00081197", "US", [row["status"]]),
        **_text("00090010", "LO", "LIANE"),
        **_text("00091001", "LT", row["reason"]),
    }


def _common(address: str) -> dict[str, Any]:
    return {
        **_text("00080005", "CS", "ISO_IR 192"),
        **_text("00080056", "CS", "ONLINE"),
        **_text("00081190", "UR", address),
    }


def _text(tag: str, vr: str, value: str) -> dict[str, Any]:
    return {tag: {"vr": vr, "Value": [value]} if value else {"vr": vr}}


def _many(tag: str, vr: str, values: Sequence[Any]) -> dict[str, Any]:
    return {tag: {"vr": vr, "Value": list(values)} if values else {"vr": vr}}


def _numbers(tag: str, vr: str, value: int | None) -> dict[str, Any]:
    return {tag: {"vr": vr} if value is None else {"vr": vr, "Value": [value]}}


def _name(tag: str, value: str) -> dict[str, Any]:
    return {tag: {"vr": "PN", "Value": [{"Alphabetic": value}]} if value else {"vr": "PN"}}


def _moment(started: str) -> tuple[str, str]:
    """DA and TM of a FHIR dateTime, in its own zone."""
    day, _, time = started.partition("T")
    return day.replace("-", ""), time[:8].replace(":", "")
