"""How is a notification handed to a rest-hook, and did its receiver take it?"""

from __future__ import annotations

import asyncio
import ssl
from typing import Literal

from liane.base.errors import Unavailable
from liane.base.safe_addresses import GuardedTransport
from liane.base.safe_http import SafeClient
from liane.gateways.subscriptions.model import JSON, Channel
from liane.gateways.subscriptions.policy import Policy

LIMIT_BYTES = 64 * 1024
"""Of the receiver's answer, which nobody reads."""
Method = Literal["POST", "PUT", "DELETE"]


class Refused(Unavailable):
    """The receiver answered, and did not take it."""

    def __init__(self, status: int) -> None:
        super().__init__(
            "subscription.refused-by-receiver",
            f"Le destinataire a répondu {status}.",
            f"The receiver answered {status}.",
            "Demander à son responsable de regarder ses journaux ; l’envoi est retenté.",
            "Ask whoever runs it to look into its logs; it is tried again.",
            status=status,
        )
        self.status = status


class RestHooks:
    """The receivers that are called over HTTP.

    Their certificates must come from an authority that this machine trusts: that is where a
    hospital keeps its own.
    """

    def __init__(self, policy: Policy) -> None:
        trusted = {name.rpartition(":")[0] or name for name in policy.hosts}
        self._client = SafeClient(
            policy.hosts,
            plain=policy.plain_hosts,
            limit_bytes=LIMIT_BYTES,
            timeout_seconds=30.0,
            transport=GuardedTransport(
                trusted=_literal(trusted), verify=ssl.create_default_context()
            ),
        )

    async def send(
        self, channel: Channel, body: str, key: str, *, method: Method = "POST", below: str = ""
    ) -> None:
        """Hand over one notification. `key` is the same whenever the same events are repeated.

        Raises `Unavailable` when the receiver did not say that it took it (any 2xx), `Denied`
        when it may not be called.
        """
        headers = dict(channel.headers)
        headers["Idempotency-Key"] = f'"{key}"'
        if body:
            headers["Content-Type"] = f"{JSON}; charset=utf-8"
        url = channel.endpoint.rstrip("/") + below if below else channel.endpoint
        try:
            async with asyncio.timeout(channel.timeout_seconds or 10):
                answer = await self._client.request(
                    method, url, headers=headers, content=body.encode()
                )
        except TimeoutError:
            raise Unavailable(
                "subscription.timeout",
                "Le destinataire n’a pas répondu à temps.",
                "The receiver did not answer in time.",
            ) from None
        if not answer.is_success:
            raise Refused(answer.status_code)

    async def close(self) -> None:
        """Close the connections kept open."""
        await self._client.close()


def _literal(names: set[str]) -> set[str]:
    """Names that are addresses or this machine: the administrator has written where they lead."""
    return {name for name in names if name == "localhost" or not any(c.isalpha() for c in name)} | {
        name for name in names if name.startswith("[")
    }
