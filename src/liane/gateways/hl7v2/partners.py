"""Which systems may send us messages, how are they recognised, and how is each understood?"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from liane.base.errors import LianeError
from liane.gateways.hl7v2.mapping.datatypes import Source
from liane.store import Database, Tx
from liane.store.sql import queries

Q = queries("liane.gateways.hl7v2", "partners.sql")
log = logging.getLogger(__name__)
RELOAD_SECONDS = 2.0
MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Partner:
    """One system and its settings."""

    id: str
    name: str
    allowed: bool = True
    addresses: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    charset: str = ""
    unknown_patient: Literal["provisional", "hold"] = "hold"
    enhanced: bool = False
    language: Literal["fr", "en"] = "fr"
    establishment: str = ""
    authorities: Mapping[str, str] = field(default_factory=dict)
    quiet_minutes: int = 60

    def source(self, application: str, facility: str) -> Source:
        """How the numbers of this message are told apart from those of other senders."""
        return Source(application, facility, self.authorities, self.id, self.establishment)

    def knows(self, address: str, certificate: str) -> int:
        """How surely the peer is this partner: 0 not at all, 2 by address, 3 by certificate."""
        if self.certificates:
            return 3 if certificate and certificate in self.certificates else 0
        return 2 if any(_within(address, network) for network in self.addresses) else 0


def _within(address: str, network: str) -> bool:
    try:
        peer = ipaddress.ip_address(address)
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped:
            peer = peer.ipv4_mapped
        return peer in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Recognised:
    """Who the peer is, or why it may not send."""

    partner: Partner | None
    code: str = ""
    fr: str = ""
    en: str = ""


LOOPBACK = Partner(
    id="demo-loopback",
    name="Simulateur de démonstration",
    addresses=("127.0.0.0/8", "::1"),
    unknown_patient="provisional",
)
"""The partner of the demo: this very machine, any application."""


def recognise(
    partners: Sequence[Partner], address: str, certificate: str, application: str
) -> Recognised:
    """The partner that sends: the one known by certificate first, then by address; among those,
    one that names the application goes before one that accepts any.
    """
    known = [p for p in partners if p.knows(address, certificate)]
    if not known:
        return Recognised(
            None,
            "sender-unknown",
            "Émetteur inconnu : ni son adresse ni son certificat ne sont déclarés. "
            "Déclarez-le sur la page Interfaces, puis demandez-lui de renvoyer.",
            "Unknown sender: neither its address nor its certificate is declared. "
            "Declare it on the interfaces page, then ask it to send again.",
        )
    fitting = [p for p in known if not p.applications or application in p.applications]
    if not fitting:
        return Recognised(
            None,
            "application-unknown",
            f"L'application émettrice « {application[:60]} » (MSH-3) n'est pas déclarée pour ce "
            "partenaire. Ajoutez-la sur la page Interfaces.",
            f"The sending application “{application[:60]}” (MSH-3) is not declared for this "
            "partner. Add it on the interfaces page.",
        )
    best = max(fitting, key=lambda p: (p.knows(address, certificate), bool(p.applications)))
    if not best.allowed:
        return Recognised(
            None,
            "sender-suspended",
            f"Le partenaire « {best.name} » est suspendu. Rétablissez-le sur la page Interfaces.",
            f"The partner “{best.name}” is suspended. Allow it again on the interfaces page.",
        )
    return Recognised(best)


class Directory:
    """The partners as they are now; changes made on the interfaces page are seen in 2 s."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stamp: object = None
        self._recognised: dict[tuple[str, str, str], Recognised] = {}
        self.partners: tuple[Partner, ...] = ()

    async def refresh(self) -> None:
        """Read the settings again when they have changed."""
        async with self._database.reading() as tx:
            stamp = tuple(await tx.fetchrow(Q["stamp"], tx.tenant))
            if stamp != self._stamp:
                self.partners = tuple(await load(tx))
                self._recognised.clear()
                self._stamp = stamp

    async def follow(self, stop: asyncio.Event) -> None:
        """Keep the settings fresh until told to stop."""
        while not stop.is_set():
            try:
                await self.refresh()
            except LianeError as problem:
                log.warning("partner settings could not be read: %s", problem.code)
            try:
                await asyncio.wait_for(stop.wait(), RELOAD_SECONDS)
            except TimeoutError:
                continue

    def recognise(self, address: str, certificate: str, application: str) -> Recognised:
        """See `recognise`; the answer is remembered until the settings change."""
        key = (address, certificate, application)
        known = self._recognised.get(key)
        if known is None:
            if len(self._recognised) > MAX_REMEMBERED:
                self._recognised.clear()
            known = recognise(self.partners, address, certificate, application)
            self._recognised[key] = known
        return known

    def by_id(self, partner_id: str) -> Partner | None:
        """The partner of that id."""
        return next((p for p in self.partners if p.id == partner_id), None)


async def load(tx: Tx) -> list[Partner]:
    """Every partner of the group."""
    return [_partner(row) for row in await tx.fetch(Q["all"], tx.tenant)]


def _partner(row: Any) -> Partner:
    values = dict(row)
    for name in ("addresses", "certificates", "applications"):
        values[name] = tuple(values[name])
    authorities = values["authorities"]
    values["authorities"] = json.loads(authorities) if isinstance(authorities, str) else authorities
    return Partner(**values)


def _arguments(tx: Tx, partner: Partner) -> tuple[Any, ...]:
    return (
        tx.tenant,
        partner.id,
        partner.name,
        partner.allowed,
        list(partner.addresses),
        list(partner.certificates),
        list(partner.applications),
        partner.charset,
        partner.unknown_patient,
        partner.enhanced,
        partner.language,
        partner.establishment,
        json.dumps(dict(partner.authorities)),
        partner.quiet_minutes,
    )


async def save(tx: Tx, partner: Partner) -> None:
    """Create a partner or change its settings (the caller has asked the gate and journals)."""
    await tx.execute(Q["save"], *_arguments(tx, partner))


async def ensure(tx: Tx, partner: Partner = LOOPBACK) -> None:
    """Make sure a partner exists, without touching its settings when it does."""
    await tx.execute(Q["ensure"], *_arguments(tx, partner))
