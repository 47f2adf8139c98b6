"""What must the identity application be told before it can run?

Everything is in one frozen object. Django reads its settings once for each process, so
`configure` may be called again with another database or address (another start, a test) but the
rest must stay the same.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

PREFIX = "/id"
"""Where the application is mounted."""

FRESH_SECONDS = 120
"""How long a password counts after it was given: enough to come back to the application that
asked. A ward shares its workstations: when someone's session there has ended, whoever comes next
must not be signed in as that person by a session forgotten here.
"""


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """What an installation decides about its identity application."""

    dsn: str = field(repr=False)
    """PostgreSQL, as the role that owns the schema `identity`."""
    secret_key: str = field(repr=False)
    """At least 32 random characters, kept in a file of LIANE_HOME; signs cookies and forms."""
    issuer_base: str
    """The public address of the platform, e.g. `http://127.0.0.1:8000` (no final slash)."""
    rsa_key_path: Path
    """The private key (PEM) that signs ID tokens; made at the first start when absent."""
    allowed_hosts: tuple[str, ...] = ()
    """Further host names by which the platform may be called."""
    access_token_seconds: int = 3600
    pool_size: int = 4
    """Connections to PostgreSQL of this process, at most."""
    failures_per_address_per_minute: int = 30

    @property
    def issuer(self) -> str:
        """The `iss` of the tokens."""
        return f"{self.issuer_base}{PREFIX}/o"

    @property
    def secure(self) -> bool:
        """Whether browsers reach the platform by HTTPS."""
        return urlsplit(self.issuer_base).scheme == "https"


_configured: dict[str, IdentitySettings] = {}


def configured() -> IdentitySettings:
    """The settings in force in this process."""
    return _configured["now"]


def configure(settings: IdentitySettings) -> None:
    """Start Django with these settings, or follow a change of database or address."""
    before = _configured.get("now")
    if before == settings:
        return
    if len(settings.secret_key) < 32:
        raise ValueError("the secret key of the identity application needs 32 characters")
    from liane.identity.keys import rsa_private_key

    _configured["now"] = settings
    values = _django_values(settings, rsa_private_key(settings.rsa_key_path))
    if before is None:
        import django
        from django.conf import settings as django_settings

        django_settings.configure(**values)
        django.setup()
    else:
        _follow(values)


def _follow(values: dict[str, Any]) -> None:
    from django.conf import settings as django_settings
    from django.core.signals import setting_changed
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close()
        connection.close_pool()
        del connections[connection.alias]
    for name, value in values.items():
        setattr(django_settings, name, value)
    connections.settings = connections.configure_settings(values["DATABASES"])
    setting_changed.send(sender=None, setting="OAUTH2_PROVIDER", value=None, enter=True)


def _database(settings: IdentitySettings) -> dict[str, Any]:
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(settings.dsn)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", ""),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **parts,
            "options": "-c search_path=identity -c jit=off",
            "application_name": "liane identity",
            "pool": {"min_size": 1, "max_size": settings.pool_size, "timeout": 10},
        },
    }


def _django_values(settings: IdentitySettings, rsa_key: str) -> dict[str, Any]:
    host = urlsplit(settings.issuer_base).hostname or "127.0.0.1"
    return {
        "DEBUG": False,
        "SECRET_KEY": settings.secret_key,
        "ALLOWED_HOSTS": [host, "127.0.0.1", "localhost", "[::1]", *settings.allowed_hosts],
        "FORCE_SCRIPT_NAME": PREFIX,
        "ROOT_URLCONF": "liane.identity.urls",
        "DATABASES": {"default": _database(settings)},
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "INSTALLED_APPS": INSTALLED_APPS,
        "MIDDLEWARE": MIDDLEWARE,
        "TEMPLATES": TEMPLATES,
        "LANGUAGE_CODE": "fr",
        "LANGUAGES": [("fr", "français"), ("en", "English")],
        "LANGUAGE_COOKIE_NAME": "liane_language",
        "USE_I18N": True,
        "USE_TZ": True,
        "TIME_ZONE": "Europe/Paris",
        "SITE_ID": 1,
        "STATIC_URL": "/id/static/",
        "LOGIN_URL": "/id/accounts/login/",
        "LOGIN_REDIRECT_URL": "/",
        "LOGGING_CONFIG": None,
        "AUTH_USER_MODEL": "liane_identity.Account",
        "AUTHENTICATION_BACKENDS": [
            "allauth.account.auth_backends.AuthenticationBackend",
        ],
        "PASSWORD_HASHERS": [
            "liane.identity.hashing.QueuedArgon2",
            "liane.identity.hashing.SecretDigest",
        ],
        "AUTH_PASSWORD_VALIDATORS": PASSWORD_VALIDATORS,
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
        "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        **_cookies(settings),
        **_allauth(),
        "OAUTH2_PROVIDER_APPLICATION_MODEL": "liane_identity.Client",
        "OAUTH2_PROVIDER": _oauth(settings, rsa_key),
    }


INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "liane.identity.apps.LianeIdentity",
    "allauth",
    "allauth.account",
    "oauth2_provider",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "liane.identity.headers.page_headers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [str(Path(__file__).parent / "templates")],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "liane.identity.words.context",
            ]
        },
    }
]

PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 8},
    },
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]


def _cookies(settings: IdentitySettings) -> dict[str, Any]:
    """Names and paths that cannot meet those of the platform's own session."""
    return {
        "SESSION_COOKIE_NAME": "liane_id_session",
        "SESSION_COOKIE_PATH": PREFIX,
        "SESSION_COOKIE_AGE": FRESH_SECONDS,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.secure,
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
        "CSRF_COOKIE_NAME": "liane_id_csrf",
        "CSRF_COOKIE_PATH": PREFIX,
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SAMESITE": "Lax",
        "CSRF_COOKIE_SECURE": settings.secure,
        "CSRF_TRUSTED_ORIGINS": [settings.issuer_base],
        "CSRF_FAILURE_VIEW": "liane.identity.views.form_expired",
        "SECURE_CONTENT_TYPE_NOSNIFF": True,
        "SECURE_REFERRER_POLICY": "same-origin",
        "SECURE_PROXY_SSL_HEADER": (
            ("HTTP_X_FORWARDED_PROTO", "https") if settings.secure else None
        ),
        "X_FRAME_OPTIONS": "DENY",
    }


def _allauth() -> dict[str, Any]:
    """Accounts are made by operators: no open sign-up, no mail, our own throttle."""
    return {
        "ACCOUNT_ADAPTER": "liane.identity.adapter.StaffAccounts",
        "ACCOUNT_LOGIN_METHODS": {"username"},
        "ACCOUNT_SIGNUP_FIELDS": ["username*", "password1*"],
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_RATE_LIMITS": False,
        "ACCOUNT_SESSION_REMEMBER": False,
        "ACCOUNT_LOGOUT_ON_GET": False,
    }


def _oauth(settings: IdentitySettings, rsa_key: str) -> dict[str, Any]:
    return {
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": settings.issuer,
        "OIDC_USERINFO_ENDPOINT": f"{settings.issuer}/userinfo/",
        "OIDC_RSA_PRIVATE_KEY": rsa_key,
        "OIDC_RESPONSE_TYPES_SUPPORTED": ["code"],
        "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
        "OAUTH2_GRANT_TYPES_SUPPORTED": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
        ],
        "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
        "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
        "OIDC_RP_INITIATED_LOGOUT_STRICT_REDIRECT_URIS": True,
        "PKCE_REQUIRED": True,
        "OAUTH2_VALIDATOR_CLASS": "liane.identity.validator.LianeValidator",
        "SCOPES_BACKEND_CLASS": "liane.identity.scopes.ClientScopes",
        "SCOPES": {"openid": "openid", "profile": "profile", "fhirUser": "fhirUser"},
        "DEFAULT_SCOPES": ["openid"],
        "CLIENT_SECRET_HASHER": "liane-digest",
        "CLIENT_SECRET_GENERATOR_LENGTH": 48,
        "ACCESS_TOKEN_EXPIRE_SECONDS": settings.access_token_seconds,
        "ID_TOKEN_EXPIRE_SECONDS": 600,
        "REFRESH_TOKEN_EXPIRE_SECONDS": 12 * 3600,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "ROTATE_REFRESH_TOKEN": True,
        "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["https"] if settings.secure else ["http", "https"],
        "REQUEST_APPROVAL_PROMPT": "auto",
        "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
        "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
        "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
        "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
        "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    }
