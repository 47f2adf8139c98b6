"""Does every claim of `quality.toml` name a test that exists?"""

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("gateway", ["dicom", "dicomweb"])
def test_every_claim_names_a_test(gateway):
    text = (resources.files(f"liane.gateways.{gateway}") / "quality.toml").read_text("utf-8")
    claims = [
        where
        for part in tomllib.loads(text).values()
        if isinstance(part, dict)
        for where in part.values()
    ]
    assert claims
    for where in claims:
        file, _, name = where.partition("::")
        source = (ROOT / file).read_text("utf-8")
        assert re.search(rf"def {name}\(", source), where
