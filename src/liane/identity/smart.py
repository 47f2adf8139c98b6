"""Which scopes exist for programs, and when is one narrower than another?

SMART App Launch 2 (`system/Observation.rs`) and its older words (`.read`, `.write`, `.*`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SMART = re.compile(r"(system|user|patient)/(\*|[A-Z][A-Za-z]{1,63})\.(c?r?u?d?s?|read|write|\*)")
_WORDS = {"read": "rs", "write": "cud", "*": "cruds"}


def is_system_scope(scope: str) -> bool:
    """Whether a program may be registered with this scope."""
    match = _SMART.fullmatch(scope)
    return match is not None and match[1] == "system" and bool(match[3])


def covered(wanted: str, allowed: Iterable[str]) -> bool:
    """Whether a client registered with `allowed` may be given `wanted`: the same scope, or a
    narrower one (`system/Patient.rs` under `system/*.cruds`).
    """
    allowed = tuple(allowed)
    if wanted in allowed:
        return True
    asked = _SMART.fullmatch(wanted)
    if asked is None or not asked[3]:
        return False
    letters = set(_WORDS.get(asked[3], asked[3]))
    for scope in allowed:
        has = _SMART.fullmatch(scope)
        if has is None or has[1] != asked[1] or has[2] not in ("*", asked[2]):
            continue
        letters -= set(_WORDS.get(has[3], has[3]))
    return not letters
