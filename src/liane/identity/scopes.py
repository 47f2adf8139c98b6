"""Which scopes may this client be given?

A client asks for any subset of what it was registered with. A request without scopes receives
them all, as small integration programs expect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from oauth2_provider.scopes import BaseScopes

SIGN_IN_SCOPES = ("openid", "profile", "fhirUser")


class ClientScopes(BaseScopes):  # type: ignore[misc]
    """Scopes by client, from `Client.allowed_scopes`."""

    def get_all_scopes(self) -> dict[str, str]:
        """Scopes that exist, with their names; SMART scopes name themselves."""
        return _SelfNaming({scope: scope for scope in SIGN_IN_SCOPES})

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """What this client may ask for; without a client, what discovery shows."""
        del request, args, kwargs
        if application is None:
            return [*SIGN_IN_SCOPES, "system/*.cruds"]
        return list(application.scopes())

    def get_default_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """What this client receives when it asks for nothing in particular."""
        del request, args, kwargs
        return self.get_available_scopes(application)


class _SelfNaming(dict[str, str]):
    def __missing__(self, scope: str) -> str:
        return scope


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
