"""How does an operator let in a person, a program, or the systems of this machine?"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import secrets
import sys

from liane.access.staff import enrol
from liane.gateways.dicom import partners as dicom_partners
from liane.gateways.hl7v2 import partners as hl7v2_partners
from liane.identity import commands
from liane.installation import (
    Dsns,
    database_running,
    identity_settings,
    prepare_if_new,
)
from liane.projections import PROJECTIONS
from liane.settings import Settings
from liane.store import Database


def add_user(settings: Settings, given: argparse.Namespace) -> int:
    """`liane user add`: the Practitioner and the role in the record, the account behind `/id`."""
    password = _password(given.password_stdin)
    shown = None
    if not password:
        password = shown = secrets.token_urlsafe(12)
    name = given.name or given.login
    with database_running(settings) as dsns:
        prepare_if_new(settings, dsns)
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
    async with await _record(settings, dsns) as database, database.transaction() as tx:
        await enrol(tx, given.login, name, given.role, given.establishment, given.unit, given.scope)


def add_client(settings: Settings, given: argparse.Namespace) -> int:
    """`liane client add`: prints the keys, once."""
    with database_running(settings) as dsns:
        prepare_if_new(settings, dsns)
        keys = commands.add_client(
            identity_settings(settings, dsns),
            name=given.name,
            scope=given.scope,
            establishment=given.establishment,
        )
    if given.json:
        print(json.dumps(keys))
    else:
        for name, value in keys.items():
            print(f"{name}: {value}")
    return 0


def accept_loopback(settings: Settings) -> int:
    """`liane partner accept-loopback`: for the demonstration and for tests."""
    with database_running(settings) as dsns:
        prepare_if_new(settings, dsns)
        asyncio.run(introduce_loopback(settings, dsns))
    print("HL7 v2 and DICOM systems of this machine may send, as a provisional partner.")
    return 0


async def introduce_loopback(settings: Settings, dsns: Dsns) -> None:
    """Make the systems of this machine partners, if nobody has decided otherwise."""
    async with await _record(settings, dsns) as database, database.transaction() as tx:
        await hl7v2_partners.ensure(tx)
        await dicom_partners.introduce_loopback(tx)


async def _record(settings: Settings, dsns: Dsns) -> Database:
    return await Database.open(
        dsns.app, tenant=settings.tenant, max_size=2, projections=PROJECTIONS
    )
