"""What may a program's token do to which type of resource?

SMART App Launch 2 scopes (`system/Observation.rs`, letters c r u d s) and the older words
(`system/*.read`, `.write`, `.*`), with the same meaning in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from liane.access.actor import Actor
from liane.base.errors import Denied

Letter = Literal["c", "r", "u", "d", "s"]

_SCOPE = re.compile(
    r"(?P<context>system|user|patient)/(?P<type>\*|[A-Z][A-Za-z]{1,63})\."
    r"(?P<rights>c?r?u?d?s?|read|write|\*)"
)
_WORDS = {"read": "rs", "write": "cud", "*": "cruds"}
OTHER_SCOPES = frozenset({"openid", "profile", "fhirUser", "launch", "offline_access"})


def is_known(scope: str) -> bool:
    """Whether this is a scope that Liane can grant."""
    return scope in OTHER_SCOPES or _parse(scope) is not None


@lru_cache(maxsize=4096)
def _parse(scope: str) -> tuple[str, str, str] | None:
    match = _SCOPE.fullmatch(scope)
    if match is None or not match["rights"]:
        return None
    rights = _WORDS.get(match["rights"], match["rights"])
    return match["context"], match["type"], rights


def allows(scopes: Iterable[str], resource_type: str, letter: Letter) -> bool:
    """Whether one of the `system/` scopes covers this interaction on this type."""
    for scope in scopes:
        parsed = _parse(scope)
        if parsed is None or parsed[0] != "system":
            continue
        _, of_type, rights = parsed
        if of_type in ("*", resource_type) and letter in rights:
            return True
    return False


def require_scope(actor: Actor, resource_type: str, letter: Letter) -> None:
    """Raise `Denied` when a program's scopes do not cover the interaction.

    Staff, partners and the platform itself have no scopes: the gate alone decides for them.
    """
    if actor.kind == "client" and not allows(actor.scopes, resource_type, letter):
        raise Denied(
            "access.scope",
            f"Le jeton ne donne pas ce droit sur {resource_type}.",
            f"The token does not give this right on {resource_type}.",
            f"Demandez la portée system/{resource_type}.{letter}.",
            f"Ask for the scope system/{resource_type}.{letter}.",
        )


def readable_types(actor: Actor, types: Iterable[str], letter: Letter = "r") -> list[str]:
    """Those of `types` the actor's scopes cover (for searches over the whole system)."""
    if actor.kind != "client":
        return list(types)
    return [name for name in types if allows(actor.scopes, name, letter)]
