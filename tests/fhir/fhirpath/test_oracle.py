"""Promise: where another implementation has an answer to an invariant of R4, ours is the same."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from liane.fhir import fhirpath
from liane.fhir import json as fhir_json

pytestmark = pytest.mark.unit

EXPRESSIONS = [
    "contained.contained.empty()",
    "contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()",
    "contained.meta.security.empty()",
    "Patient.name.given", "Patient.name.where(use = 'official').family", "Patient.contact.name.family",
    "Observation.value.exists() or Observation.component.exists()",
    "Observation.code.coding.select(system & '|' & code)",
    "Observation.component.code.coding.code.distinct()",
    "Encounter.status in ('finished' | 'in-progress')",
    "identifier.system.first()", "identifier.where(value.length() > 4).value",
    "status = 'active' or status = 'final' or status = 'completed'",
    "code.coding.all(system.exists())",
    "id.startsWith('e')", "id.matches('^[a-z]+')", "id.upper()", "id.length() + 1",
    "meta.profile.exists().not()", "text.status", "(id | language).count()",
    "extension.url.isDistinct()", "identifier.skip(1).take(1).value",
    "subject.reference.substring(0, 7)", "iif(status.exists(), status, 'none')",
]  # fmt: skip


@cache
def _oracle(expression: str) -> Any:
    return fhirpathpy.compile(expression, models["r4"])


def _plain(values: list[Any]) -> list[str]:
    return [json.dumps(fhir_plain(value), sort_keys=True) for value in values]


def fhir_plain(value: Any) -> Any:
    return (
        json.loads(fhir_json.dumps(value)) if not isinstance(value, fhirpath.Moment) else str(value)
    )


def test_answers_equal_those_of_another_implementation(shared_data: Path) -> None:
    folder = shared_data / "fhir-r4-examples"
    if not folder.is_dir():
        pytest.skip("shared data set 'fhir-r4-examples' not found")
    compared = 0
    different = []
    for path in sorted(folder.rglob("*.json"))[::6]:
        text = path.read_text("utf-8")
        if len(text) > 30_000:
            continue
        ours, theirs = fhir_json.loads(text), json.loads(text)
        for expression in EXPRESSIONS:
            try:
                with redirect_stdout(io.StringIO()):
                    wanted = _oracle(expression)(theirs)
            except Exception:  # noqa: BLE001 - what the other cannot do is no opinion
                continue
            found = fhirpath.compile(expression).evaluate(ours)
            compared += 1
            if _plain(found) != _plain(wanted):
                different.append((path.name, expression, found, wanted))
    assert compared > 1_000
    assert different == []
