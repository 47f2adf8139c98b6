"""Promise: published examples that keep the standard are never refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from liane.base.errors import Invalid
from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.fhir.extraction import extract
from liane.fhir.profiles.policy import DEFAULT
from liane.fhir.validation import validate

BREAK_THE_STANDARD = {
    "activitydefinition-servicerequest-example.json",  # its narrative says nothing (txt-2)
    "eventdefinition-example.json",  # same
    "fivews.json",  # not abstract, without a baseDefinition (sdf-4)
    "deviceusestatement-example.json",  # reasonReference to a Procedure
    "medicationrequest0301.json",  # dispenseRequest.performer is a Practitioner
}


@pytest.mark.parametrize("name", ["fhir-r4-examples", "fhir-fr-core", "fhir-fr"])
def test_published_examples_pass(shared_data: Path, name: str) -> None:
    folder = shared_data / name
    if not folder.is_dir():
        pytest.skip(f"shared data set {name!r} not found")
    checked = 0
    for path in sorted(folder.rglob("*.json")):
        # The generated questionnaires leave out the linkId that R4 demands.
        if path.name in BREAK_THE_STANDARD or path.name.endswith("-questionnaire.json"):
            continue
        try:
            resource = fhir_json.loads(path.read_bytes())
        except Invalid:
            continue
        if resource.get("resourceType") in definitions.TYPES:
            errors = DEFAULT.blocking(validate(resource))
            assert errors == [], path.name
            extract(resource)
            assert fhir_json.loads(fhir_json.dumps(resource)) == resource
            checked += 1
    assert checked >= {"fhir-r4-examples": 250, "fhir-fr-core": 15}.get(name, 1)


def test_synthea_passes(shared_data: Path) -> None:
    folder = shared_data / "synthea-r4"
    if not folder.is_dir():
        pytest.skip("shared data set 'synthea-r4' not found")
    for path in sorted(folder.glob("*.gz"))[::12]:
        for entry in fhir_json.loads(gzip.decompress(path.read_bytes()))["entry"]:
            assert DEFAULT.blocking(validate(entry["resource"])) == [], entry["fullUrl"]
