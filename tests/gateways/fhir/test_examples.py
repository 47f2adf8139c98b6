"""Promise: every example of the R4 specification that the standard finds valid is accepted, and read
back with the same meaning, every digit of every decimal included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fhir import verdicts
from tests.gateways.fhir.conftest import Fhir


class Digits(str):
    """A decimal as it was written: 1.10 is not 1.1."""

    __slots__ = ()


def exact(text: bytes) -> Any:
    return json.loads(text, parse_float=Digits, parse_int=Digits)


def without_server_meta(resource: dict[str, Any]) -> dict[str, Any]:
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in _OF_THE_SERVER}
    return {**{k: v for k, v in resource.items() if k not in ("meta", "id")}, "meta": meta}


_OF_THE_SERVER = ("versionId", "lastUpdated")


async def test_every_valid_example_is_accepted_and_kept_to_the_digit(
    fhir: Fhir, shared_data: Path
) -> None:
    folder = shared_data / "fhir-r4-examples"
    if not folder.is_dir():
        pytest.skip("shared data set 'fhir-r4-examples' not found")
    valid = verdicts.recorded()
    accepted = refused = decimals = 0
    for path in sorted(folder.glob("*.json")):
        text = path.read_bytes()
        try:
            resource = exact(text)
        except ValueError:
            continue
        type_ = resource.get("resourceType")
        if type_ is None or (type_ == "Bundle" and resource["type"] in ("batch", "transaction")):
            continue
        answer = await fhir("POST", f"/{type_}", text)
        if answer.status_code != 201:
            assert valid.get(f"{path.name}#as-is/0") is not True, (path.name, answer.text[:500])
            refused += 1
            continue
        accepted += 1
        decimals += text.count(b".")
        read = await fhir("GET", answer.headers["location"].partition("/fhir")[2])
        assert without_server_meta(exact(read.content)) == without_server_meta(resource), path.name
    assert accepted >= 300
    assert decimals > 0
    assert refused <= 60, "the generated questionnaires without linkId, and few others"
