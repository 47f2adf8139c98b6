"""Which token requests are honest, and what does an ID token say of a person?"""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from oauth2_provider.models import get_access_token_model, get_refresh_token_model
from oauth2_provider.oauth2_validators import OAuth2Validator

from liane.identity.models import UsedCode
from liane.identity.smart import covered

log = logging.getLogger(__name__)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class LianeValidator(OAuth2Validator):  # type: ignore[misc]
    """django-oauth-toolkit's rules, with ours: a replayed code costs its tokens."""

    oidc_claim_scope = None
    """Claims do not depend on scopes: the only readers are clients of this house."""

    def get_additional_claims(self) -> dict[str, Any]:
        """What the platform needs to know of the person."""
        return {
            "preferred_username": lambda request: request.user.get_username(),
            "name": lambda request: request.user.get_full_name(),
        }

    def validate_scopes(
        self, client_id: str, scopes: Any, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """What the client was registered with, or less."""
        del client_id, request, args, kwargs
        allowed = client.scopes()
        return all(covered(scope, allowed) for scope in scopes)

    def validate_code(
        self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """A code is good once. Shown again, whatever it gave is taken back (RFC 6749, 4.1.2)."""
        used = UsedCode.objects.filter(code_sha256=_digest(code)).first()
        if used is not None:
            log.warning("an authorization code was replayed by client %s", client_id)
            _revoke(used.access_token_checksum)
            return False
        if request.user is not None and not request.user.is_active:
            return False
        return bool(super().validate_code(client_id, code, client, request, *args, **kwargs))

    def save_bearer_token(self, token: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        """Remember which tokens a code gave, beside saving them."""
        super().save_bearer_token(token, request, *args, **kwargs)
        code = getattr(request, "code", None)
        if request.grant_type == "authorization_code" and code:
            UsedCode.objects.create(
                code_sha256=_digest(code), access_token_checksum=_digest(token["access_token"])
            )


def _revoke(checksum: str) -> None:
    for refresh in get_refresh_token_model().objects.filter(access_token__token_checksum=checksum):
        refresh.revoke()
    get_access_token_model().objects.filter(token_checksum=checksum).delete()
