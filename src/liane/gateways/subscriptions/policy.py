"""Where may notifications go? What the IT department allows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server that takes our letters."""

    host: str
    port: int = 25
    security: str = "starttls"
    """`starttls`, `tls`, or `none` (a server of this machine only)."""
    sender: str = ""
    user: str = ""
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The receivers allowed, and how this installation is called."""

    base: str
    """`https://host/fhir`, without a slash at its end."""
    hosts: frozenset[str] = frozenset()
    """`host` or `host:port` of rest-hook receivers; nothing is called that is not here."""
    plain_hosts: frozenset[str] = frozenset()
    """Those of them that may be called without TLS."""
    mail_domains: frozenset[str] = frozenset()
    mail: MailServer | None = None
    keep_days: int = 30
    """How long events can be asked for again."""
    give_up_hours: float = 72.0
    """A subscription that fails for so long is switched off."""

    def allows(self, endpoint: str) -> bool:
        """Whether a rest-hook may be called: on the list, and over TLS unless excepted."""
        try:
            parts = urlsplit(endpoint)
            named = (host_of(endpoint), (parts.hostname or "").lower())
        except ValueError:
            return False
        known = any(one in self.hosts for one in named)
        secure = parts.scheme == "https" or (
            parts.scheme == "http" and any(one in self.plain_hosts for one in named)
        )
        return known and secure and not parts.username and not parts.fragment

    def allows_mail(self, address: str) -> bool:
        """Whether a letter may go there."""
        name, at, domain = address.rpartition("@")
        clean = all(c.isalnum() or c in "._-+" for c in name) and bool(name)
        return bool(at) and clean and domain.lower() in self.mail_domains


def host_of(endpoint: str) -> str:
    """`host:port` of a URL, the port always written."""
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{(parts.hostname or '').lower()}:{port}"


def socket_url(base: str) -> str:
    """Where the WebSocket channel of `https://host/fhir` is: `wss://host/fhir/ws`."""
    return f"ws{base.removeprefix('http')}/ws"


def names(text: str) -> frozenset[str]:
    """The names in a setting, separated by commas or blanks."""
    return frozenset(text.replace(",", " ").lower().split())
