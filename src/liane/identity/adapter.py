"""Which doors of allauth stay shut here? (Accounts are made by operators, never by visitors.)"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter


class StaffAccounts(DefaultAccountAdapter):  # type: ignore[misc]
    """No open sign-up, no flash messages."""

    def is_open_for_signup(self, request: Any) -> bool:
        """Never: `liane user add` makes accounts."""
        del request
        return False

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Success is silent."""
