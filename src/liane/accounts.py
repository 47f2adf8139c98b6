"""How does an operator give a person an account, or a program its keys?"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import secrets
import sys

from liane.access.scopes import is_known
from liane.access.staff import enrol
from liane.assembly import identity_settings, services_open
from liane.base.errors import Invalid
from liane.identity import commands
from liane.installation import Dsns, database_running
from liane.settings import Settings


def add_user(settings: Settings, given: argparse.Namespace) -> int:
    """`liane user add`: the Practitioner and the role in the record, the account behind `/id`."""
    password = _password(given.password_stdin)
    shown = None
    if not password:
        password = shown = secrets.token_urlsafe(12)
    name = given.name or given.login
    with database_running(settings) as dsns:
        asyncio.run(_enrol(settings, dsns, given, name))
        commands.add_user(
            identity_settings(settings, dsns), login=given.login, password=password, name=name
        )
    print(f"Account {given.login} is ready: {given.role} at {given.establishment}.")
    if shown:
        print(f"Password, shown once: {shown}")
    return 0


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if sys.stdin.isatty():
        return getpass.getpass("Password (empty: one is made): ")
    return ""


async def _enrol(settings: Settings, dsns: Dsns, given: argparse.Namespace, name: str) -> None:
    async with services_open(settings, dsns) as services, services.database.transaction() as tx:
        await enrol(tx, given.login, name, given.role, given.establishment, given.unit, given.scope)


def add_client(settings: Settings, given: argparse.Namespace) -> int:
    """`liane client add`: prints the keys, once."""
    with database_running(settings) as dsns:
        keys = commands.add_client(
            identity_settings(settings, dsns),
            name=given.name,
            scopes=_known_scopes(given.scope),
            establishment=given.establishment,
        )
    shown = {
        "client_id": keys.client_id,
        "client_secret": keys.client_secret,
        "token_endpoint": keys.token_endpoint,
    }
    if given.json:
        print(json.dumps(shown))
    else:
        for name, value in shown.items():
            print(f"{name}: {value}")
    return 0


def _known_scopes(text: str) -> list[str]:
    wanted = text.split()
    if unknown := [scope for scope in wanted if not is_known(scope)]:
        raise Invalid(
            "client.scope",
            f"Portée inconnue : {' '.join(unknown)}.",
            f"Unknown scope: {' '.join(unknown)}.",
            "Exemples : system/*.cruds, system/Observation.rs.",
            "Examples: system/*.cruds, system/Observation.rs.",
        )
    return wanted
