"""Under which name does Django know this application?"""

from __future__ import annotations

from django.apps import AppConfig


class LianeIdentity(AppConfig):  # type: ignore[misc]
    """Accounts and clients of Liane."""

    name = "liane.identity"
    label = "liane_identity"
    default_auto_field = "django.db.models.BigAutoField"
