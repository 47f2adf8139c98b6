"""How can a made-up hospital be surprising, and yet the same each time it is made?

Every draw comes from a generator seeded by names (`chance("person", 17)`), so that one person's
life does not change when another is added.
"""

from __future__ import annotations

import hashlib
import math
import random

SEED = "liane"


def chance(*names: object) -> random.Random:
    """A generator of draws that depends on `names` only."""
    digest = hashlib.blake2b("|".join(map(str, (SEED, *names))).encode(), digest_size=8)
    return random.Random(int.from_bytes(digest.digest(), "big"))


def fraction(*names: object) -> float:
    """A number in [0, 1) that depends on `names` only."""
    digest = hashlib.blake2b("|".join(map(str, (SEED, *names))).encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64


def sway(hours: float, step_hours: float, *names: object) -> float:
    """A slow random movement around 0 (about -1.7 to 1.7), continuous in time.

    It is a normal draw at each multiple of `step_hours`, joined by straight lines: measurements
    taken a few minutes apart resemble one another, as on a real patient.
    """
    position = hours / step_hours
    before = math.floor(position)
    share = position - before
    return (1 - share) * _normal(before, *names) + share * _normal(before + 1, *names)


def _normal(*names: object) -> float:
    """A draw of roughly normal shape: the sum of three uniform draws, scaled."""
    total = sum(fraction(part, *names) for part in ("a", "b", "c"))
    return (total - 1.5) * 2
