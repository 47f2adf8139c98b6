"""Promise: whatever is done to a resource, checking never fails, and what passes can be stored."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from liane.base.errors import Invalid
from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.fhir.extraction import extract
from liane.fhir.profiles.policy import DEFAULT
from liane.fhir.validation import validate

STRANGE: list[Any] = [
    None, True, 0, -1, 1e308, "", " ", "\u202e", "x" * 5000, "9999-12-31", "0000", "2024-02-30",
    "24:00:00", "Patient/1", "#", "urn:uuid:", "http://", [], {}, [[]], [{}], [None],
    {"reference": 5}, {"coding": "x"}, {"start": "x"}, {"value": "1"}, {"extension": []},
]  # fmt: skip


def nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a tree: the container and the key."""
    found: list[tuple[Any, Any]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in list(pairs):
        found.append((value, key))
        if isinstance(child, (dict, list)):
            found += nodes(child)
    return found


def mutated(resource: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    changed = copy.deepcopy(resource)
    for _ in range(chance.randint(1, 3)):
        container, key = chance.choice(nodes(changed))
        kind = chance.randint(0, 3)
        if kind == 0 and isinstance(container, dict):
            del container[key]
        elif kind == 1 and isinstance(container, dict):
            container[chance.choice(["value", "code", "extension", "period", "zorro"])] = container[
                key
            ]
        else:
            container[key] = copy.deepcopy(chance.choice(STRANGE))
        if not changed:
            break
    return changed


@pytest.mark.parametrize("seed", range(4))
def test_mutated_examples_are_refused_or_can_be_stored(shared_data: Path, seed: int) -> None:
    folder = shared_data / "fhir-r4-examples"
    if not folder.is_dir():
        pytest.skip("shared data set 'fhir-r4-examples' not found")
    chance = random.Random(seed)
    passed = refused = 0
    for path in sorted(folder.rglob("*.json"))[seed::4]:
        if path.stat().st_size > 20_000:
            continue
        resource = json.loads(path.read_bytes())
        for _ in range(8):
            try:
                read = fhir_json.loads(json.dumps(mutated(resource, chance)))
            except Invalid:
                continue
            if DEFAULT.blocking(validate(read)):
                refused += 1
                continue
            extract(read)
            passed += 1
    assert passed > 50
    assert refused > 50


def test_every_type_survives_nonsense() -> None:
    for type_ in definitions.TYPES:
        for strange in STRANGE:
            for name in ("status", "code", "subject", "text", "identifier", "contained", "meta"):
                resource = {"resourceType": type_, name: copy.deepcopy(strange)}
                if not DEFAULT.blocking(validate(resource)):
                    extract(resource)
