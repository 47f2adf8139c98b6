"""The checker itself must notice what is lost, doubled or changed."""

from __future__ import annotations

import pytest

from liane.demo.checker import Findings, _check_letters, _check_stay, _check_values, _counts
from liane.demo.ledger import Line

pytestmark = pytest.mark.unit
WHO = ("urn:oid:1.2.3", "0001")


def observation(order, code, value, status="final"):
    return {
        "identifier": [{"system": "urn:liane:hl7v2:obx", "value": f"SIL|{order}|{code}|"}],
        "status": status,
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "valueQuantity": {"value": value},
    }


def movement(key, event="A02", action="INSERT", bed="loc-2101-301-1", at="2026-11-22T02:12:00Z"):
    return {"movement": key, "event": event, "action": action, "bed": bed, "unit": "uf-2101",
            "at": at}  # fmt: skip


def place(reference, start):
    return {"location": {"reference": f"Location/{reference}"}, "period": {"start": start}}


def test_a_value_that_is_there_once_is_right():
    findings = Findings()
    _check_values(WHO, {("B1", "2823-3"): "4.1"}, [observation("B1", "2823-3", 4.1)], findings)
    assert findings.clean
    assert findings.checked["values"] == 1


def test_a_missing_a_doubled_and_a_changed_value_are_told_apart():
    findings = Findings()
    expected = {("B1", "2823-3"): "4.1", ("B2", "2823-3"): "4.2", ("B3", "2823-3"): "4.3"}
    kept = [
        observation("B2", "2823-3", 4.2),
        observation("B2", "2823-3", 4.2),
        observation("B3", "2823-3", 9.9),
    ]
    _check_values(WHO, expected, kept, findings)
    assert (len(findings.lost), len(findings.doubled), len(findings.different)) == (1, 1, 1)
    assert not findings.clean


def test_a_withdrawn_result_does_not_count():
    findings = Findings()
    kept = [
        observation("B1", "2823-3", 4.1, "entered-in-error"),
        observation("B1", "2823-3", 4.1),
    ]
    _check_values(WHO, {("B1", "2823-3"): "4.1"}, kept, findings)
    assert findings.clean


def test_each_movement_is_one_stretch_in_its_place_whatever_way_utc_is_written():
    findings = Findings()
    stay = {
        "status": "in-progress",
        "location": [place("loc-2101-301-1", "2026-11-22T02:12:00+00:00")],
    }
    _check_stay("26100", [movement("1")], stay, findings)
    assert findings.clean
    _check_stay("26100", [movement("2", bed="loc-2101-302-1")], stay, findings)
    assert len(findings.lost) == 1


def test_a_movement_taken_back_is_not_expected():
    findings = Findings()
    told = [movement("1"), movement("1", event="A12", action="CANCEL")]
    _check_stay("26100", told, {"status": "in-progress", "location": []}, findings)
    assert findings.clean


def test_a_discharge_that_was_acknowledged_must_have_ended_the_stay():
    findings = Findings()
    told = [movement("9", event="A03")]
    _check_stay("26100", told, {"status": "in-progress", "location": []}, findings)
    assert findings.lost == ["discharge of 26100"]


def test_a_letter_is_known_by_its_number_with_or_without_its_prefix():
    findings = Findings()
    kept = [
        {"masterIdentifier": {"value": "urn:oid:1.2.3"}},
        {"masterIdentifier": {"value": "4.5"}},
    ]
    _check_letters({"1.2.3", "4.5", "6.7"}, kept, findings)
    assert findings.lost == ["letter 6.7"]


def test_only_acknowledged_lines_oblige_the_record():
    findings = Findings()
    lines = [Line("A", "hl7", "p", "", {}, code, None) for code in ("AA", "AE", None, "0000")]
    assert [_counts(line, findings) for line in lines] == [True, False, False, True]
    assert (findings.acknowledged, findings.refused, findings.unanswered) == (2, 1, 1)
