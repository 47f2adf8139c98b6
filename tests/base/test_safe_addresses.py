"""Does a name lead only where the platform may go, whatever a name server says?"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

import httpcore
import httpx
import pytest

from liane.base.errors import Unavailable
from liane.base.safe_addresses import GuardedNetwork, GuardedTransport, is_public_or_site
from liane.base.safe_http import SafeClient

FORBIDDEN = (
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255",
    "::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "fe80::1", "ff02::1",
    "fd00:ec2::254", "2002:7f00:1::",
)  # fmt: skip
ALLOWED = ("10.1.2.3", "192.168.1.1", "172.16.0.9", "9.9.9.9", "fd12::1", "2620:fe::9")


@pytest.mark.unit
@pytest.mark.parametrize("address", FORBIDDEN)
def test_this_machine_links_and_metadata_are_never_called(address: str) -> None:
    assert not is_public_or_site(ipaddress.ip_address(address))


@pytest.mark.unit
@pytest.mark.parametrize("address", ALLOWED)
def test_a_site_and_the_internet_may_be_called(address: str) -> None:
    assert is_public_or_site(ipaddress.ip_address(address))


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """A name server that says `addresses`, and the names it was asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)
    return asked


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("9.9.9.9", "127.0.0.1"), ("::1",)])
async def test_an_allowed_name_that_leads_here_is_not_called(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    asked = answering(monkeypatch, *addresses)
    client = SafeClient(["hook.example"], plain=["hook.example"], transport=GuardedTransport())
    with pytest.raises(Unavailable):
        await client.request("POST", "http://hook.example/")
    assert asked == ["hook.example"]
    await client.close()


async def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(
        transport=GuardedTransport(trusted=["127.0.0.1"]), trust_env=False
    ) as http:
        assert (await http.post(f"http://127.0.0.1:{port}/")).status_code == 204
    async with httpx.AsyncClient(transport=GuardedTransport(), trust_env=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.post(f"http://127.0.0.1:{port}/")
    server.close()


async def test_a_file_of_this_machine_is_never_opened() -> None:
    with pytest.raises(httpcore.ConnectError):
        await GuardedNetwork().connect_unix_socket("/run/any.sock")
