"""Does every claim of `quality.toml` name a test that exists?"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from liane.gateways.hl7v2.interpreting import INTERPRETERS

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[3]


def test_every_claim_names_a_test_that_exists():
    text = (resources.files("liane.gateways.hl7v2") / "quality.toml").read_text("utf-8")
    claims = tomllib.loads(text)
    assert claims["level"] == "guarded"
    for level in ("wired", "steady", "guarded"):
        for place in claims[level].values():
            file, _, name = place.partition("::")
            assert f"def {name}(" in (ROOT / file).read_text("utf-8"), place


def test_every_event_of_the_contract_is_interpreted():
    adt = (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 21, 22, 28, 31, 38, 40, 47, 52, 53, 54, 55)
    wanted = {f"ADT^A{n:02d}" for n in adt} | {f"SIU^S{n}" for n in (12, 13, 14, 15, 17, 26)}
    wanted |= {"ADT^Z99", "ORU^R01", "MDM^T02", "MDM^T04", "MDM^T10", "MDM^T11"}
    wanted |= {"ORM^O01", "OML^O21"}
    assert wanted <= set(INTERPRETERS)


def test_the_reference_page_tells_what_the_code_does():
    from liane.gateways.hl7v2 import codec, mllp
    from liane.gateways.hl7v2.answers import diagram

    page = (ROOT / "docs" / "reference" / "hl7v2.md").read_text("utf-8")
    listed = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert listed == set(INTERPRETERS)
    assert diagram() in page
    assert f"{mllp.MAX_FRAME_BYTES // 1048576} MiB" in page
    assert f"{codec.MAX_SEGMENTS:,} segments" in page
    assert f"{codec.MAX_REPETITIONS:,} repetitions" in page
