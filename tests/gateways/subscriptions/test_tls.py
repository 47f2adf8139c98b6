"""Over TLS: a receiver whose certificate the machine trusts is told; another is not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import uvicorn
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from liane.gateways.subscriptions import MailServer, Policy, attempts
from liane.gateways.subscriptions.owners import Standing
from liane.store import Database
from tests.gateways.fhir.conftest import Fhir, observation
from tests.gateways.subscriptions.conftest import BASE, Receiver, until, wish, working
from tests.gateways.subscriptions.test_mail import PostOffice
from tests.gateways.subscriptions.test_rest_hook import active, make, status

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "receiver.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
async def secure(certificate: Path) -> AsyncIterator[Receiver]:
    one = Receiver()
    server = uvicorn.Server(
        uvicorn.Config(one, port=0, lifespan="off", log_config=None, ssl_certfile=certificate)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    one.url = f"https://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/hook"
    yield one
    server.should_exit = True
    await serving


@pytest.fixture
def policy() -> Policy:
    """No receiver in clear; the port of the mail server is not known yet."""
    mail = MailServer("127.0.0.1", 25, "starttls", "liane@chu.example")
    domains = frozenset({"chu.example"})
    return Policy(base=BASE, hosts=frozenset({"127.0.0.1"}), mail=mail, mail_domains=domains)


async def test_a_trusted_receiver_is_told_and_never_in_clear(
    fhir: Fhir,
    secure: Receiver,
    certificate: Path,
    database: Database,
    policy: Policy,
    standings: dict[str, Standing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clear = await fhir("POST", "/Subscription", wish(secure.url.replace("https", "http")))
    assert clear.status_code == 400
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with working(database, policy, standings):
        await active(fhir, wish(secure.url))
        await fhir("POST", "/Observation", observation())
        (event,) = await secure.until(1, "event-notification")
        assert event.numbers == [1]


async def test_a_receiver_nobody_vouches_for_is_not_told(
    fhir: Fhir,
    secure: Receiver,
    database: Database,
    policy: Policy,
    standings: dict[str, Standing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "BACK_OFF_SECONDS", (0.05,))
    async with working(database, policy, standings):
        id_ = (await make(fhir, wish(secure.url)))["id"]

        async def in_error() -> bool:
            return await status(fhir, id_) == "error"

        await until(in_error)
    assert secure.got == []


async def test_letters_travel_by_tls(
    fhir: Fhir,
    certificate: Path,
    database: Database,
    standings: dict[str, Standing],
    policy: Policy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    office, ours = PostOffice(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(office, hostname="mail.test", tls_context=ours, require_starttls=True),
        "127.0.0.1",
        0,
    )
    port = server.sockets[0].getsockname()[1]
    taking = MailServer("127.0.0.1", port, "starttls", "liane@chu.example")
    by_mail = Policy(base=BASE, mail=taking, mail_domains=frozenset({"chu.example"}))
    body = wish("ward@chu.example", kind="email", content="id-only")
    assert (await fhir("POST", "/Subscription", body)).status_code == 201
    async with working(database, by_mail, standings):
        (letter,) = await office.until(1)
        assert letter["To"] == "ward@chu.example"
    server.close()
