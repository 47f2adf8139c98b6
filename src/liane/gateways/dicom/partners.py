"""Which machines may send images, and how is each understood?

A machine is known by the address it speaks from together with the AE title it gives: a title alone
is not a proof, anybody can write one.
"""

from __future__ import annotations

import ipaddress
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liane.access.actor import Actor
from liane.access.actor import partner as partner_actor
from liane.gateways.dicom.listener import Peer
from liane.rooms.imaging.values import Policy
from liane.store import Database, Tx
from liane.store.sql import queries

log = logging.getLogger(__name__)

Q = queries("liane.gateways.dicom", "partners.sql")

GROUP_AUTHORITIES = {
    "CHU": "urn:oid:1.2.250.1.999.1.1",
    "CHG": "urn:oid:1.2.250.1.999.1.2",
    "EHPAD": "urn:oid:1.2.250.1.999.1.3",
}
"""Issuers that machines of the demo group write, and the numbers of its establishments."""


@dataclass(frozen=True, slots=True)
class Partner:
    """One machine or archive that may send."""

    id: str
    policy: Policy
    titles: tuple[str, ...]
    called: tuple[str, ...]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    @property
    def actor(self) -> Actor:
        """Who acts in the record and the journal when it sends."""
        return partner_actor(self.id, self.policy.establishment or None)

    def matches(self, peer: Peer) -> bool:
        """Whether `peer` is this machine."""
        if self.titles and peer.calling not in self.titles:
            return False
        if self.called and peer.called not in self.called:
            return False
        try:
            address = ipaddress.ip_address(peer.address)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self.networks)


def find(partners: Sequence[Partner], peer: Peer) -> Partner | None:
    """The partner at the other end; the most narrowly described one wins."""
    fitting = [partner for partner in partners if partner.matches(peer)]
    return max(fitting, key=_narrowness, default=None)


def _narrowness(partner: Partner) -> tuple[bool, bool, int]:
    longest = max((network.prefixlen for network in partner.networks), default=0)
    return bool(partner.titles), bool(partner.called), longest


async def load(database: Database) -> tuple[Partner, ...]:
    """Every partner that is allowed."""
    async with database.reading() as tx:
        rows = await tx.fetch(Q["allowed"], tx.tenant)
    return tuple(_partner(row) for row in rows)


async def introduce_loopback(tx: Tx) -> None:
    """Accept what runs on the same machine, provisionally (demonstration, tests); only where no
    partner exists yet.
    """
    await tx.execute(Q["introduce_loopback"], tx.tenant, json.dumps(GROUP_AUTHORITIES), tx.now)


def _partner(row: Mapping[str, Any]) -> Partner:
    authorities = row["authorities"]
    if isinstance(authorities, str):
        authorities = json.loads(authorities)
    policy = Policy(
        source=row["name"],
        unknown_patient=row["unknown_patient"],
        quarantine=row["quarantine"],
        establishment=row["establishment"],
        authorities=authorities,
    )
    networks = tuple(_networks(row["id"], row["addresses"]))
    return Partner(row["id"], policy, tuple(row["titles"]), tuple(row["called"]), networks)


def _networks(
    partner: str, addresses: Iterable[str]
) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for text in addresses:
        try:
            yield ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            log.warning("DICOM partner %s: %r is not an address; ignored", partner, text)
