"""Promise: a patch does what its standard says, in bounds, and never leaves half of it done."""

from __future__ import annotations

import copy
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liane.base.errors import Invalid
from liane.fhir.patching import (
    PatchInapplicable,
    PatchInvalid,
    fhirpath_patch,
    json_patch,
    xml_patch,
)

pytestmark = pytest.mark.unit

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p",
    "meta": {"versionId": "3"},
    "active": True,
    "name": [
        {"family": "Dupont", "given": ["A", "B"], "_given": [None, {"id": "x"}]},
        {"family": "Durand"},
    ],
    "birthDate": "1980",
    "deceasedBoolean": False,
}


def _operation(**parts: Any) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for name, value in parts.items():
        if isinstance(value, dict):
            found.append({"name": name, **value})
        else:
            kind = "valueInteger" if type(value) is int else "valueString"
            found.append({"name": name, kind: value})
    return {"name": "operation", "part": found}


def _patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": list(operations)}


def test_the_resource_given_is_never_changed() -> None:
    before = copy.deepcopy(PATIENT)
    json_patch(PATIENT, [{"op": "remove", "path": "/name/0/given/0"}])
    fhirpath_patch(PATIENT, _patch(_operation(type="delete", path="Patient.name[0]")))
    xml_patch(PATIENT, b'<p><remove sel="f:Patient/f:birthDate"/></p>')
    assert before == PATIENT


def test_json_patch_keeps_digits_and_types() -> None:
    resource = {**PATIENT, "x": [Decimal("1.50"), True, 1]}
    patched = json_patch(resource, [{"op": "copy", "from": "/x/0", "path": "/y"}])
    assert str(patched["y"]) == "1.50"
    json_patch(resource, [{"op": "test", "path": "/x/0", "value": Decimal("1.5")}])
    for path, other in (("/x/1", 1), ("/x/2", True), ("/x/0", "1.50")):
        with pytest.raises(PatchInapplicable):
            json_patch(resource, [{"op": "test", "path": path, "value": other}])


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "add", "path": "/name/9", "value": {}}, PatchInapplicable),
        ({"op": "add", "path": "/name/01", "value": {}}, PatchInapplicable),
        ({"op": "add", "path": "/name/-1", "value": {}}, PatchInapplicable),
        ({"op": "remove", "path": "/nothing"}, PatchInapplicable),
        ({"op": "replace", "path": "/nothing", "value": 1}, PatchInapplicable),
        ({"op": "move", "from": "/name", "path": "/name/0"}, PatchInapplicable),
        ({"op": "test", "path": "/active", "value": "true"}, PatchInapplicable),
        ({"op": "remove", "path": "/active/x"}, PatchInapplicable),
        ({"op": "nothing", "path": "/active"}, PatchInvalid),
        ({"op": "add", "path": "/active"}, PatchInvalid),
        ({"op": "move", "path": "/active"}, PatchInvalid),
        ({"path": "/active"}, PatchInvalid),
        ({"op": "add", "path": 7, "value": 1}, PatchInvalid),
        ("remove", PatchInvalid),
    ],
)
def test_json_patch_says_which_operation_is_wrong(operation: Any, kind: type[Invalid]) -> None:
    good = {"op": "test", "path": "/active", "value": True}
    with pytest.raises(kind) as refusal:
        json_patch(PATIENT, [good, operation])
    assert refusal.value.fr.startswith("Opération 2")
    assert refusal.value.en.startswith("Operation 2")


def test_copies_that_double_are_stopped() -> None:
    doubling = [{"op": "copy", "from": "/name", "path": f"/name/{n % 2}"} for n in range(200)]
    before = time.monotonic()
    with pytest.raises(PatchInapplicable):
        json_patch(PATIENT, doubling)
    assert time.monotonic() - before < 60


def test_many_operations_on_a_large_resource_are_stopped() -> None:
    large = {**PATIENT, "telecom": [{"value": str(n)} for n in range(5_000)]}
    operation = _operation(type="move", path="Patient.telecom", source=0, destination=9)
    before = time.monotonic()
    with pytest.raises(Invalid):
        fhirpath_patch(large, _patch(*[operation] * 900))
    step = b'<replace sel="f:Patient/f:telecom[4999]/f:value/@value">x</replace>'
    with pytest.raises(PatchInapplicable):
        xml_patch(large, b"<p>" + step * 900 + b"</p>")
    assert time.monotonic() - before < 60


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "a value in a list of primitives with extensions",
        _operation(type="delete", path="Patient.name[0].given[0]"),
        {"name": [{"family": "Dupont", "given": [None], "_given": [{"id": "x"}]}]},
    ),
    (
        "an extension of a primitive",
        _operation(
            type="add",
            path="Patient.birthDate",
            name="extension",
            value={"valueExtension": {"url": "u", "valueString": "v"}},
        ),
        {"_birthDate": {"extension": [{"url": "u", "valueString": "v"}]}},
    ),
    (
        "another type of a choice",
        _operation(type="replace", path="Patient.deceased", value={"valueDateTime": "2020"}),
        {"deceasedDateTime": "2020", "deceasedBoolean": None},
    ),
    (
        "an element found by its content",
        _operation(
            type="replace",
            path="Patient.name.where(family = 'Durand').family",
            value={"valueString": "Petit"},
        ),
        {"name": [PATIENT["name"][0], {"family": "Petit"}]},
    ),
    (
        "an insertion where there is no list yet",
        _operation(
            type="insert", path="Patient.telecom", index=0, value={"valueContactPoint": {"rank": 1}}
        ),
        {"telecom": [{"rank": 1}]},
    ),
    (
        "the deletion of nothing",
        _operation(type="delete", path="Patient.photo"),
        {},
    ),
    (
        "a contained resource",
        _operation(
            type="add",
            path="Patient",
            name="contained",
            value={"resource": {"resourceType": "Organization", "id": "o"}},
        ),
        {"contained": [{"resourceType": "Organization", "id": "o"}]},
    ),
    (
        "parts of an anonymous type, repeated",
        _operation(
            type="add",
            path="Patient",
            name="contact",
            value={
                "part": [
                    {"name": "telecom", "valueContactPoint": {"value": "1"}},
                    {"name": "telecom", "valueContactPoint": {"value": "2"}},
                    {"name": "gender", "valueCode": "male"},
                ]
            },
        ),
        {"contact": [{"telecom": [{"value": "1"}, {"value": "2"}], "gender": "male"}]},
    ),
]


@pytest.mark.parametrize(("name", "operation", "changes"), CASES, ids=[case[0] for case in CASES])
def test_fhirpath_patch_changes(
    name: str, operation: dict[str, Any], changes: dict[str, Any]
) -> None:
    wanted = {**PATIENT, **changes}
    if name == "a value in a list of primitives with extensions":
        wanted["name"] = [
            {"family": "Dupont", "given": ["B"], "_given": [{"id": "x"}]},
            PATIENT["name"][1],
        ]
    patched = fhirpath_patch(PATIENT, _patch(operation))
    assert patched == {key: value for key, value in wanted.items() if value is not None}


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (_operation(type="add", path="Patient", name="birthDate", value={"valueDate": "2000"}), PatchInapplicable),
        (_operation(type="add", path="Patient", name="nothing", value={"valueDate": "2000"}), PatchInapplicable),
        (_operation(type="add", path="Patient.name", name="family", value={"valueString": "x"}), PatchInapplicable),
        (_operation(type="replace", path="Patient.photo", value={"valueString": "x"}), PatchInapplicable),
        (_operation(type="delete", path="Patient.name"), PatchInapplicable),
        (_operation(type="replace", path="1 + 1", value={"valueString": "x"}), PatchInapplicable),
        (_operation(type="insert", path="Patient.name", index=9, value={"valueHumanName": {}}), PatchInapplicable),
        (_operation(type="insert", path="Patient.birthDate", index=0, value={"valueDate": "2000"}), PatchInapplicable),
        (_operation(type="move", path="Patient.name", source=5, destination=0), PatchInapplicable),
        (_operation(type="move", path="Patient.nothing", source=0, destination=0), PatchInapplicable),
        (_operation(type="replace", path="Patient.deceased", value={"valueInteger": 1}), PatchInapplicable),
        (_operation(type="nothing", path="Patient"), PatchInvalid),
        (_operation(type="delete"), PatchInvalid),
        (_operation(type="delete", path="Patient.(("), PatchInvalid),
        (_operation(type="add", path="Patient", name="x"), PatchInvalid),
        (_operation(type="add", path="Patient", name="x", value={}), PatchInvalid),
        (_operation(type="insert", path="Patient.name", index="a", value={"valueHumanName": {}}), PatchInvalid),
        ({"name": "other"}, PatchInvalid),
        ("text", PatchInvalid),
    ],
)  # fmt: skip
def test_fhirpath_patch_says_which_operation_is_wrong(operation: Any, kind: type[Invalid]) -> None:
    good = _operation(type="delete", path="Patient.photo")
    with pytest.raises(kind) as refusal:
        fhirpath_patch(PATIENT, _patch(good, operation))
    assert refusal.value.fr.startswith("Opération 2")
    assert refusal.value.en.startswith("Operation 2")


XML_PATCHES = [
    (b"<p/>", PatchInvalid),
    (b'<p><add sel="f:Patient//f:name"/></p>', PatchInvalid),
    (b'<p><remove sel="count(//*)"/></p>', PatchInvalid),
    (b'<p><remove sel="' + b"f:Patient/" * 500 + b'"/></p>', PatchInvalid),
    (b'<p><remove sel="x:Patient"/></p>', PatchInvalid),
    (b'<p><remove sel="f:Patient' + b"[.='']" * 20 + b'"/></p>', PatchInvalid),
    (b'<p><nothing sel="f:Patient"/></p>', PatchInvalid),
    (b'<p><remove sel="f:Patient"/></p>', PatchInapplicable),
    (b'<p><remove sel="f:Patient/f:photo"/></p>', PatchInapplicable),
    (b'<p><remove sel="f:Patient/f:name"/></p>', PatchInapplicable),
    (b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><p><remove sel="&x;"/></p>', Invalid),
    (
        b'<p><add sel="f:Patient"><nothing xmlns="http://hl7.org/fhir" value="1"/></add></p>',
        Invalid,
    ),
]


@pytest.mark.parametrize(("patch", "kind"), XML_PATCHES)
def test_xml_patch_refuses(patch: bytes, kind: type[Invalid]) -> None:
    with pytest.raises(kind):
        xml_patch(PATIENT, patch)


def test_xml_patch_works_on_what_json_would_show() -> None:
    patch = b"""<diff xmlns="http://hl7.org/fhir">
      <add sel="Patient/name[2]"><given value="Zo\xc3\xa9"/></add>
      <replace sel="f:Patient/f:active/@value">false</replace>
    </diff>"""
    patched = xml_patch(PATIENT, patch)
    assert patched["name"][1] == {"family": "Durand", "given": ["Zoé"]}
    assert patched["active"] is False


POINTERS = st.sampled_from(
    [
        "",
        "/",
        "/name",
        "/name/0",
        "/name/-",
        "/name/0/given/1",
        "/id",
        "/meta",
        "/x",
        "/name/0/~1",
        "/~2",
    ]
)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": POINTERS},
    optional={"from": POINTERS, "value": st.sampled_from([None, 1, "x", {}, [], {"a": [1]}])},
)


@settings(max_examples=300, deadline=None)
@given(st.lists(OPERATIONS, max_size=6))
def test_any_json_patch_is_applied_or_refused(operations: list[Any]) -> None:
    try:
        patched = json_patch(PATIENT, operations)
    except Invalid:
        return
    assert (patched["resourceType"], patched["id"], patched["meta"]["versionId"]) == (
        "Patient",
        "p",
        "3",
    )


PATHS = st.sampled_from(
    ["Patient", "Patient.name", "Patient.name[0]", "Patient.name.given", "Patient.name[0].given[1]",
     "Patient.id", "Patient.meta.versionId", "Patient.birthDate", "Patient.birthDate.extension",
     "Patient.deceased", "descendants()", "Patient.children()", "%resource", "1", "Patient.name[0].given"]
)  # fmt: skip
VALUES = st.sampled_from(
    [{"valueString": "x"}, {"valueHumanName": {"family": "y"}}, {"valueBoolean": True}, {"part": []},
     {"part": [{"name": "given", "valueString": "z"}]}, {"valueExtension": {"url": "u"}}, {}]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.builds(
            _operation,
            type=st.sampled_from(["add", "insert", "delete", "replace", "move"]),
            path=PATHS,
            name=st.sampled_from(["family", "given", "id", "extension", "deceased", "name", "x"]),
            value=VALUES,
            index=st.integers(0, 3),
            source=st.integers(0, 3),
            destination=st.integers(0, 3),
        ),
        max_size=5,
    )
)
def test_any_fhirpath_patch_is_applied_or_refused(operations: list[Any]) -> None:
    try:
        patched = fhirpath_patch(PATIENT, _patch(*operations))
    except Invalid:
        return
    assert (patched["resourceType"], patched["id"], patched["meta"]["versionId"]) == (
        "Patient",
        "p",
        "3",
    )
