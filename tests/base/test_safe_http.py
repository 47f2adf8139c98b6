"""Promise: the platform calls only the servers on its list, wherever a document points."""

from __future__ import annotations

import httpx
import pytest

from liane.base.errors import Denied, Unavailable
from liane.base.safe_http import SafeClient

pytestmark = pytest.mark.unit


def client(**options: object) -> SafeClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/moved":
            return httpx.Response(302, headers={"location": "http://169.254.169.254/"})
        if request.url.path == "/large":
            return httpx.Response(200, content=b"x" * 2000)
        if request.url.path == "/silent":
            raise httpx.ReadTimeout("silent")
        return httpx.Response(200, text="bonjour")

    return SafeClient(
        ["annuaire.example", "127.0.0.1:9"], limit_bytes=1000, transport=httpx.MockTransport(answer)
    )


async def test_a_listed_server_is_called() -> None:
    async with client() as http:
        assert (await http.request("GET", "https://annuaire.example/a")).text == "bonjour"
        assert (await http.request("GET", "http://127.0.0.1:9/a")).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/",
        "http://annuaire.example/",
        "https://annuaire.example@evil.example/",
        "https://user:pw@annuaire.example/",
        "https://annuaire.example.evil.example/",
        "http://127.0.0.1:10/",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "ftp://annuaire.example/",
        "//annuaire.example/",
        "https://[::1/",
        "",
    ],
)
async def test_every_other_address_is_refused(url: str) -> None:
    async with client() as http:
        with pytest.raises(Denied):
            await http.request("GET", url)


async def test_redirects_are_not_followed() -> None:
    async with client() as http:
        assert (await http.request("GET", "https://annuaire.example/moved")).status_code == 302


@pytest.mark.parametrize("path", ["large", "silent"])
async def test_answers_are_limited_in_size_and_time(path: str) -> None:
    async with client() as http:
        with pytest.raises(Unavailable):
            await http.request("GET", f"https://annuaire.example/{path}")
