"""How does the platform learn from the identity application who has signed in?

OpenID Connect, authorization code with PKCE (RFC 6749, RFC 7636, OpenID Connect Core 1.0), as any
client would: the provider may be another program. Each sign-in has its own state, nonce and
verifier, used once, bound to the browser by a cookie, good for ten minutes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from liane.access.sessions import digest
from liane.base.errors import Denied, Unavailable
from liane.base.safe_http import SafeClient
from liane.store import Tx
from liane.store.sql import queries

Q = queries("liane.access", "sessions.sql")

GOOD_FOR = timedelta(minutes=10)
ALGORITHMS = ["RS256"]
LEEWAY_SECONDS = 30
KEYS_REFETCH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and the secret to leave with it."""

    url: str
    state: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the identity application vouches for."""

    login: str
    name: str
    id_token: str
    next: str


class OidcClient:
    """The platform's own client at one OpenID provider."""

    def __init__(
        self, base_url: str, client_id: str, client_secret: str, http: SafeClient | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.issuer = f"{self.base_url}/id/o"
        self.client_id = client_id
        self._secret = client_secret
        host = urlsplit(self.base_url).hostname or ""
        self._http = http or SafeClient([host], plain=[host], limit_bytes=256 * 1024)
        self._keys: KeySet | None = None
        self._keys_at = float("-inf")

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends the browser back, registered exactly so."""
        return f"{self.base_url}/sign-in/callback"

    async def begin(self, tx: Tx, next_page: str) -> Begun:
        """Prepare one sign-in that ends on `next_page` (a path of ours)."""
        state = secrets.token_urlsafe(24)
        verifier = secrets.token_urlsafe(48)
        nonce = secrets.token_urlsafe(24)
        await tx.execute(
            Q["begin"], tx.tenant, digest(state), verifier, nonce, next_page, self.base_url, tx.now
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.client_id,
                "redirect_uri": self.redirect_uri,
                "scope": "openid profile",
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge.rstrip(b"=").decode(),
                "code_challenge_method": "S256",
            }
        )
        return Begun(f"{self.issuer}/authorize/?{query}", state)

    async def finish(self, tx: Tx, answer: Mapping[str, str], cookie: str | None) -> SignedIn:
        """Check the provider's answer and exchange the code. Raises `Denied` for anything odd.

        `cookie` is the state left with the browser that began: another browser cannot finish.
        """
        state = answer.get("state", "")
        if not state or cookie is None or not hmac.compare_digest(state.encode(), cookie.encode()):
            raise refused("state")
        row = await tx.fetchrow(Q["take"], tx.tenant, digest(state))
        if row is None or row["base_url"] != self.base_url or tx.now - row["started"] > GOOD_FOR:
            raise refused("state")
        if answer.get("iss") != self.issuer:
            raise refused("issuer")
        if "error" in answer or not answer.get("code"):
            raise refused(answer.get("error", "code")[:40])
        token = await self._exchange(answer["code"], row["verifier"])
        claims = await self.verified(token, row["nonce"])
        login = str(claims.get("preferred_username") or "")
        return SignedIn(login, str(claims.get("name") or login), token, row["next"])

    async def _exchange(self, code: str, verifier: str) -> str:
        answer = await self._http.request(
            "POST",
            f"{self.issuer}/token/",
            auth=(self.client_id, self._secret),
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.redirect_uri,
                "code_verifier": verifier,
            },
        )
        if answer.status_code >= 500:
            raise _provider_away()
        token = _json(answer).get("id_token")
        if answer.status_code != 200 or not isinstance(token, str):
            raise refused("code")
        return token

    async def verified(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that this provider signed for us, now, for this sign-in.

        Only RS256 with a key of the provider's own set: `none`, HMAC with the public key, and keys
        that the token brings along (`jwk`, `jku`, `x5u`) are never looked at.
        """
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        try:
            decoded = jwt.decode(token, await self._key_set(token), algorithms=ALGORITHMS)
            registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError) as problem:
            raise refused("id-token") from problem
        claims = dict(decoded.claims)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise refused("nonce")
        if claims.get("azp", self.client_id) != self.client_id:
            raise refused("id-token")
        return claims

    async def _key_set(self, token: str) -> KeySet:
        """The provider's keys; fetched again, not too often, when a token names another one."""
        known = self._keys
        stale = time.monotonic() - self._keys_at > KEYS_REFETCH_SECONDS
        if known is None or (stale and _key_id(token) not in {key.kid for key in known.keys}):
            answer = await self._http.request("GET", f"{self.issuer}/.well-known/jwks.json")
            if answer.status_code != 200:
                raise _provider_away()
            known = self._keys = KeySet.import_key_set(_json(answer))  # type: ignore[arg-type]
            self._keys_at = time.monotonic()
        return known

    def sign_out_url(self, id_token: str | None) -> str:
        """Where the browser goes to end its session at the provider too, then back to us."""
        query = {
            "client_id": self.client_id,
            "post_logout_redirect_uri": f"{self.base_url}/sign-in",
        }
        if id_token:
            query["id_token_hint"] = id_token
        return f"{self.issuer}/logout/?{urlencode(query)}"

    async def close(self) -> None:
        """Close the connections kept open."""
        await self._http.close()


def _key_id(token: str) -> str | None:
    head = token.split(".", 1)[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))).get("kid")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def _json(answer: Any) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def refused(what: str) -> Denied:
    """The sign-in stops here; `what` is for the journal and the log."""
    return Denied(
        "access.sign-in",
        "La connexion n'a pas pu être vérifiée.",
        "The sign-in could not be verified.",
        "Recommencez depuis la page d'accueil de Liane.",
        "Start again from Liane's home page.",
        what=what,
    )


def _provider_away() -> Unavailable:
    return Unavailable(
        "access.identity-away",
        "Le service d'identité ne répond pas.",
        "The identity service does not answer.",
        "Réessayez dans quelques secondes.",
        "Try again in a few seconds.",
    )
