"""Promise: slices are told apart by every discriminator of R4, under every rule, from a snapshot or
from a differential alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fhir import verdicts

from liane.base.safe_archive import untar_gz
from liane.fhir import json as fhir_json
from liane.fhir.profiles.catalogue import Catalogue, from_resources
from liane.fhir.validation import examine

pytestmark = pytest.mark.unit

CORE = "http://hl7.org/fhir/StructureDefinition/"
URL = "http://example.org/StructureDefinition/tried"
Json = dict[str, Any]


def profile(type_: str, *elements: Json, url: str = URL, base: str = "", **more: Any) -> Json:
    return {
        "resourceType": "StructureDefinition",
        "url": url,
        "kind": "resource",
        "type": type_,
        "baseDefinition": base or f"{CORE}{type_}",
        "derivation": "constraint",
        "differential": {"element": [{"id": type_, "path": type_}, *elements]},
        **more,
    }


def element(id_: str, **said: Any) -> Json:
    segments = [one.partition(":")[0] for one in id_.split(".")]
    name = id_.rpartition(":")[2]
    sliced = {"sliceName": name} if ":" in id_.rpartition(".")[2] else {}
    return {"id": id_, "path": ".".join(segments), **sliced, **said}


def sliced(id_: str, *by: tuple[str, str], rules: str = "open", ordered: bool = False) -> Json:
    discriminators = [{"type": kind, "path": path} for kind, path in by]
    slicing = {"discriminator": discriminators, "rules": rules, "ordered": ordered}
    return element(id_, slicing=slicing)


def found(resource: Json, *definitions: Json, url: str = URL) -> list[tuple[str, str]]:
    """Places and rules of the errors that the profile finds."""
    known = from_resources(definitions)
    findings = examine(resource, catalogue=known, profiles=[url]).findings
    return [(one.path, one.rule) for one in findings if one.severity == "error"]


def patient(**said: Any) -> Json:
    return {"resourceType": "Patient", **said}


def numbered(*systems: str) -> Json:
    return patient(identifier=[{"system": system, "value": "1"} for system in systems])


A, B, C = "urn:test:a", "urn:test:b", "urn:test:c"


def two_slices(rules: str = "open", *, ordered: bool = False) -> Json:
    return profile(
        "Patient",
        sliced("Patient.identifier", ("value", "system"), rules=rules, ordered=ordered),
        element("Patient.identifier:a", min=1, max="1"),
        element("Patient.identifier:a.system", fixedUri=A),
        element("Patient.identifier:b", min=0, max="1"),
        element("Patient.identifier:b.system", fixedUri=B),
        element("Patient.identifier:b.value", maxLength=3),
    )


@pytest.mark.parametrize(
    ("definition", "resource", "errors"),
    [
        (two_slices(), numbered(A), []),
        (two_slices(), numbered(C, B, A), []),
        (two_slices(), numbered(B), [("Patient.identifier:a", "slice-min")]),
        (two_slices(), numbered(A, A), [("Patient.identifier:a", "slice-max")]),
        (two_slices("closed"), numbered(A, B), []),
        (two_slices("closed"), numbered(A, C), [("Patient.identifier[1]", "slicing")]),
        (two_slices("openAtEnd"), numbered(A, B, C), []),
        (two_slices("openAtEnd"), numbered(A, C, B), [("Patient.identifier[2]", "slicing")]),
        (two_slices(ordered=True), numbered(A, B), []),
        (two_slices(ordered=True), numbered(B, A), [("Patient.identifier[1]", "slicing")]),
        (
            two_slices(),
            patient(identifier=[{"system": A}, {"system": B, "value": "12345"}]),
            [("Patient.identifier[1].value", "maxLength")],
        ),
    ],
)
def test_slices_are_counted_under_their_rules(
    definition: Json, resource: Json, errors: list[tuple[str, str]]
) -> None:
    assert found(resource, definition) == errors


BY_PATTERN = profile(
    "Observation",
    sliced("Observation.category", ("pattern", "$this")),
    element(
        "Observation.category:lab",
        min=1,
        patternCodeableConcept={"coding": [{"system": "urn:test", "code": "lab"}]},
    ),
)
BY_DEEP_VALUE = profile(
    "Observation",
    sliced("Observation.component", ("value", "code.coding.code")),
    element("Observation.component:low", min=1),
    element(
        "Observation.component:low.code",
        patternCodeableConcept={"coding": [{"system": "urn:test", "code": "low"}]},
    ),
    element("Observation.component:low.valueQuantity", min=1),
)
BY_TYPE = profile(
    "Observation",
    sliced("Observation.value[x]", ("type", "$this"), rules="closed"),
    element("Observation.value[x]:valueQuantity", type=[{"code": "Quantity"}]),
    element("Observation.value[x]:valueQuantity.unit", min=1),
)
BY_EXISTENCE = profile(
    "Patient",
    sliced("Patient.name", ("exists", "period")),
    element("Patient.name:former", max="1"),
    element("Patient.name:former.period", min=1),
    element("Patient.name:present", min=1),
    element("Patient.name:present.period", max="0"),
    element("Patient.name:present.family", min=1),
)
BY_TARGET = profile(
    "Observation",
    sliced("Observation.performer", ("type", "resolve()")),
    element(
        "Observation.performer:person",
        min=1,
        type=[{"code": "Reference", "targetProfile": [f"{CORE}Practitioner"]}],
    ),
)
BY_PROFILE = profile(
    "Bundle",
    sliced("Bundle.entry", ("profile", "resource")),
    element("Bundle.entry:born", min=1),
    element("Bundle.entry:born.resource", type=[{"code": "Patient", "profile": [f"{URL}-born"]}]),
)
BORN = profile("Patient", element("Patient.birthDate", min=1), url=f"{URL}-born")
BY_RESOURCE = profile(
    "Bundle",
    sliced("Bundle.entry", ("type", "resource")),
    element("Bundle.entry:patient", min=1, max="1"),
    element("Bundle.entry:patient.resource", min=1, type=[{"code": "Patient"}]),
)


def observation(**said: Any) -> Json:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **said}


def coded(code: str) -> Json:
    return {"coding": [{"system": "urn:test", "code": code, "display": "anything"}]}


def bundle(*resources: Json) -> Json:
    entries = [
        {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{n}", "resource": one}
        for n, one in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


@pytest.mark.parametrize(
    ("definition", "resource", "errors"),
    [
        (BY_PATTERN, observation(category=[coded("x"), coded("lab")]), []),
        (
            BY_PATTERN,
            observation(category=[coded("x")]),
            [("Observation.category:lab", "slice-min")],
        ),
        (
            BY_DEEP_VALUE,
            observation(component=[{"code": coded("low"), "valueQuantity": {"value": 1}}]),
            [],
        ),
        (
            BY_DEEP_VALUE,
            observation(component=[{"code": coded("low"), "valueString": "x"}]),
            [("Observation.component[0].value[x]:valueQuantity", "slice-min")],
        ),
        (
            BY_DEEP_VALUE,
            observation(component=[{"code": coded("high"), "valueString": "x"}]),
            [("Observation.component:low", "slice-min")],
        ),
        (BY_TYPE, observation(valueQuantity={"value": 1, "unit": "mg"}), []),
        (
            BY_TYPE,
            observation(valueQuantity={"value": 1}),
            [("Observation.valueQuantity.unit", "min")],
        ),
        (BY_TYPE, observation(valueString="x"), [("Observation.valueString", "slicing")]),
        (
            BY_EXISTENCE,
            patient(name=[{"family": "A", "period": {"end": "2020"}}, {"family": "B"}]),
            [],
        ),
        (BY_EXISTENCE, patient(name=[{"given": ["B"]}]), [("Patient.name[0].family", "min")]),
        (
            BY_EXISTENCE,
            patient(name=[{"period": {"end": "2020"}}]),
            [("Patient.name:present", "slice-min")],
        ),
        (BY_TARGET, observation(performer=[{"reference": "Practitioner/1"}]), []),
        (
            BY_TARGET,
            observation(performer=[{"reference": "Organization/1"}]),
            [("Observation.performer:person", "slice-min")],
        ),
        (BY_PROFILE, bundle(patient(birthDate="2020")), []),
        (
            BY_PROFILE,
            bundle(patient(gender="male"), observation()),
            [("Bundle.entry:born", "slice-min")],
        ),
        (BY_RESOURCE, bundle(patient(gender="male"), observation()), []),
        (
            BY_RESOURCE,
            bundle(patient(gender="male"), patient(gender="male")),
            [("Bundle.entry:patient", "slice-max")],
        ),
    ],
)
def test_every_discriminator_tells_slices_apart(
    definition: Json, resource: Json, errors: list[tuple[str, str]]
) -> None:
    assert found(resource, definition, BORN) == errors


def test_a_profile_says_what_its_base_says_and_more() -> None:
    derived = profile(
        "Patient",
        element("Patient.identifier:a.value", min=1),
        element("Patient.identifier:b", max="0"),
        url=f"{URL}-derived",
        base=URL,
    )
    resource = patient(identifier=[{"system": A}, {"system": B, "value": "1"}])
    assert found(resource, two_slices(), derived, url=f"{URL}-derived") == [
        ("Patient.identifier[0].value", "min"),
        ("Patient.identifier:b", "slice-max"),
    ]
    assert found(numbered(B), two_slices(), derived, url=f"{URL}-derived") == [
        ("Patient.identifier:a", "slice-min"),
        ("Patient.identifier:b", "slice-max"),
    ]


def test_the_target_of_a_reference_keeps_its_profile_where_it_can_be_followed() -> None:
    subject = profile(
        "Observation",
        element(
            "Observation.subject",
            type=[{"code": "Reference", "targetProfile": [f"{URL}-born"]}],
        ),
    )
    inside = observation(contained=[patient(id="p", gender="male")], subject={"reference": "#p"})
    assert found(inside, subject, BORN) == [("Observation.subject.reference", "profile")]
    inside["contained"][0]["birthDate"] = "2020"
    assert found(inside, subject, BORN) == []
    elsewhere = observation(subject={"reference": "Group/1"})
    assert found(elsewhere, subject, BORN) == [("Observation.subject.reference", "target")]


def test_an_extension_keeps_its_definition_and_its_place() -> None:
    colour = {
        **profile(
            "Extension",
            element("Extension.extension", max="0"),
            element("Extension.url", fixedUri=f"{URL}-colour"),
            element("Extension.value[x]", min=1, type=[{"code": "code"}]),
            url=f"{URL}-colour",
        ),
        "kind": "complex-type",
        "context": [{"type": "element", "expression": "Patient.name"}],
    }
    red = {"url": f"{URL}-colour", "valueCode": "red"}
    plain = profile("Patient")
    assert found(patient(name=[{"extension": [red], "text": "x"}]), plain, colour) == []
    assert found(patient(extension=[red], gender="male"), plain, colour) == [
        ("Patient.extension[0]", "context")
    ]
    wrong = {"url": f"{URL}-colour", "valueString": "red"}
    assert found(patient(name=[{"extension": [wrong], "text": "x"}]), plain, colour) == [
        ("Patient.name[0].extension[0].valueString", "type")
    ]


def test_a_profile_that_derives_from_itself_or_from_nothing_is_not_checked() -> None:
    circle = profile("Patient", element("Patient.name", min=1), base=URL)
    nothing = profile("Patient", element("Patient.name", min=1), base="http://x.org/nothing")
    for definition in (circle, nothing):
        known = from_resources([definition])
        findings = examine(patient(), catalogue=known, profiles=[URL]).findings
        assert [one.kind for one in findings] == ["unknown-profile"]


def french_core(*, snapshots: bool) -> Catalogue:
    found = []
    for path in verdicts.packages():
        for member in untar_gz(path.read_bytes()):
            folder, _, file = member.name.rpartition("/")
            if folder == "package" and file.endswith(".json") and not file.startswith("."):
                resource = fhir_json.loads(member.content)
                if not snapshots:
                    resource.pop("snapshot", None)
                found.append(resource)
    return from_resources(found)


def test_differentials_alone_say_the_same_as_snapshots(shared_data: Path) -> None:
    if not (shared_data / "fhir-fr-core").is_dir():
        pytest.skip("shared data set 'fhir-fr-core' not found")
    full, bare = french_core(snapshots=True), french_core(snapshots=False)
    checked = 0
    for case in verdicts.cases():
        if case.profiles:
            said = [
                {
                    (one.path, one.rule)
                    for one in examine(
                        case.resource, catalogue=known, profiles=case.profiles
                    ).findings
                    if one.severity == "error"
                }
                for known in (full, bare)
            ]
            assert said[0] == said[1], case.id
            checked += 1
    assert checked > 200
