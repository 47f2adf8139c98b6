"""Liane's FHIR server beside HAPI FHIR JPA, in a few minutes: see `bench/fhir` for larger runs.

python bench/fhir_peers.py --resources 4000 --rounds 3
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.fhir.__main__ import started

if __name__ == "__main__":
    started()
