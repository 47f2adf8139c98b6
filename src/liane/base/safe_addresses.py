"""Which network addresses may a name lead to when the platform calls another server?

A name on a list says nothing of where it leads: its owner may point it at this machine or at the
address where clouds keep their secrets. So the name is resolved here, once, every address is
judged, and the connection goes to the address that was judged, whatever the name says next.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

CONNECTIONS = 200
KEPT_SECONDS = 30.0

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_CLOUD_SECRETS = ipaddress.ip_address("fd00:ec2::254")


def is_public_or_site(address: Address) -> bool:
    """Whether it is an address of a site or of the Internet: not this machine, not a link, not
    the metadata service of a cloud, not a group.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public_or_site(inner)
        if address == _CLOUD_SECRETS or address.teredo is not None:
            return False
    return not (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
    )


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections only to addresses that may be called.

    A host named in `trusted` (`localhost`, `127.0.0.1`) may lead anywhere: the administrator has
    written that very name.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._trusted = {name.strip("[]").lower() for name in trusted}

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge, then connect to what was judged."""
        try:
            async with asyncio.timeout(timeout):
                address = await self._judged(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"the name {host} is not resolved in time") from None
        return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)

    async def _judged(self, host: str, port: int) -> str:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as problem:
            raise httpcore.ConnectError(f"the name {host} leads nowhere") from problem
        texts = [str(entry[4][0]).partition("%")[0] for entry in found]
        if host.strip("[]").lower() in self._trusted:
            return texts[0]
        # All of them: a name that also leads here is not to be trusted with the others.
        if not texts or not all(is_public_or_site(ipaddress.ip_address(text)) for text in texts):
            raise httpcore.ConnectError(f"{host} leads to an address that may not be called")
        return texts[0]

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - the interface of httpcore, here and below
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Never: only other servers are called."""
        raise httpcore.ConnectError("no file of this machine is called")

    async def sleep(self, seconds: float) -> None:
        """As the interface asks."""
        await asyncio.sleep(seconds)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx over the guarded network."""

    def __init__(
        self, *, trusted: Iterable[str] = (), verify: ssl.SSLContext | bool = True
    ) -> None:
        super().__init__(verify=verify, trust_env=False)
        context = verify if isinstance(verify, ssl.SSLContext) else httpx.create_ssl_context(verify)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=GuardedNetwork(trusted),
        )
