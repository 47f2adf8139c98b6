"""Which pages does a person meet when signing in?"""

from __future__ import annotations

import hashlib
import logging
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

from allauth.account.views import LoginView
from django.core import signing
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.crypto import salted_hmac
from oauth2_provider.models import get_access_token_model
from oauth2_provider.views import IntrospectTokenView

from liane.identity.hashing import TooManySignIns
from liane.identity.settings import configured
from liane.identity.throttle import KNOWN_DEVICE_COOKIE, throttle

log = logging.getLogger("liane.identity.security")

KNOWN_DEVICE_DAYS = 60
ACCOUNTS_PER_DEVICE = 60
_STATIC = Path(__file__).parent / "static"


class SignIn(LoginView):  # type: ignore[misc]
    """The sign-in page: login and password."""

    template_name = "account/login.html"

    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check in turn, more slowly after failures; never lock an account."""
        address = str(request.META.get("REMOTE_ADDR") or "")
        account = str(request.POST.get("login", ""))[:150].strip().lower()
        held_up = not _known_device(request, account)
        if held_up and (throttle().address_refused(address) or not _waited(account, address)):
            return self._wait_a_minute(request)
        try:
            response: HttpResponse = super().post(request, *args, **kwargs)
        except TooManySignIns:
            return self._wait_a_minute(request)
        if response.status_code == HTTPStatus.FOUND:
            throttle().succeeded(account)
            _remember_device(request, response, account)
        else:
            throttle().failed(account, address)
            log.warning("sign-in refused for %r from %s", account, address)
            response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        return response

    def _wait_a_minute(self, request: Any) -> HttpResponse:
        response = render(
            request,
            "identity/notice.html",
            {"title": "busy_title", "text": "busy_text"},
            status=HTTPStatus.TOO_MANY_REQUESTS,
        )
        response.headers["Retry-After"] = "60"
        return response


def _waited(account: str, address: str) -> bool:
    """Wait as long as this account asks; False when too many wait already."""
    seconds = throttle().wait_seconds(account)
    if not seconds:
        return True
    with throttle().waiting(address) as free:
        if free:
            time.sleep(seconds)
        return free


def _known_accounts(request: Any) -> list[str]:
    """Digests of the accounts this device has signed in to (a shared post has many)."""
    try:
        known = signing.loads(
            request.COOKIES.get(KNOWN_DEVICE_COOKIE, ""),
            salt="known-device",
            max_age=KNOWN_DEVICE_DAYS * 86_400,
        )
    except signing.BadSignature:
        return []
    return known if isinstance(known, list) else []


def _account_digest(account: str) -> str:
    return str(salted_hmac("known-device", account).hexdigest())[:16]


def _known_device(request: Any, account: str) -> bool:
    return _account_digest(account) in _known_accounts(request)


def _remember_device(request: Any, response: HttpResponse, account: str) -> None:
    mine = _account_digest(account)
    others = [known for known in _known_accounts(request) if known != mine]
    response.set_cookie(
        KNOWN_DEVICE_COOKIE,
        signing.dumps([mine, *others][:ACCOUNTS_PER_DEVICE], salt="known-device"),
        max_age=KNOWN_DEVICE_DAYS * 86_400,
        path="/id",
        httponly=True,
        samesite="Lax",
        secure=configured().secure,
    )


class Introspect(IntrospectTokenView):  # type: ignore[misc]
    """RFC 7662, with what the gate needs of a client: its label and its establishment."""

    http_method_names = ("post", "options")

    @staticmethod
    def get_token_response(token_value: str | None = None) -> HttpResponse:
        """`active: false` unless the token is valid and its owner still is."""
        response: HttpResponse = IntrospectTokenView.get_token_response(token_value)
        if token_value is None or response.status_code != HTTPStatus.OK:
            return response
        return JsonResponse(_described(token_value))


def _described(token_value: str) -> dict[str, Any]:
    checksum = hashlib.sha256(token_value.encode("utf-8", "replace")).hexdigest()
    token = (
        get_access_token_model()
        .objects.select_related("user", "application")
        .filter(token_checksum=checksum)
        .first()
    )
    if token is None or not token.is_valid() or token.application is None:
        return {"active": False}
    if token.user is not None and not token.user.is_active:
        return {"active": False}
    described = {
        "active": True,
        "scope": token.scope,
        "exp": int(token.expires.timestamp()),
        "client_id": token.application.client_id,
        "client_name": token.application.name,
        "establishment": token.application.establishment or None,
    }
    if token.user is not None:
        described["username"] = token.user.get_username()
    return described


def form_expired(request: Any, reason: str = "") -> HttpResponse:
    """The form was too old or not ours: nothing was done."""
    del reason
    return render(
        request,
        "identity/notice.html",
        {"title": "expired_title", "text": "expired_text"},
        status=HTTPStatus.FORBIDDEN,
    )


def inactive(request: Any) -> HttpResponse:
    """The account is closed."""
    return render(
        request,
        "identity/notice.html",
        {"title": "inactive_title", "text": "inactive_text"},
        status=HTTPStatus.FORBIDDEN,
    )


def asset(request: Any, name: str) -> HttpResponse:
    """The few static files of these pages, so that they also work served apart."""
    del request
    types = {"sign-in.css": "text/css; charset=utf-8", "sign-in.js": "text/javascript"}
    if name not in types:
        raise Http404
    response = HttpResponse((_STATIC / name).read_bytes(), content_type=types[name])
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
