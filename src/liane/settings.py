"""What can the IT department set, in which unit, and what is it when nobody sets it?

One frozen object. Each field is the environment variable `LIANE_` + its name in capitals, or a key
of the TOML file named by `LIANE_CONFIG`; the environment wins. A key that does not exist refuses
to start, so that a typing error is never silent.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liane.base.errors import Invalid

PREFIX = "LIANE_"
IGNORED = ("LIANE_SHARED_DATA", "LIANE_CONFIG")
IGNORED_PREFIX = "LIANE_TEST_"


def _setting(default: Any, meaning: str, unit: str = "") -> Any:
    return field(default=default, metadata={"meaning": meaning, "unit": unit})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of an installation."""

    home: Path = _setting(
        Path(".liane"), "folder of all data: database, blobs, keys, witness", "path"
    )
    database_url: str = _setting(
        "", "PostgreSQL 15 to 18 to use; empty: the embedded server", "DSN"
    )
    http_host: str = _setting(
        "127.0.0.1", "address the web pages and the FHIR API listen on", "address"
    )
    http_port: int = _setting(8000, "port of the web pages and the FHIR API", "TCP port")
    public_url: str = _setting(
        "", "address people type, behind a proxy; empty: host and port", "URL"
    )
    mllp_host: str = _setting("127.0.0.1", "address the HL7 v2 gateway listens on", "address")
    mllp_port: int = _setting(2575, "port of the HL7 v2 gateway (MLLP)", "TCP port")
    mllp_tls_certificate: str = _setting(
        "", "certificate and key (PEM) of MLLP over TLS; empty: clear", "path"
    )
    mllp_tls_authority: str = _setting(
        "", "authority (PEM) that partners' certificates must come from", "path"
    )
    dicom_host: str = _setting("127.0.0.1", "address the DICOM gateway listens on", "address")
    dicom_port: int = _setting(11112, "port of the DICOM gateway", "TCP port")
    dicom_ae_title: str = _setting(
        "LIANE", "application entity title of the DICOM gateway", "AE title"
    )
    simulator_speed: float = _setting(
        1.0, "how fast the demo's simulator plays: 1 real time, 0 off", "ratio"
    )
    tenant: int = _setting(1, "number of the hospital group (GHT) in the database", "number")
    session_idle_hours: float = _setting(12.0, "a session unused for this long ends", "hours")
    session_absolute_hours: float = _setting(
        24.0, "a session ends after this long in any case", "hours"
    )
    database_pool: int = _setting(8, "database connections of each process", "connections")
    gateway_memory_mib: int = _setting(4096, "memory a gateway process may use; 0: no limit", "MiB")
    fhir_update_create: int = _setting(
        1, "a FHIR PUT to an unknown id creates the resource: 1 yes, 0 no", "0|1"
    )
    fhir_delete_many: int = _setting(
        0, "a FHIR conditional delete may remove several resources: 1 yes, 0 no", "0|1"
    )
    fhir_import_hosts: str = _setting(
        "", "servers that FHIR $import may fetch files from; empty: none", "host[:port] ..."
    )
    subscription_hosts: str = _setting(
        "", "servers that FHIR notifications may be sent to; empty: none", "host[:port] ..."
    )
    subscription_plain_hosts: str = _setting(
        "", "those of them that may be called without TLS", "host[:port] ..."
    )
    subscription_mail_domains: str = _setting(
        "", "domains that FHIR notifications may be mailed to; empty: none", "domain ..."
    )
    subscription_keep_days: int = _setting(
        30, "how long the events of a FHIR subscription can be asked for again", "days"
    )
    subscription_give_up_hours: float = _setting(
        72.0, "a FHIR subscription whose receiver fails for so long is switched off", "hours"
    )
    smtp_host: str = _setting("", "mail server that takes our letters; empty: no letters", "host")
    smtp_port: int = _setting(587, "port of the mail server", "TCP port")
    smtp_security: str = _setting(
        "starttls", "how letters travel to the mail server", "starttls, tls or none"
    )
    smtp_sender: str = _setting("", "address that letters come from", "e-mail address")
    smtp_user: str = _setting("", "account at the mail server; empty: none", "login")
    smtp_password_file: str = _setting("", "file that holds the password of that account", "path")
    log_level: str = _setting(
        "warning", "least severe event written to the log", "debug|info|warning|error"
    )

    @property
    def base_url(self) -> str:
        """The address people type, without a final slash."""
        return (self.public_url or f"http://{self.http_host}:{self.http_port}").rstrip("/")


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises `Invalid` naming every unknown or unreadable key."""
    environment = os.environ if environment is None else environment
    given: dict[str, object] = {}
    config = environment.get("LIANE_CONFIG")
    if config:
        given.update(tomllib.loads(Path(config).read_text("utf-8")))
    for name, text in environment.items():
        if name.startswith(PREFIX) and name not in IGNORED and not name.startswith(IGNORED_PREFIX):
            given[name.removeprefix(PREFIX).lower()] = text
    return _checked(given)


def _checked(given: Mapping[str, object]) -> Settings:
    fields = {item.name: item for item in dataclasses.fields(Settings)}
    unknown = sorted(set(given) - set(fields))
    if unknown:
        names = ", ".join(PREFIX + name.upper() for name in unknown)
        raise Invalid(
            "settings.unknown",
            f"Réglage inconnu : {names}.",
            f"Unknown setting: {names}.",
            "Corrigez le nom, ou retirez-le ; `liane settings` liste tous les réglages.",
            "Correct the name or remove it; `liane settings` lists every setting.",
        )
    values: dict[str, Any] = {
        name: _converted(fields[name], value) for name, value in given.items()
    }
    return Settings(**values)


def _converted(item: dataclasses.Field[Any], value: object) -> object:
    kind: Any = Path if isinstance(item.default, Path) else type(item.default)
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        name = PREFIX + item.name.upper()
        raise Invalid(
            "settings.value",
            f"{name} = {value!r} n'est pas lisible ({item.metadata['unit']} attendu).",
            f"{name} = {value!r} cannot be read ({item.metadata['unit']} expected).",
        ) from error


def described() -> list[tuple[str, str, str, str]]:
    """Each setting as (variable, meaning, unit, default), for `liane settings` and its test."""
    return [
        (
            PREFIX + item.name.upper(),
            item.metadata["meaning"],
            item.metadata["unit"],
            str(item.default),
        )
        for item in dataclasses.fields(Settings)
    ]
