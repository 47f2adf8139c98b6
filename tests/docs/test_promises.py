"""Does every promise name a proof that exists, or say plainly that it is not met?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMISES = ROOT / "docs/reference/promises.md"
PROOF = re.compile(r"`((?:tests|bench)/[^`]+)`")

pytestmark = pytest.mark.unit


def rows() -> list[str]:
    lines = PROMISES.read_text("utf-8").splitlines()
    return [
        line
        for line in lines
        if line.startswith("| ") and not line.startswith(("| Promise", "|---", "| #"))
    ]


def test_every_promise_has_a_proof_or_says_not_met() -> None:
    for row in rows():
        assert PROOF.search(row) or "not met:" in row, row


def test_every_named_proof_exists() -> None:
    for row in rows():
        for proof in PROOF.findall(row):
            file, _, name = proof.partition("::")
            path = ROOT / file
            assert path.exists(), f"{proof} is promised and does not exist"
            if name:
                pattern = rf"(?:async )?def {re.escape(name)}\b|class {re.escape(name)}\b"
                assert re.search(pattern, path.read_text("utf-8")), f"{proof} does not exist"
