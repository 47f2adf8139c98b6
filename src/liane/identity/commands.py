"""What do operators and the start of the platform ask of the identity application?

Plain functions; run them in a thread from asynchronous code (`asyncio.to_thread`).
"""

# ruff: noqa: ARG001 - every command takes the settings; `_command` starts Django with them

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from liane.base.errors import Invalid, NotFound
from liane.identity.settings import IdentitySettings, configure

P = ParamSpec("P")
Answer = TypeVar("Answer")

WEB_CLIENT_ID = "liane-web"


@dataclass(frozen=True, slots=True)
class UserLine:
    """One account in a list."""

    login: str
    name: str
    active: bool


def _command(
    function: Callable[Concatenate[IdentitySettings, P], Answer],
) -> Callable[Concatenate[IdentitySettings, P], Answer]:
    """Start Django first; give the connection back at the end, whichever thread this is."""

    @wraps(function)
    def run(settings: IdentitySettings, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        configure(settings)
        from django.db import close_old_connections, connections

        close_old_connections()
        try:
            return function(settings, *args, **kwargs)
        finally:
            connections.close_all()

    return run


@_command
def migrate(settings: IdentitySettings) -> None:
    """Bring the tables of the schema `identity` up to date; safe from several processes."""
    from django.core.management import call_command
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtext('liane.identity.migrate'))")
        try:
            if not _up_to_date():
                call_command("migrate", verbosity=0, interactive=False)
        finally:
            cursor.execute("select pg_advisory_unlock(hashtext('liane.identity.migrate'))")


def _up_to_date() -> bool:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def web_client_secret(settings: IdentitySettings) -> str:
    """The secret of the platform's own client: every node derives it, none stores it."""
    key = settings.secret_key.encode()
    return hmac.new(key, b"client:liane-web", hashlib.sha256).hexdigest()


@_command
def configure_web_client(settings: IdentitySettings, base_url: str = "") -> None:
    """Let the platform's own pages sign people in from `base_url` (default: `issuer_base`).

    Called at each start: the redirect addresses follow the port.
    """
    from liane.identity.models import Client

    base = (base_url or settings.issuer_base).rstrip("/")
    secret = web_client_secret(settings)
    wanted = {
        "name": "Liane",
        "client_type": Client.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": Client.GRANT_AUTHORIZATION_CODE,
        "algorithm": Client.RS256_ALGORITHM,
        "skip_authorization": True,
        "redirect_uris": f"{base}/sign-in/callback",
        "post_logout_redirect_uris": f"{base}/sign-in",
        "allowed_scopes": "openid profile fhirUser",
    }
    from django.contrib.auth.hashers import check_password

    client = Client.objects.filter(client_id=WEB_CLIENT_ID).first()
    if client is None or not check_password(secret, client.client_secret):
        wanted["client_secret"] = secret
    Client.objects.update_or_create(
        client_id=WEB_CLIENT_ID,
        defaults=wanted,
        create_defaults={**wanted, "client_secret": secret},
    )


@_command
def add_user(
    settings: IdentitySettings, login: str, name: str, password: str, *, check: bool = True
) -> bool:
    """Make (or complete) an account; True when it is new. The password is always set.

    `check=False` accepts a weak password: for the demo's public accounts only. The person's place
    in the record is `liane.access.staff.enrol`, called beside this. Raises `Invalid`.
    """
    from liane.identity.models import Account

    login = _checked_login(login)
    account = Account.objects.filter(username=login).first()
    made = account is None
    account = account or Account(username=login)
    account.display_name = name
    account.is_active = True
    if check:
        _check_password(password, account)
    account.set_password(password)
    account.save()
    return made


def _checked_login(login: str) -> str:
    from django.contrib.auth.validators import ASCIIUsernameValidator
    from django.core.exceptions import ValidationError

    login = login.strip().lower()
    try:
        ASCIIUsernameValidator()(login)
    except ValidationError:
        login = ""
    if not login or len(login) > 150:
        raise Invalid(
            "identity.login",
            "Un identifiant se compose de lettres sans accent, chiffres et . _ - @ +",
            "A login is made of unaccented letters, digits and . _ - @ +",
        )
    return login


def _check_password(password: str, account: Any) -> None:
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    try:
        validate_password(password, account)
    except ValidationError as refusal:
        raise Invalid(
            "identity.password",
            "Mot de passe refusé : 8 caractères au moins, ni courant ni proche du nom.",
            "Password refused: 8 characters at least, neither common nor close to the name.",
            codes=[error.code for error in refusal.error_list],
        ) from refusal


@_command
def set_password(
    settings: IdentitySettings, login: str, password: str, *, check: bool = True
) -> None:
    """Give an account a new password; its open identity sessions end. Raises `NotFound`."""
    account = _account(login)
    if check:
        _check_password(password, account)
    account.set_password(password)
    account.save(update_fields=["password"])
    revoke_tokens(settings, login)


@_command
def set_active(settings: IdentitySettings, login: str, *, active: bool) -> None:
    """Open or close an account. Closing revokes its tokens; end its sessions beside this
    (`liane.access.sessions.Sessions.end_all_of`). Raises `NotFound`.
    """
    account = _account(login)
    account.is_active = active
    account.save(update_fields=["is_active"])
    if not active:
        revoke_tokens(settings, login)


@_command
def revoke_tokens(settings: IdentitySettings, login: str) -> None:
    """Take back every token given to a person."""
    from oauth2_provider.models import get_access_token_model, get_refresh_token_model

    get_refresh_token_model().objects.filter(user__username=login).delete()
    get_access_token_model().objects.filter(user__username=login).delete()


def _account(login: str) -> Any:
    from liane.identity.models import Account

    account = Account.objects.filter(username=login.strip().lower()).first()
    if account is None:
        raise NotFound(
            "identity.no-account", f"Aucun compte « {login} ».", f"No account called {login}."
        )
    return account


@_command
def users(settings: IdentitySettings) -> list[UserLine]:
    """Every account, by login."""
    from liane.identity.models import Account

    return [
        UserLine(account.username, account.get_full_name(), account.is_active)
        for account in Account.objects.order_by("username")
    ]


@_command
def add_client(
    settings: IdentitySettings, name: str, scope: str, *, establishment: str | None = None
) -> dict[str, str]:
    """Register an API client (client_credentials, HTTP Basic) with the widest scopes it may have.

    Gives what the program must be told, once (the secret is not kept in clear): `client_id`,
    `client_secret`, `token_endpoint`, `scope`. Raises `Invalid` for a scope that does not exist.
    """
    from liane.identity.models import Client
    from liane.identity.smart import is_system_scope

    wanted = list(dict.fromkeys(scope.split()))
    unknown = [each for each in wanted if not is_system_scope(each)]
    if unknown or not wanted:
        raise Invalid(
            "identity.scope",
            f"Portée inconnue : {' '.join(unknown) or 'aucune donnée'}.",
            f"Unknown scope: {' '.join(unknown) or 'none given'}.",
            "Exemples : system/*.cruds, system/Observation.rs, system/ImagingStudy.c",
            "Examples: system/*.cruds, system/Observation.rs, system/ImagingStudy.c",
        )
    secret = secrets.token_urlsafe(32)
    client = Client.objects.create(
        name=name[:255],
        client_id=secrets.token_hex(12),
        client_secret=secret,
        client_type=Client.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Client.GRANT_CLIENT_CREDENTIALS,
        allowed_scopes=" ".join(wanted),
        establishment=establishment or "",
    )
    return {
        "name": name,
        "client_id": client.client_id,
        "client_secret": secret,
        "token_endpoint": f"{settings.issuer}/token/",
        "scope": " ".join(wanted),
    }


@_command
def remove_client(settings: IdentitySettings, client_id: str) -> None:
    """End an API client and every token it holds. Raises `NotFound`."""
    from liane.identity.models import Client

    removed, _ = Client.objects.filter(client_id=client_id).delete()
    if not removed:
        raise NotFound(
            "identity.no-client", f"Aucun client « {client_id} ».", f"No client {client_id}."
        )


@_command
def clients(settings: IdentitySettings) -> list[tuple[str, str, str]]:
    """Client id, label and scopes of every API client."""
    from liane.identity.models import Client

    return [
        (client.client_id, client.name, client.allowed_scopes)
        for client in Client.objects.order_by("name", "client_id")
    ]


@_command
def clear_expired(settings: IdentitySettings) -> None:
    """Erase tokens, codes and sessions that ended (a daily job)."""
    from datetime import timedelta

    from django.core.management import call_command
    from django.utils import timezone

    from liane.identity.models import UsedCode

    call_command("clearsessions", verbosity=0)
    call_command("cleartokens", verbosity=0)
    UsedCode.objects.filter(at__lt=timezone.now() - timedelta(days=1)).delete()
