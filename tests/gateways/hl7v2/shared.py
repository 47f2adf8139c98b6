"""Where are the real messages of the shared test input, and how is one test made per file?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("LIANE_SHARED_DATA", ROOT.parent / "shared" / "data"))
SUFFIXES = {".hl7", ".er7", ".txt"}


def folder(name: str) -> Path:
    """The folder of one set, or a skip that says which set is missing."""
    path = SHARED / name
    if not path.is_dir():
        pytest.skip(f"shared data set '{name}' not found (LIANE_SHARED_DATA={SHARED})")
    return path


def message_files() -> list[Path]:
    """Every HL7 v2 file of every set; empty when the shared data is absent."""
    sets = sorted(SHARED.glob("hl7v2-*")) if SHARED.is_dir() else []
    return [p for s in sets for p in sorted(s.rglob("*")) if p.suffix in SUFFIXES]


def each_message_file() -> list[object]:
    """One parameter per file, or one skipped parameter that says why there is none."""
    files = message_files()
    if not files:
        why = f"shared data sets 'hl7v2-*' not found (LIANE_SHARED_DATA={SHARED})"
        return [pytest.param(None, marks=pytest.mark.skip(reason=why))]
    return [pytest.param(p, id=str(p.relative_to(SHARED))[-90:]) for p in files]
