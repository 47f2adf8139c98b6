"""How are FHIR subscriptions set up in this installation: whom may they reach, who may still hear?

Between the settings, the identity application and the gateway, which know nothing of one another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from liane.base.errors import Unavailable
from liane.gateways.fhir.exchange import WriteMany
from liane.gateways.subscriptions import (
    MailServer,
    Policy,
    Sockets,
    subscription_writer,
    topic_writer,
)
from liane.gateways.subscriptions.owners import Standing, StandingOf
from liane.gateways.subscriptions.policy import names
from liane.identity.standing import Standings
from liane.rooms import record
from liane.settings import Settings
from liane.store.failures import LOST
from liane.ui.services import Services


def policy_of(settings: Settings) -> Policy:
    """The receivers that the IT department allows."""
    mail = None
    if settings.smtp_host:
        mail = MailServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            sender=settings.smtp_sender,
            user=settings.smtp_user,
            password_file=Path(settings.smtp_password_file)
            if settings.smtp_password_file
            else None,
        )
    return Policy(
        base=f"{settings.base_url}/fhir",
        hosts=names(settings.subscription_hosts),
        plain_hosts=names(settings.subscription_plain_hosts),
        mail_domains=names(settings.subscription_mail_domains),
        mail=mail,
        keep_days=settings.subscription_keep_days,
        give_up_hours=settings.subscription_give_up_hours,
    )


def standing_of(dsn: str) -> StandingOf:
    """Asks the identity part, in its database, whether a program or an account is still open."""
    standings = Standings(dsn)
    turn = asyncio.Lock()

    async def ask(kind: str, name: str) -> Standing | None:
        async with turn:
            try:
                return await _standing(standings, kind, name)
            except LOST as problem:
                raise Unavailable(
                    "identity.unavailable",
                    "Le service d'identité ne répond pas.",
                    "The identity service does not answer.",
                    cause=type(problem).__name__,
                ) from problem

    return ask


async def _standing(standings: Standings, kind: str, name: str) -> Standing | None:
    if kind == "staff":
        return Standing() if await standings.account_is_open(name) else None
    found = await standings.client(name)
    if found is None:
        return None
    scopes, establishment = found
    return Standing(tuple(scopes.split()), establishment or None)


def writers(settings: Settings) -> Mapping[str, WriteMany]:
    """The write actions of the types that subscriptions are made of."""
    return {
        "Subscription": subscription_writer(policy_of(settings), record.write_resources),
        "Basic": topic_writer(record.write_resources),
    }


def sockets(settings: Settings, identity_dsn: str, services: Services) -> Sockets:
    """The WebSocket channel of a web node."""
    check = services.tokens.check if services.tokens else None
    return Sockets(services.database, policy_of(settings), standing_of(identity_dsn), check)
