"""Through which doors does the demonstration reach the platform, and how does it knock?"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import httpx

from liane.demo.resources import Resource, put

TRIES = 8
RENEW_BEFORE_SECONDS = 60.0


class TokenSource(Protocol):
    """Where bearer tokens come from."""

    async def __call__(self) -> str:
        """A token that is good now."""
        ...

    def forget(self) -> None:
        """The last one was refused: get another."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Doors:
    """The real doors of an installation. `token` is a bearer token or a source of them."""

    fhir_url: str
    token: str | TokenSource
    mllp: Address
    dicom: Address
    dicom_ae_title: str = "LIANE"


def address(text: str) -> Address:
    """An address written `host:port`."""
    host, _, port = text.rpartition(":")
    return Address(host or "127.0.0.1", int(port))


class ClientCredentials:
    """Bearer tokens got by client credentials, renewed before they end (RFC 6749, 4.4)."""

    def __init__(self, token_endpoint: str, client_id: str, client_secret: str) -> None:
        self._endpoint, self._pair = token_endpoint, (client_id, client_secret)
        self._token, self._ends = "", 0.0

    @classmethod
    def from_file(cls, file: Path) -> ClientCredentials:
        """The client that `liane client add --json` printed into `file`."""
        known = json.loads(file.read_text("utf-8"))
        return cls(known["token_endpoint"], known["client_id"], known["client_secret"])

    def forget(self) -> None:
        """The last one was refused: get another next time."""
        self._ends = 0.0

    async def __call__(self) -> str:
        """A token that lasts a while yet."""
        if time.monotonic() > self._ends - RENEW_BEFORE_SECONDS:
            async with httpx.AsyncClient(auth=self._pair, timeout=30, trust_env=False) as http:
                answer = await http.post(self._endpoint, data={"grant_type": "client_credentials"})
            answer.raise_for_status()
            given = answer.json()
            self._token = given["access_token"]
            self._ends = time.monotonic() + float(given.get("expires_in", 3600))
        return self._token


class FhirRefusedError(Exception):
    """The platform would not take what it was given."""


class FhirAwayError(Exception):
    """The platform did not answer, or was too busy, however often it was asked."""


class FhirDoor:
    """A FHIR client: transactions, reads and searches, patient when the server is away."""

    def __init__(self, doors: Doors, *, connections: int = 4) -> None:
        limits = httpx.Limits(max_connections=connections)
        self._http = httpx.AsyncClient(
            base_url=doors.fhir_url.rstrip("/") + "/",
            timeout=120,
            limits=limits,
            trust_env=False,
        )
        self._token = doors.token

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def write(self, resources: Sequence[Resource]) -> None:
        """All of `resources` under their own ids, in one transaction; repeatable."""
        bundle = {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [put(resource) for resource in resources],
        }
        await self._ask("POST", "", json.dumps(bundle, ensure_ascii=False).encode())

    async def read(self, kind: str, identifier: str) -> Resource | None:
        """The resource, or None when there is none."""
        answer = await self._ask("GET", f"{kind}/{identifier}", absent=True)
        return None if answer.status_code in {404, 410} else answer.json()

    async def search(self, kind: str, **criteria: str) -> list[Resource]:
        """Every match, page after page."""
        found: list[Resource] = []
        url: str | None = f"{kind}?{httpx.QueryParams(criteria)}"
        while url:
            bundle: dict[str, Any] = (await self._ask("GET", url)).json()
            found += [entry["resource"] for entry in bundle.get("entry", ())]
            links = {link["relation"]: link["url"] for link in bundle.get("link", ())}
            url = links.get("next")
        return found

    async def _ask(
        self, method: str, url: str, content: bytes | None = None, *, absent: bool = False
    ) -> httpx.Response:
        pause = 0.2
        for _ in range(TRIES):
            try:
                answer = await self._once(method, url, content)
            except httpx.HTTPError:  # away, or no token to be had just now
                await asyncio.sleep(pause)
            else:
                if answer.is_success or (absent and answer.status_code in {404, 410}):
                    return answer
                if answer.status_code == httpx.codes.UNAUTHORIZED and not isinstance(
                    self._token, str
                ):
                    self._token.forget()
                elif answer.status_code not in {409, 429, 502, 503, 504}:
                    raise FhirRefusedError(
                        f"{method} {url}: {answer.status_code} {answer.text[:2000]}"
                    )
                await asyncio.sleep(pause)
            pause *= 2
        raise FhirAwayError(f"{method} {url}: no answer after {TRIES} tries")

    async def _once(self, method: str, url: str, content: bytes | None) -> httpx.Response:
        token = self._token if isinstance(self._token, str) else await self._token()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/fhir+json"}
        if content is not None:
            headers["Content-Type"] = "application/fhir+json"
        return await self._http.request(method, url, content=content, headers=headers)
