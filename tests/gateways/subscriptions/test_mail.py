"""Letters: taken by a real mail server, told in words only, or with the Bundle when asked."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from liane.base.errors import Denied
from liane.fhir import json as fhir_json
from liane.gateways.subscriptions import MailServer, Policy, attempts, mail
from liane.gateways.subscriptions.model import Channel
from tests.gateways.fhir.conftest import Fhir, observation
from tests.gateways.subscriptions.conftest import BASE, numbers_of, until, wish
from tests.gateways.subscriptions.test_rest_hook import active

pytestmark = pytest.mark.enable_socket


@dataclass
class PostOffice:
    """The mail server of the site, as somebody else would run it."""

    port: int = 0
    refuses: int = 0
    letters: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        del server, session
        if self.refuses:
            self.refuses -= 1
            return "451 try again later"
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"

    async def until(self, count: int) -> list[EmailMessage]:
        async def there() -> bool:
            return len(self.letters) >= count

        await until(there)
        return self.letters


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    one = PostOffice()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(one, hostname="mail.test"), "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    yield one
    server.close()
    await server.wait_closed()


@pytest.fixture
def policy(office: PostOffice) -> Policy:
    server = MailServer("127.0.0.1", office.port, "none", "liane@chu.example")
    return Policy(base=BASE, mail=server, mail_domains=frozenset({"chu.example"}))


async def test_a_letter_says_that_something_happened_and_nothing_more(
    fhir: Fhir, office: PostOffice, worker: None
) -> None:
    id_ = await active(fhir, wish("mailto:ward@chu.example", kind="email", content="empty"))
    await fhir("POST", "/Observation", observation(id="o-secret"))
    hello, event = (await office.until(2))[:2]
    assert hello["To"] == "ward@chu.example"
    assert event["Idempotency-Key"] == f'"{id_}/1-1"'
    assert "o-secret" not in event.as_string()
    assert not list(event.iter_attachments())


async def test_the_bundle_is_attached_when_asked(
    fhir: Fhir, office: PostOffice, worker: None
) -> None:
    await active(fhir, wish("ward@chu.example", kind="email", content="full-resource"))
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    event = (await office.until(2))[1]
    (attached,) = event.iter_attachments()
    assert attached.get_content_type() == "application/fhir+json"
    bundle = fhir_json.loads(attached.get_payload(decode=True))
    assert numbers_of(bundle) == [1]
    assert bundle["entry"][1]["resource"]["id"] == "o1"


async def test_a_letter_not_taken_is_sent_again_under_the_same_name(
    fhir: Fhir, office: PostOffice, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "BACK_OFF_SECONDS", (0.05,))
    id_ = await active(fhir, wish("ward@chu.example", kind="email"))
    office.refuses = 2
    await fhir("POST", "/Observation", observation())
    letters = await office.until(2)
    assert [one["Idempotency-Key"] for one in letters[1:]] == [f'"{id_}/1-1"']


@pytest.mark.parametrize(
    "address",
    [
        "a@elsewhere.example",
        "a@chu.example\r\nBcc: b@evil.example",
        "a b@chu.example",
        "@chu.example",
    ],
)
async def test_other_addresses_are_refused(fhir: Fhir, address: str) -> None:
    answer = await fhir("POST", "/Subscription", wish(address, kind="email"))
    assert answer.status_code in (400, 422)


async def test_clinical_content_never_travels_in_clear() -> None:
    server = MailServer("mail.example", 25, "none", "liane@chu.example")
    channel = Channel("email", "a@chu.example", "application/fhir+json", "id-only", (), 0, 1, 1)
    with pytest.raises(Denied):
        await mail.send(server, channel, EmailMessage())
    assert replace(channel, content="empty").content == "empty"
