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


def allows(
    scopes: Iterable[str], resource_type: str, letter: Letter, context: str = "system"
) -> bool:
    """Whether one of the scopes of `context` covers this interaction on this type."""
    for scope in scopes:
        parsed = _parse(scope)
        if parsed is None or parsed[0] != context:
            continue
        _, of_type, rights = parsed
        if of_type in ("*", resource_type) and letter in rights:
            return True
    return False


def covers(actor: Actor, resource_type: str, letter: Letter) -> bool:
    """Whether the actor's token, if there is one, covers the interaction.

    A person who signed in through the pages, a partner and the platform itself carry no token: the
    gate alone decides for them. A person's token (`user/` scopes) can only narrow what the gate
    allows.
    """
    if actor.kind == "client":
        return allows(actor.scopes, resource_type, letter)
    if actor.kind == "staff" and actor.session is None and actor.scopes:
        return allows(actor.scopes, resource_type, letter, "user")
    return True


def require_scope(actor: Actor, resource_type: str, letter: Letter) -> None:
    """Raise `Denied` when the actor's token does not cover the interaction (see `covers`)."""
    if not covers(actor, resource_type, letter):
        context = "system" if actor.kind == "client" else "user"
        raise Denied(
            "access.scope",
            f"Le jeton ne donne pas ce droit sur {resource_type}.",
            f"The token does not give this right on {resource_type}.",
            f"Demandez la portée {context}/{resource_type}.{letter}.",
            f"Ask for the scope {context}/{resource_type}.{letter}.",
        )


def readable_types(actor: Actor, types: Iterable[str], letter: Letter = "r") -> list[str]:
    """Those of `types` the actor's token covers (for searches over the whole system)."""
    return [name for name in types if covers(actor, name, letter)]
