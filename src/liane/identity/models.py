"""What does the identity application keep of a person and of a program?"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from oauth2_provider.models import AbstractApplication


class Account(AbstractUser):  # type: ignore[misc]
    """One member of staff who can sign in. What the person may do is not here: roles are in
    the record (PractitionerRole), found by the login.
    """

    display_name = models.CharField(max_length=255, blank=True)

    def get_full_name(self) -> str:
        """The name shown: as enrolled, else the login."""
        return str(self.display_name or self.username)


class Client(AbstractApplication):  # type: ignore[misc]
    """One program that may ask for tokens, with the widest scopes it may be given."""

    allowed_scopes = models.TextField(blank=True, default="")
    establishment = models.CharField(max_length=64, blank=True, default="")

    class Meta(AbstractApplication.Meta):  # type: ignore[misc]
        """One table of clients."""

    def scopes(self) -> list[str]:
        """The widest scopes this client may be given."""
        return str(self.allowed_scopes).split()

    def redirect_uri_allowed(self, uri: str) -> bool:
        """Exact match only (RFC 9700, section 4.1.3): no prefix, no other port, no extra query."""
        return uri in str(self.redirect_uris).split()

    def post_logout_redirect_uri_allowed(self, uri: str) -> bool:
        """Exact match only."""
        return uri in str(self.post_logout_redirect_uris).split()

    def is_usable(self, request: Any) -> bool:
        """Every registered client may be used; an ended one is deleted."""
        del request
        return True


class UsedCode(models.Model):  # type: ignore[misc]
    """An authorization code already exchanged: shown again, its tokens are revoked."""

    code_sha256 = models.CharField(max_length=64, primary_key=True)
    access_token_checksum = models.CharField(max_length=64, default="")
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"code used at {self.at}"
