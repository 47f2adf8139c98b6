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
    wanted = {
        *(
            f"ADT^{e}"
            for e in "A01 A02 A03 A04 A05 A06 A07 A08 A11 A12 A13 A21 A22 A28 A31 A38 A40 A47 A52 A53 A54 A55 Z99".split()
        ),
        "ORU^R01",
        "MDM^T02",
        "MDM^T04",
        "MDM^T10",
        "MDM^T11",
        "ORM^O01",
        "OML^O21",
        *(f"SIU^{e}" for e in "S12 S13 S14 S15 S17 S26".split()),
    }
    assert wanted <= set(INTERPRETERS)
