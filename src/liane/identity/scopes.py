"""Which scopes may this client be given?

A client asks for any subset of what it was registered with. A request without scopes receives
them all, as small integration programs expect.
"""

from __future__ import annotations

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
