"""Where does this installation keep its data, and how is it prepared before anything runs?"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from liane.identity import IdentitySettings
from liane.settings import Settings
from liane.store.embedded import EmbeddedServer
from liane.store.migrate import migrate, missing


@dataclass(frozen=True, slots=True)
class Dsns:
    """How each part reaches the database. With a database of the site, all may be the same."""

    app: str
    owner: str
    identity: str


@contextmanager
def database_running(settings: Settings) -> Iterator[Dsns]:
    """The database of the installation: the site's by DSN, else the embedded one, started here or
    adopted when another process of this installation keeps it.
    """
    if settings.database_url:
        yield Dsns(settings.database_url, settings.database_url, settings.database_url)
        return
    server = EmbeddedServer(data_home(settings))
    server.start()
    try:
        yield Dsns(server.app_dsn, server.owner_dsn, server.identity_dsn)
    finally:
        server.stop()


def data_home(settings: Settings) -> Path:
    """The data folder, made on first use, closed to other accounts."""
    home = settings.home.absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def secret(settings: Settings, name: str) -> str:
    """A random secret of this installation, kept in a file that only its account reads."""
    folder = data_home(settings) / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / name
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text("ascii").strip()
    text = secrets.token_urlsafe(48)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    return text


def identity_settings(settings: Settings, dsns: Dsns) -> IdentitySettings:
    """What the identity application must know of this installation."""
    return IdentitySettings(
        dsn=dsns.identity,
        secret_key=secret(settings, "identity"),
        issuer_base=settings.base_url,
        rsa_key_path=data_home(settings) / "secrets" / "oidc.pem",
    )


async def prepare_database(dsns: Dsns) -> None:
    """Bring the record's tables to this release (the identity part brings its own)."""
    await migrate(dsns.owner)


def prepare(settings: Settings, dsns: Dsns) -> None:
    """Everything that must hold before a process of the installation runs; repeatable."""
    from liane.identity import commands

    asyncio.run(prepare_database(dsns))
    identity = identity_settings(settings, dsns)
    commands.migrate(identity)
    commands.configure_web_client(identity, settings.base_url)


def prepare_if_new(settings: Settings, dsns: Dsns) -> None:
    """`prepare`, when the database is not at this release; commands may come before any start."""
    if asyncio.run(missing(dsns.owner)):
        prepare(settings, dsns)
